/* store/reopen.c: going on with a run: its lock, its metrics.csv cut back to what a checkpoint counts on; late
 * columns. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/host.h"
#include "base/number.h"
#include "store/json.h"
#include "store/private.h"

#define MAX_METRICS ((size_t)1 << 31)

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* The lock is flock on the run's copy of its script, which nothing replaces: of two processes that resume at the same
 * moment one gets it, and it goes with the process. Where the file system has no locks, the check of the process in
 * run.json is all there is. */
static rnl_status take_lock(rnl_run *run, rnl_error *err) {
  char *path = rnl_path_join(run->dir, "script.lua");
  if (!path) return out_of_memory(err, run->dir);
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  rnl_free(path);
  if (fd < 0) return RNL_OK;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    run->lock = fd;
    return RNL_OK;
  }
  const bool taken = errno == EWOULDBLOCK;
  close(fd);
  return taken ? rnl_fail(err, RNL_ERR_ARG, "%s is being resumed by another process", run->name) : RNL_OK;
}

static rnl_status check_process(const rnl_run *run, unsigned allowed, rnl_error *err) {
  const json_t *object = json_object_get(run->json, "process");
  const char *boot = json_string_value(json_object_get(object, "boot_id"));
  const char *host = json_string_value(json_object_get(object, "host"));
  const char *status = json_string_value(json_object_get(run->json, "status"));
  if (!status) return rnl_fail(err, RNL_ERR_FORMAT, "%s: its " RNL_RUN_FILE " says no status", run->dir);
  if (strcmp(status, "finished") == 0 && !(allowed & RNL_REOPEN_FINISHED))
    return rnl_fail(err, RNL_ERR_ARG, "%s is finished", run->name);
  if (strcmp(status, "running") != 0) return RNL_OK;
  rnl_process process = { .pid = json_integer_value(json_object_get(object, "pid")),
                          .start = json_integer_value(json_object_get(object, "start")) };
  if (boot) strncpy(process.boot_id, boot, sizeof process.boot_id - 1);
  if (host) strncpy(process.host, host, sizeof process.host - 1);
  const rnl_life life = rnl_process_life(&process);
  if (life == RNL_ALIVE)
    return rnl_fail(err, RNL_ERR_ARG, "%s is running (process %lld)", run->name, (long long)process.pid);
  if (life == RNL_ELSEWHERE && !(allowed & RNL_REOPEN_FORCE))
    return rnl_fail(err, RNL_ERR_ARG, "%s may be running on %s still; where it is not: --force", run->name,
                    process.host[0] ? process.host : "another machine");
  return RNL_OK;
}

/* ---- metrics.csv ---------------------------------------------------------------------------- */

/* Bytes of the header and the first `rows` rows; -1 where there are not as many whole lines. */
static int64_t bytes_of_rows(const rnl_buffer *text, int64_t rows) {
  const char *p = text->data, *end = text->data + text->length;
  for (int64_t line = 0; line <= rows; line++) {
    p = p && p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
    if (!p) return -1;
    p++;
  }
  return p - text->data;
}

static rnl_status cut_metrics(const char *path, int64_t rows, rnl_error *err) {
  rnl_buffer text = { 0 };
  rnl_status status = rnl_file_read(path, MAX_METRICS, &text, err);
  const int64_t length = status == RNL_OK ? bytes_of_rows(&text, rows) : 0;
  if (status == RNL_OK && length < 0)
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: has fewer than the %lld rows the checkpoint counts on", path,
                      (long long)rows);
  if (status == RNL_OK && (size_t)length < text.length)
    status = rnl_file_write(path, text.data, (size_t)length, RNL_DURABLE, err);
  rnl_buffer_free(&text);
  return status;
}

/* What the handle knows of the rows there are. */
static rnl_status know_metrics(rnl_run *run, char ***columns, int *column_count, rnl_error *err) {
  rnl_metrics metrics;
  RNL_TRY(rnl_metrics_read(&metrics, run->dir, err));
  run->columns = metrics.columns;
  run->loss_column = rnl_metrics_column(&metrics, "loss");
  for (int64_t row = 0; run->loss_column >= 0 && row < metrics.rows; row++) {
    const double value = metrics.values[row * metrics.columns + run->loss_column];
    if (!rnl_is_missing(value)) rnl_curve_add(&run->curve, (double)metrics.epochs[row], value);
  }
  if (columns) {
    *columns = metrics.names;
    *column_count = metrics.columns;
    metrics.names = NULL;
  }
  rnl_metrics_free(&metrics);
  return RNL_OK;
}

static rnl_status take_metrics(rnl_run *run, int64_t rows, char ***columns, int *column_count, rnl_error *err) {
  char *path = rnl_path_join(run->dir, RNL_METRICS_FILE);
  if (!path) return out_of_memory(err, run->dir);
  rnl_status status = RNL_OK;
  if (rows <= 0) {
    if (unlink(path) < 0 && errno != ENOENT)
      status = rnl_fail(err, RNL_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
  } else {
    status = cut_metrics(path, rows, err);
    if (status == RNL_OK) status = know_metrics(run, columns, column_count, err);
    if (status == RNL_OK) status = rnl_append_open(&run->metrics, path, err);
  }
  rnl_free(path);
  return status;
}

/* What writes cut short have left: "<file>.tmp-<process>-<n>" (base/file.c). */
static void remove_temporaries(const char *dir) {
  DIR *folder = opendir(dir);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    const char *mark = strstr(entry->d_name, ".tmp-");
    if (!mark || mark[5 + strspn(mark + 5, "0123456789-")] != '\0') continue;
    char *path = rnl_path_join(dir, entry->d_name);
    if (path) unlink(path);
    rnl_free(path);
  }
  closedir(folder);
}

/* ---- opening -------------------------------------------------------------------------------- */

static rnl_status read_json(rnl_run *run, rnl_error *err) {
  char *path = rnl_path_join(run->dir, RNL_RUN_FILE);
  rnl_status status = path ? rnl_json_read_file(&run->json, path, err) : out_of_memory(err, run->dir);
  rnl_free(path);
  return status;
}

static rnl_status say_running(rnl_run *run, const json_t *changes, rnl_error *err) {
  static const char *const of_the_end[] = { "ended", "error", "metrics", "wall_s", "train_s", "epochs", "models" };
  for (size_t i = 0; i < sizeof of_the_end / sizeof *of_the_end; i++) json_object_del(run->json, of_the_end[i]);
  if (json_object_set_new(run->json, "status", json_string("running")) ||
      json_object_set_new(run->json, "process", rnl_process_json()) ||
      (changes && json_object_update(run->json, (json_t *)changes)))
    return out_of_memory(err, run->dir);
  return rnl_run_write_json(run->dir, run->json, true, err);
}

rnl_status rnl_run_reopen(rnl_run **out, const char *dir, int64_t rows, unsigned allowed, const json_t *changes,
                          char ***columns, int *column_count, rnl_error *err) {
  *out = NULL;
  if (columns) *columns = NULL, *column_count = 0;
  rnl_run *run = rnl_alloc(1, sizeof *run);
  if (!run) return out_of_memory(err, dir);
  run->metrics.fd = -1;
  run->loss_column = -1;
  run->began = rnl_time_monotonic();
  run->dir = rnl_strdup(dir);
  for (size_t n = run->dir ? strlen(run->dir) : 0; n > 1 && run->dir[n - 1] == '/';) run->dir[--n] = '\0';
  run->name = run->dir ? rnl_strdup(rnl_path_base(run->dir)) : NULL;
  run->results = run->dir ? rnl_path_folder(run->dir) : NULL;
  rnl_status status = run->name && run->results ? take_lock(run, err) : out_of_memory(err, dir);
  if (status == RNL_OK) status = read_json(run, err);
  if (status == RNL_OK) status = check_process(run, allowed, err);
  if (status == RNL_OK) remove_temporaries(run->dir);
  if (status == RNL_OK) status = take_metrics(run, rows, columns, column_count, err);
  if (status == RNL_OK) status = say_running(run, changes, err);
  if (status == RNL_OK) {
    *out = run;
    return RNL_OK;
  }
  if (columns) {
    for (int i = 0; i < *column_count; i++) rnl_free((*columns)[i]);
    rnl_free(*columns);
    *columns = NULL, *column_count = 0;
  }
  rnl_run_free(run);
  return status;
}

/* ---- late columns --------------------------------------------------------------------------- */

/* The text with `piece` put in front of the at-th comma of a line, or at its end. */
static void put_line(rnl_buffer *out, const char *line, size_t length, int at, const char *piece) {
  size_t i = 0;
  for (int comma = 0; i < length; i++)
    if (line[i] == ',' && comma++ == at) break;
  rnl_buffer_append(out, line, i);
  rnl_buffer_text(out, piece);
  rnl_buffer_append(out, line + i, length - i);
  rnl_buffer_char(out, '\n');
}

rnl_status rnl_run_metrics_insert(rnl_run *run, int at, const char *name, rnl_error *err) {
  if (run->closed || !run->metrics.path || at < 0 || at > run->columns || !name[0] || strpbrk(name, ",\"\r\n"))
    return rnl_fail(err, RNL_ERR_ARG, "run %s: no column \"%.80s\" can be put in now", run->name, name);
  rnl_buffer text = { 0 }, wide = { 0 }, head = { 0 };
  rnl_buffer_printf(&head, ",%s", name);
  rnl_status status = rnl_file_read(run->metrics.path, MAX_METRICS, &text, err);
  for (size_t from = 0; status == RNL_OK && from < text.length;) {
    const char *line = text.data + from, *end = memchr(line, '\n', text.length - from);
    if (!end) break;
    put_line(&wide, line, (size_t)(end - line), at, from == 0 ? rnl_buffer_string(&head) : ",");
    from = (size_t)(end - text.data) + 1;
  }
  if (status == RNL_OK) status = rnl_buffer_check(&wide, run->metrics.path, err);
  if (status == RNL_OK) status = rnl_file_write(run->metrics.path, wide.data, wide.length, RNL_DURABLE, err);
  char *path = status == RNL_OK ? rnl_strdup(run->metrics.path) : NULL;
  if (status == RNL_OK && !path) status = out_of_memory(err, run->dir);
  if (status == RNL_OK) {
    rnl_append_close(&run->metrics, NULL); /* it has the file that was replaced */
    status = rnl_append_open(&run->metrics, path, err);
  }
  if (status == RNL_OK) {
    run->columns++;
    if (run->loss_column >= at) run->loss_column++;
  }
  rnl_free(path);
  rnl_buffer_free(&text);
  rnl_buffer_free(&wide);
  rnl_buffer_free(&head);
  return status;
}
