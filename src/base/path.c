/* base/path.c: folders and path text of base/file.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

bool rnl_path_exists(const char *path) { return access(path, F_OK) == 0; }

bool rnl_path_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool rnl_path_is_writable(const char *path) {
  struct stat info;
  if (stat(path, &info) == 0) return access(path, S_ISDIR(info.st_mode) ? W_OK | X_OK : W_OK) == 0;
  if (errno != ENOENT) return false;
  char *at = rnl_strdup(path);
  bool writable = false;
  while (at) {
    char *up = rnl_path_folder(at);
    bool top = up && strcmp(up, at) == 0;
    rnl_free(at);
    at = up;
    if (up && stat(up, &info) == 0) {
      writable = S_ISDIR(info.st_mode) && access(up, W_OK | X_OK) == 0;
      break;
    }
    if (top || errno != ENOENT) break;
  }
  rnl_free(at);
  return writable;
}

static rnl_status folder_error(rnl_error *err, const char *path) {
  return rnl_fail(err, RNL_ERR_IO, "%s: cannot make the folder: %s", path, strerror(errno));
}

rnl_status rnl_folder_make(const char *path, rnl_error *err) {
  if (mkdir(path, 0777) == 0) return RNL_OK;
  if (errno == EEXIST) {
    if (rnl_path_is_folder(path)) return RNL_OK;
    errno = ENOTDIR;
    return folder_error(err, path);
  }
  if (errno != ENOENT) return folder_error(err, path);
  char *parent = rnl_path_folder(path);
  if (!parent) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", path);
  rnl_status status = strcmp(parent, path) == 0 ? folder_error(err, path) : rnl_folder_make(parent, err);
  rnl_free(parent);
  if (status != RNL_OK) return status;
  /* Somebody else may have made it in between. */
  if (mkdir(path, 0777) == 0 || (errno == EEXIST && rnl_path_is_folder(path))) return RNL_OK;
  return folder_error(err, path);
}

rnl_status rnl_folder_claim(const char *path, bool *made, rnl_error *err) {
  *made = mkdir(path, 0777) == 0;
  if (*made || errno == EEXIST) return RNL_OK;
  return folder_error(err, path);
}

char *rnl_path_join(const char *a, const char *b) {
  if (!a || !a[0] || b[0] == '/') return rnl_strdup(b);
  size_t na = strlen(a), nb = strlen(b);
  bool slash = a[na - 1] != '/';
  char *joined = rnl_alloc(na + nb + 2, 1);
  if (!joined) return NULL;
  memcpy(joined, a, na);
  if (slash) joined[na++] = '/';
  memcpy(joined + na, b, nb + 1);
  return joined;
}

char *rnl_path_folder(const char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--; /* slashes at the end */
  while (n > 0 && path[n - 1] != '/') n--; /* the base name */
  while (n > 1 && path[n - 1] == '/') n--; /* slashes between */
  if (n == 0) return rnl_strdup(".");
  char *folder = rnl_alloc(n + 1, 1);
  if (folder) memcpy(folder, path, n);
  return folder;
}

const char *rnl_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
