/* store/remove.c: see remove.h. Everything goes by descriptors of folders opened with O_NOFOLLOW, so that nobody can
 * put a link in the way while we walk. */
#include "store/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/private.h"

#define REMOVED ".removed-"

static rnl_status out_of_memory(rnl_error *err, const char *what) {
  return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", what);
}

/* ---- may it? ---------------------------------------------------------------------------------- */

/* Are both the same folder? */
static bool same_folder(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

rnl_status rnl_store_may_remove(const rnl_run_record *record, const char *results_dir, rnl_error *err) {
  struct stat info;
  const char *status = json_string_value(json_object_get(record->json, "status"));
  if (status && strcmp(status, "running") == 0)
    return rnl_fail(err, RNL_ERR_ARG, "%s is running; stop it first", record->name);
  if (lstat(record->dir, &info) != 0)
    return rnl_fail(err, RNL_ERR_NOT_FOUND, "%s: %s", record->dir, strerror(errno));
  if (S_ISLNK(info.st_mode))
    return rnl_fail(err, RNL_ERR_ARG, "%s is a link to a folder elsewhere; remove it by hand", record->dir);
  char *parent = rnl_path_folder(record->dir);
  if (!parent) return out_of_memory(err, record->dir);
  bool inside = same_folder(parent, results_dir);
  rnl_free(parent);
  if (inside) return RNL_OK;
  return rnl_fail(err, RNL_ERR_ARG, "%s is not directly inside the results folder %s; only what is there is removed",
                  record->dir, results_dir);
}

/* ---- removing --------------------------------------------------------------------------------- */

/* The folders that were renamed away: ours, and what a removal left that was cut off. False with errno set where
 * something stays. */
static bool remove_renamed(int results) {
  int copy = openat(results, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = copy < 0 ? NULL : fdopendir(copy);
  if (!list) {
    if (copy >= 0) close(copy);
    return false;
  }
  int reason = 0;
  for (struct dirent *entry; (entry = readdir(list));)
    if (strncmp(entry->d_name, REMOVED, strlen(REMOVED)) == 0 && !rnl_folder_remove_at(results, entry->d_name))
      reason = errno;
  closedir(list);
  errno = reason;
  return reason == 0;
}

static rnl_status rename_away(int results, const rnl_run_record *record, rnl_error *err) {
  for (int i = 0; i < 1000; i++) {
    rnl_buffer hidden = { 0 };
    rnl_buffer_printf(&hidden, "%s%s-%ld-%d", REMOVED, record->name, (long)getpid(), i);
    if (hidden.failed) return out_of_memory(err, record->dir);
    /* RENAME_NOREPLACE is not everywhere; a folder with something in it is never replaced by rename. */
    bool done = renameat(results, record->name, results, hidden.data) == 0;
    rnl_buffer_free(&hidden);
    if (done) return RNL_OK;
    if (errno != ENOTEMPTY && errno != EEXIST) break;
  }
  return rnl_fail(err, RNL_ERR_IO, "%s: cannot remove: %s", record->dir, strerror(errno));
}

rnl_status rnl_store_remove(const rnl_run_record *record, const char *results_dir, rnl_buffer *warnings,
                            rnl_error *err) {
  RNL_TRY(rnl_store_may_remove(record, results_dir, err));
  int results = open(results_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (results < 0) return rnl_fail(err, RNL_ERR_IO, "%s: cannot open: %s", results_dir, strerror(errno));
  rnl_status status = rename_away(results, record, err);
  if (status == RNL_OK) {
    rnl_error problem;
    if (rnl_index_remove(results_dir, record->name, &problem) != RNL_OK && warnings)
      rnl_buffer_printf(warnings, "the index was not updated (the next `rnnlab ls` does it): %s\n", problem.text);
    status = rnl_folder_sync(results_dir, err);
    if (!remove_renamed(results) && warnings)
      rnl_buffer_printf(warnings, "%s/%s*: not all of it could be removed: %s\n", results_dir, REMOVED,
                        strerror(errno));
  }
  close(results);
  return status;
}
