/* store/notes.c: see notes.h. A line is {"time": ..., "tag": [...], "untag": [...], "note": ..., "forget": true}, with
 * what it changes. */
#include "store/notes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"
#include "store/json.h"
#include "store/private.h"

#define MAX_NOTES_FILE ((size_t)64 << 20)

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static size_t place_of(const json_t *tags, const char *tag) {
  size_t i = 0;
  while (i < json_array_size(tags) && strcmp(json_string_value(json_array_get(tags, i)), tag) != 0) i++;
  return i;
}

static bool apply_tags(json_t *tags, const json_t *line) {
  const json_t *add = json_object_get(line, "tag"), *drop = json_object_get(line, "untag");
  bool good = true;
  for (size_t i = 0; good && i < json_array_size(add); i++) {
    json_t *tag = json_array_get(add, i);
    if (json_is_string(tag) && place_of(tags, json_string_value(tag)) == json_array_size(tags))
      good = !json_array_append(tags, tag);
  }
  for (size_t i = 0; good && i < json_array_size(drop); i++) {
    const char *tag = json_string_value(json_array_get(drop, i));
    size_t at = tag ? place_of(tags, tag) : json_array_size(tags);
    if (at < json_array_size(tags)) good = !json_array_remove(tags, at);
  }
  return good;
}

static bool apply(json_t *tags, json_t *notes, const json_t *line) {
  if (!json_is_object(line)) return true;
  bool good = apply_tags(tags, line);
  if (json_is_true(json_object_get(line, "forget"))) json_array_clear(notes);
  json_t *text = json_object_get(line, "note"), *time = json_object_get(line, "time");
  if (good && json_is_string(text)) {
    json_t *note = json_object();
    good = note && (!json_is_string(time) || !json_object_set(note, "time", time)) &&
           !json_object_set(note, "text", text) && !json_array_append(notes, note);
    json_decref(note);
  }
  return good;
}

/* A line that is no JSON, a torn one, is passed over. */
static bool apply_lines(json_t *tags, json_t *notes, const rnl_buffer *text) {
  const char *line = rnl_buffer_string(text), *end = line + text->length;
  while (line < end) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) stop = end;
    json_t *change = json_loadb(line, (size_t)(stop - line), 0, NULL);
    bool good = !change || apply(tags, notes, change);
    json_decref(change);
    if (!good) return false;
    line = stop + 1;
  }
  return true;
}

static bool set_or_drop(json_t *json, const char *key, json_t *list) {
  if (json_array_size(list) > 0) return !json_object_set(json, key, list);
  json_object_del(json, key);
  return true;
}

rnl_status rnl_notes_merge(json_t *json, const char *dir, rnl_error *err) {
  rnl_buffer text = { 0 };
  rnl_error problem = { 0 };
  char *path = rnl_path_join(dir, RNL_NOTES_FILE);
  rnl_status status = path ? RNL_OK : out_of_memory(err, dir);
  if (status == RNL_OK && rnl_file_read(path, MAX_NOTES_FILE, &text, &problem) == RNL_OK) {
    json_t *tags = json_array(), *notes = json_array();
    if (!tags || !notes || !apply_lines(tags, notes, &text) || !set_or_drop(json, "tags", tags) ||
        !set_or_drop(json, "notes", notes))
      status = out_of_memory(err, dir);
    json_decref(tags);
    json_decref(notes);
  } else if (problem.status == RNL_ERR_MEMORY) {
    status = rnl_fail(err, problem.status, "%s", problem.text);
  } /* a file that cannot be read hides no run */
  rnl_buffer_free(&text);
  rnl_free(path);
  return status;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static rnl_status check_tags(const json_t *tags, rnl_error *err) {
  for (size_t i = 0; i < json_array_size(tags); i++) {
    const char *tag = json_string_value(json_array_get(tags, i));
    bool good = tag && tag[0] && tag[0] != '-' && strlen(tag) <= RNL_TAG_BYTES && !strpbrk(tag, "<>=!~, ");
    for (const char *c = tag; good && *c; c++) good = (unsigned char)*c > 0x20 && *c != 0x7F;
    if (!good)
      return rnl_fail(err, RNL_ERR_ARG, "\"%.80s\" cannot be a tag: up to %d bytes, no blank, comma, or any of <>=!~",
                      tag ? tag : "", RNL_TAG_BYTES);
  }
  return RNL_OK;
}

static rnl_status check_note(const char *note, rnl_error *err) {
  if (!note) return RNL_OK;
  if (!note[0]) return rnl_fail(err, RNL_ERR_ARG, "the note is empty");
  if (strlen(note) > RNL_NOTE_BYTES)
    return rnl_fail(err, RNL_ERR_ARG, "the note has %zu bytes; at most %d are kept", strlen(note), RNL_NOTE_BYTES);
  json_t *text = json_string(note); /* checks that it is UTF-8 */
  json_decref(text);
  return text ? RNL_OK : rnl_fail(err, RNL_ERR_ARG, "the note is not UTF-8");
}

static json_t *line_of(const rnl_notes_change *change) {
  char now[RNL_TIME_TEXT];
  json_t *line = json_object();
  if (line && !json_object_set_new(line, "time", json_string(rnl_time_utc(now))) &&
      (!json_array_size(change->tag) || !json_object_set(line, "tag", (json_t *)change->tag)) &&
      (!json_array_size(change->untag) || !json_object_set(line, "untag", (json_t *)change->untag)) &&
      (!change->forget || !json_object_set_new(line, "forget", json_true())) &&
      (!change->note || !json_object_set_new(line, "note", json_string(change->note))))
    return line;
  json_decref(line);
  return NULL;
}

static rnl_status append_line(const char *path, const rnl_buffer *text, rnl_error *err) {
  rnl_append file;
  RNL_TRY(rnl_append_open(&file, path, err));
  rnl_status status = rnl_append_write(&file, text->data, text->length, err);
  if (status == RNL_OK) status = rnl_append_sync(&file, err);
  rnl_status closed = rnl_append_close(&file, status == RNL_OK ? err : NULL);
  return status == RNL_OK ? closed : status;
}

rnl_status rnl_notes_write(rnl_run_record *record, const rnl_notes_change *change, rnl_buffer *warnings,
                           rnl_error *err) {
  RNL_TRY(check_tags(change->tag, err));
  RNL_TRY(check_tags(change->untag, err));
  RNL_TRY(check_note(change->note, err));
  rnl_buffer text = { 0 };
  json_t *line = line_of(change);
  char *path = rnl_path_join(record->dir, RNL_NOTES_FILE);
  rnl_status status = line && path ? RNL_OK : out_of_memory(err, record->dir);
  if (status == RNL_OK) {
    rnl_buffer_char(&text, '\n'); /* ends what a writer before us may have left torn; empty lines say nothing */
    rnl_json_write(&text, line, 0);
    rnl_buffer_char(&text, '\n');
    status = rnl_buffer_check(&text, path, err);
  }
  if (status == RNL_OK) status = append_line(path, &text, err);
  if (status == RNL_OK) status = rnl_folder_sync(record->dir, err);
  if (status == RNL_OK) status = rnl_notes_merge(record->json, record->dir, err);
  json_decref(line);
  rnl_free(path);
  rnl_buffer_free(&text);
  if (status != RNL_OK) return status;
  if (record->is_sweep) return RNL_OK; /* the next listing sees that its folder changed */
  rnl_error problem;
  char *results = rnl_path_folder(record->dir);
  rnl_status indexed = results ? rnl_index_add(results, record->name, &problem)
                               : out_of_memory(&problem, record->dir);
  if (indexed != RNL_OK && warnings)
    rnl_buffer_printf(warnings, "the index was not updated (the next `rnnlab ls` does it): %s\n", problem.text);
  rnl_free(results);
  return RNL_OK;
}
