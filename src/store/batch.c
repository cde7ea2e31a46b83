/* store/batch.c: is a sweep that was submitted to Slurm done with, whatever its sweep.json says? Its tasks write that
 * when they are through; where they were cancelled by hand nobody is left to.
 *
 * results/SWEEP/slurm/jobs.jsonl has a line a job; sweep.json's process = { "host": "Slurm", "jobs": N } says how many
 * there were before the last submission. squeue is asked for those after them, where there is one. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/child.h"
#include "base/file.h"
#include "store/private.h"

enum { JOBS_CAP = 1 << 20, PATIENCE_S = 3 };

/* States of a job that will not run again; see squeue(1). Lua's list is in sweep/launcher_slurm.lua. */
static bool is_over(const char *state, size_t length) {
  static const char *const over[] = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE",      "FAILED", "NODE_FAIL",
                                     "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT", NULL};
  for (int i = 0; over[i]; i++)
    if (strlen(over[i]) == length && memcmp(over[i], state, length) == 0) return true;
  return false;
}

/* "--jobs=4711,4712": the jobs after the first `skip` lines. False where there are none. */
static bool jobs_word(rnl_buffer *word, const char *dir, json_int_t skip) {
  rnl_buffer lines = {0};
  rnl_error unread;
  int found = 0;
  char *path = rnl_path_join(dir, "slurm/jobs.jsonl");
  if (path && rnl_file_read(path, JOBS_CAP, &lines, &unread) == RNL_OK) {
    rnl_buffer_text(word, "--jobs=");
    for (const char *at = lines.data, *end; lines.length && (end = strchr(at, '\n')); at = end + 1) {
      json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
      const json_t *job = json_object_get(line, "job");
      if (json_is_integer(job) && skip-- <= 0)
        rnl_buffer_printf(word, "%s%lld", found++ ? "," : "", (long long)json_integer_value(job));
      json_decref(line);
    }
  }
  rnl_free(path);
  rnl_buffer_free(&lines);
  return found > 0 && !word->failed;
}

/* Is every line of what squeue says a state that is over? */
static bool all_over(const char *said) {
  for (size_t n; *said; said += n + (said[n] == '\n')) {
    n = strcspn(said, "\n");
    size_t length = n;
    while (length && said[length - 1] == ' ') length--;
    if (length && !is_over(said, length)) return false;
  }
  return true;
}

bool rnl_batch_is_over(const char *dir, const json_t *json) {
  const json_t *process = json_object_get(json, "process");
  const char *host = json_string_value(json_object_get(process, "host"));
  if (!host || strcmp(host, "Slurm") != 0) return false;
  rnl_buffer jobs = {0}, said = {0};
  bool over = false;
  if (jobs_word(&jobs, dir, json_integer_value(json_object_get(process, "jobs")))) {
    const char *const words[] = {"squeue", "--noheader", "--array", "--states=all", "--format=%T",
                                 rnl_buffer_string(&jobs), NULL};
    const rnl_child child = {.arguments = words, .timeout_s = PATIENCE_S};
    int code;
    rnl_error err;
    if (rnl_child_run(&child, &said, &code, &err) == RNL_OK) /* a job that it has forgotten is over for long */
      over = code == 0 ? all_over(rnl_buffer_string(&said))
                       : strstr(rnl_buffer_string(&said), "Invalid job id") != NULL;
  }
  rnl_buffer_free(&jobs);
  rnl_buffer_free(&said);
  return over;
}
