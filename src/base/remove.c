/* base/remove.c: folders taken away with all in them. Everything goes by descriptors of folders opened with O_NOFOLLOW,
 * so that nobody can put a link in the way while we walk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

enum { DEEPEST = 64 };

static bool empty_folder(int folder, int depth);

static bool remove_entry(int folder, const char *name, int depth) {
  if (unlinkat(folder, name, 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) return false;
  int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0) return errno == ENOENT;
  if (!empty_folder(inner, depth + 1)) return false;
  return unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* Takes the descriptor over. */
static bool empty_folder(int folder, int depth) {
  DIR *list = depth < DEEPEST ? fdopendir(folder) : NULL;
  if (!list) {
    int reason = depth < DEEPEST ? errno : ELOOP;
    close(folder);
    errno = reason;
    return false;
  }
  bool good = true;
  for (struct dirent *entry; good && (errno = 0, entry = readdir(list));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      good = remove_entry(dirfd(list), entry->d_name, depth);
  if (good && errno != 0) good = false;
  int reason = errno;
  closedir(list);
  errno = reason;
  return good;
}

bool rnl_folder_remove_at(int folder, const char *name) { return remove_entry(folder, name, 0); }

rnl_status rnl_folder_remove(const char *path, rnl_error *err) {
  if (remove_entry(AT_FDCWD, path, 0)) return RNL_OK;
  return rnl_fail(err, RNL_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
}

rnl_status rnl_folder_temporary(char **path, rnl_error *err) {
  const char *where = getenv("TMPDIR");
  *path = rnl_path_join(where && where[0] ? where : "/tmp", "rnnlab-XXXXXX");
  if (!*path) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a temporary folder");
  if (mkdtemp(*path)) return RNL_OK;
  rnl_status status = rnl_fail(err, RNL_ERR_IO, "%s: cannot make a temporary folder: %s", *path, strerror(errno));
  rnl_free(*path);
  *path = NULL;
  return status;
}
