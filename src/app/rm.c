/* app/rm.c: rnnlab rm RUN|SWEEP ..., and rnnlab reindex. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/output.h"
#include "app/select.h"
#include "base/alloc.h"
#include "base/file.h"
#include "store/remove.h"

/* ---- rm -------------------------------------------------------------------------------------------- */

typedef struct condemned {
  int count;
  rnl_run_record *items;
} condemned;

/* All of them are found and may go before the first is touched; one named twice goes once. */
static rnl_status gather(condemned *c, const rnl_args *args, rnl_error *err) {
  c->items = rnl_alloc((size_t)args->word_count, sizeof *c->items);
  if (!c->items) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  for (int i = 0; i < args->word_count; i++) {
    rnl_run_record *record = &c->items[c->count];
    RNL_TRY(rnl_store_find(record, args->results, args->words[i], RNL_FIND_ANY, err));
    bool twice = false;
    for (int k = 0; k < c->count; k++) twice = twice || strcmp(c->items[k].name, record->name) == 0;
    rnl_status status = rnl_store_may_remove(record, args->results, err);
    if (twice || status != RNL_OK) rnl_run_record_free(record);
    else c->count++;
    if (status != RNL_OK) return status;
  }
  return RNL_OK;
}

/* True where the person at the terminal says yes. */
static bool confirmed(const condemned *c) {
  char answer[16];
  fprintf(stderr, "remove ");
  for (int i = 0; i < c->count && i < 8; i++) fprintf(stderr, "%s%s", i ? ", " : "", c->items[i].name);
  if (c->count > 8) fprintf(stderr, " and %d more", c->count - 8);
  fprintf(stderr, "? [y/N] ");
  fflush(stderr);
  if (!fgets(answer, sizeof answer, stdin)) {
    fputc('\n', stderr);
    return false;
  }
  return answer[0] == 'y' || answer[0] == 'Y';
}

static int remove_all(const rnl_args *args, const condemned *c) {
  json_t *removed = json_array();
  rnl_buffer warnings = {0};
  rnl_error err;
  int code = RNL_EXIT_OK;
  for (int i = 0; i < c->count && code == RNL_EXIT_OK; i++) {
    if (rnl_store_remove(&c->items[i], args->results, &warnings, &err) == RNL_OK)
      json_array_append_new(removed, json_string(c->items[i].name));
    else code = rnl_exit_for(&err);
  }
  rnl_warn_lines(&warnings);
  rnl_buffer_free(&warnings);
  if (rnl_args_has(args, &rnl_option_json)) {
    json_t *object = json_pack("{s:O}", "removed", removed);
    int put = rnl_put_json(object);
    if (code == RNL_EXIT_OK) code = put;
    json_decref(object);
  } else if (!rnl_args_has(args, &rnl_option_quiet)) {
    rnl_buffer text = {0};
    for (size_t i = 0; i < json_array_size(removed); i++)
      rnl_buffer_printf(&text, "%s%s", i ? " " : "removed ", json_string_value(json_array_get(removed, i)));
    if (text.length) rnl_buffer_char(&text, '\n');
    rnl_put(&text);
    rnl_buffer_free(&text);
  }
  json_decref(removed);
  return code;
}

static int call_rm(const rnl_args *args) {
  condemned c = {0};
  rnl_error err;
  int code;
  if (gather(&c, args, &err) != RNL_OK) {
    code = rnl_exit_for(&err);
  } else if (!rnl_args_has(args, &rnl_option_yes) && !isatty(STDIN_FILENO)) {
    rnl_complain("rm asks before it removes, and there is no terminal to ask at; give --yes");
    code = RNL_EXIT_USAGE;
  } else if (!rnl_args_has(args, &rnl_option_yes) && !confirmed(&c)) {
    rnl_complain("nothing was removed");
    code = RNL_EXIT_FAILED;
  } else {
    code = remove_all(args, &c);
  }
  for (int i = 0; i < c.count; i++) rnl_run_record_free(&c.items[i]);
  rnl_free(c.items);
  return code;
}

const rnl_command rnl_command_rm = {
  .name = "rm",
  .usage = "RUN|SWEEP ... [options]",
  .summary = "remove runs and sweeps",
  .about =
    "Removes the folders of the runs and sweeps and their lines in the index. On a terminal it asks;\n"
    "elsewhere it wants --yes. What is running is not removed, nor anything outside the results folder;\n"
    "links inside a run's folder are removed and never followed. Where one of several cannot go, none\n"
    "does.",
  .examples = "  rnnlab rm tutorial8-q2-3\n  rnnlab rm tutorial8-q2-3 tutorial8-q2-4 --yes",
  .options = (const rnl_option *const[]){&rnl_option_yes, &rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = -1,
  .call = call_rm,
};

/* ---- reindex ----------------------------------------------------------------------------------------- */

static int call_reindex(const rnl_args *args) {
  int64_t runs, sweeps;
  rnl_buffer warnings = {0};
  rnl_error err;
  if (rnl_path_exists(args->results) && !rnl_path_is_folder(args->results)) {
    rnl_complain("%s is not a folder", args->results);
    return RNL_EXIT_USAGE;
  }
  rnl_status status = rnl_index_rebuild(args->results, rnl_journal_source(), &runs, &sweeps, &warnings, &err);
  rnl_warn_lines(&warnings);
  rnl_buffer_free(&warnings);
  if (status != RNL_OK) return rnl_exit_for(&err);
  if (rnl_args_has(args, &rnl_option_json)) {
    json_t *object = json_pack("{s:I, s:I}", "runs", (json_int_t)runs, "sweeps", (json_int_t)sweeps);
    int code = rnl_put_json(object);
    json_decref(object);
    return code;
  }
  rnl_buffer text = {0};
  rnl_buffer_printf(&text, "%s/rnnlab.db holds %lld run%s and %lld sweep%s\n", args->results, (long long)runs,
                    runs == 1 ? "" : "s", (long long)sweeps, sweeps == 1 ? "" : "s");
  rnl_put(&text);
  rnl_buffer_free(&text);
  return RNL_EXIT_OK;
}

const rnl_command rnl_command_reindex = {
  .name = "reindex",
  .usage = "",
  .summary = "make the index anew from the folders",
  .about =
    "Reads all run and sweep folders and writes rnnlab.db anew. The files are the record and the index\n"
    "a copy of it, so nothing is lost where it is deleted, damaged, or of another version. Every\n"
    "listing does by itself what is needed after folders were added, changed or removed.",
  .examples = "  rnnlab reindex\n  rnnlab reindex --results /data/results",
  .call = call_reindex,
};
