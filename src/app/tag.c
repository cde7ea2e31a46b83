/* app/tag.c: rnnlab tag, untag and note, what a person writes about a run or a sweep. */
#include <string.h>

#include "app/command.h"
#include "app/output.h"
#include "store/notes.h"

static const rnl_option clear = {"clear", RNL_FLAG, NULL, "drop the notes there are, before one is added", 0};

/* The tags and notes there are now. */
static int print_json(const rnl_run_record *record) {
  json_t *tags = json_object_get(record->json, "tags"), *notes = json_object_get(record->json, "notes");
  json_t *object = json_pack("{s:s, s:s, s:o, s:o}", record->is_sweep ? "sweep" : "run", record->name, "dir",
                             record->dir, "tags", tags ? json_incref(tags) : json_array(), "notes",
                             notes ? json_incref(notes) : json_array());
  int code = rnl_put_json(object);
  json_decref(object);
  return code;
}

static int print_tags(const rnl_run_record *record) {
  rnl_buffer text = {0};
  const json_t *tags = json_object_get(record->json, "tags");
  rnl_buffer_printf(&text, "%s: ", record->name);
  for (size_t i = 0; i < json_array_size(tags); i++)
    rnl_buffer_printf(&text, "%s%s", i ? " " : "", json_string_value(json_array_get(tags, i)));
  rnl_buffer_text(&text, json_array_size(tags) ? "\n" : "no tags\n");
  rnl_put(&text);
  rnl_buffer_free(&text);
  return RNL_EXIT_OK;
}

/* Find the run, write the change, say what there is now. */
static int change(const rnl_args *args, const rnl_notes_change *what, bool tags) {
  rnl_run_record record;
  rnl_buffer warnings = {0};
  rnl_error err;
  if (rnl_store_find(&record, args->results, args->words[0], RNL_FIND_ANY, &err) != RNL_OK)
    return rnl_exit_for(&err);
  bool asks = !json_array_size(what->tag) && !json_array_size(what->untag) && !what->note && !what->forget;
  rnl_status status = asks ? RNL_OK : rnl_notes_write(&record, what, &warnings, &err);
  int code = status == RNL_OK ? RNL_EXIT_OK : rnl_exit_for(&err);
  rnl_warn_lines(&warnings);
  if (status == RNL_OK && rnl_args_has(args, &rnl_option_json)) code = print_json(&record);
  else if (status == RNL_OK && tags && !rnl_args_has(args, &rnl_option_quiet)) code = print_tags(&record);
  rnl_buffer_free(&warnings);
  rnl_run_record_free(&record);
  return code;
}

static json_t *words_behind(const rnl_args *args) {
  json_t *words = json_array();
  for (int i = 1; i < args->word_count; i++) {
    json_t *word = json_string(args->words[i]);
    json_array_append_new(words, word ? word : json_string("")); /* no UTF-8: refused like an empty one */
  }
  return words;
}

static int call_tag(const rnl_args *args) {
  json_t *words = words_behind(args);
  int code = change(args, &(rnl_notes_change){.tag = words}, true);
  json_decref(words);
  return code;
}

static int call_untag(const rnl_args *args) {
  json_t *words = words_behind(args);
  int code = change(args, &(rnl_notes_change){.untag = words}, true);
  json_decref(words);
  return code;
}

/* The words behind the run are the note. One that begins like "lr=0.1" was taken for a setting: it is the note if it
 * is all there is, else nobody knows any more where it stood. */
static int call_note(const rnl_args *args) {
  rnl_buffer text = {0};
  rnl_error err;
  if (args->setting_count > 1 || (args->setting_count && args->word_count > 1)) {
    rnl_complain("a note with '%s' in it wants quotes: rnnlab note %s \"...\"", args->settings[0], args->words[0]);
    return RNL_EXIT_USAGE;
  }
  if (args->setting_count) rnl_buffer_text(&text, args->settings[0]);
  for (int i = 1; i < args->word_count; i++)
    rnl_buffer_printf(&text, "%s%s", i > 1 ? " " : "", args->words[i]);
  bool forget = rnl_args_has(args, &clear), given = args->word_count + args->setting_count > 1;
  int code = RNL_EXIT_USAGE;
  if (rnl_buffer_check(&text, "the note", &err) != RNL_OK) code = rnl_exit_for(&err);
  else if (!given && !forget) rnl_complain("usage: rnnlab note RUN|SWEEP TEXT");
  else code = change(args, &(rnl_notes_change){.note = given ? rnl_buffer_string(&text) : NULL, .forget = forget},
                     false);
  rnl_buffer_free(&text);
  return code;
}

const rnl_command rnl_command_tag = {
  .name = "tag",
  .usage = "RUN|SWEEP [TAG ...]",
  .summary = "give a run or a sweep tags, or list them",
  .about =
    "Adds the tags and prints the ones there are. A tag is one word of up to 64 bytes without comma or\n"
    "any of <>=!~. `rnnlab ls --tag TAG` lists what has it. Tags and notes stand in the folder's\n"
    "notes.jsonl; a run that is going on can be tagged too.",
  .examples = "  rnnlab tag last paper baseline\n  rnnlab tag tutorial8-q2-7\n  rnnlab ls --tag paper",
  .options = (const rnl_option *const[]){&rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = -1,
  .call = call_tag,
};

const rnl_command rnl_command_untag = {
  .name = "untag",
  .usage = "RUN|SWEEP TAG ...",
  .summary = "take tags off a run or a sweep",
  .about = "Removes the tags and prints the ones that are left. A tag it does not have is passed over.",
  .examples = "  rnnlab untag last paper",
  .options = (const rnl_option *const[]){&rnl_option_quiet, NULL},
  .min_words = 2,
  .max_words = -1,
  .call = call_untag,
};

const rnl_command rnl_command_note = {
  .name = "note",
  .usage = "RUN|SWEEP TEXT",
  .summary = "write a note about a run or a sweep",
  .about =
    "Adds a note, with the time, to the folder's notes.jsonl; `rnnlab show` prints it, and `rnnlab ls\n"
    "note~TEXT` finds it.",
  .examples = "  rnnlab note last \"lower lr, as Anna said\"\n  rnnlab note last --clear",
  .options = (const rnl_option *const[]){&clear, NULL},
  .settings = true, /* to tell how it is to be quoted */
  .min_words = 1,
  .max_words = -1,
  .call = call_note,
};
