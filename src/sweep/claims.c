/* sweep/claims.c: see claims.h. */
#include "sweep/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { PATH_TEXT = 4096 };

static rnl_status failed(rnl_error *err, const char *path, const char *what) {
  return rnl_fail(err, RNL_ERR_IO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* The claim's bytes under a name of this slot's own. */
static rnl_status write_own(const char *path, int64_t slot, rnl_error *err) {
  char text[32];
  int length = snprintf(text, sizeof text, "%lld\n", (long long)slot);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return failed(err, path, "open for writing");
  bool good = write(fd, text, (size_t)length) == length;
  if (close(fd) != 0 || !good) return failed(err, path, "write");
  return RNL_OK;
}

rnl_status rnl_claim(const char *folder, int64_t number, int64_t generation, int64_t slot, bool *mine, rnl_error *err) {
  char path[PATH_TEXT + 64], own[PATH_TEXT + 64], end[32] = "";
  *mine = false;
  if (strlen(folder) >= PATH_TEXT) return rnl_fail(err, RNL_ERR_ARG, "the path of the sweep's folder is too long");
  if (generation > 0) snprintf(end, sizeof end, ".%lld", (long long)generation);
  snprintf(path, sizeof path, "%s/%lld%s", folder, (long long)number, end);
  if (access(path, F_OK) == 0) return RNL_OK;
  RNL_TRY(rnl_folder_make(folder, err));
  snprintf(own, sizeof own, "%s/.slot-%lld", folder, (long long)slot);
  RNL_TRY(write_own(own, slot, err));
  rnl_status status = RNL_OK;
  if (link(own, path) == 0) *mine = true;
  else if (errno != EEXIST) status = failed(err, path, "link");
  unlink(own);
  return status;
}

/* "17" or "17.2" */
static bool read_name(const char *name, rnl_claim_made *out) {
  long long number, generation = 0;
  int used = 0, more = 0;
  if (sscanf(name, "%lld%n", &number, &used) != 1 || number < 0) return false;
  if (name[used] && (sscanf(name + used, ".%lld%n", &generation, &more) != 1 || generation < 1)) return false;
  *out = (rnl_claim_made){.number = number, .generation = generation};
  return name[used + more] == '\0';
}

rnl_status rnl_claims(const char *folder, bool (*each)(void *context, const rnl_claim_made *claim), void *context,
                      rnl_error *err) {
  char path[PATH_TEXT + 300];
  DIR *opened = opendir(folder);
  if (!opened) return errno == ENOENT ? RNL_OK : failed(err, folder, "read the folder");
  bool more = true;
  for (struct dirent *entry; more && (entry = readdir(opened));) {
    rnl_claim_made claim;
    if (!read_name(entry->d_name, &claim)) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    FILE *file = fopen(path, "re");
    long long slot;
    if (file && fscanf(file, "%lld", &slot) == 1) {
      claim.slot = slot;
      more = each(context, &claim);
    }
    if (file) fclose(file);
  }
  closedir(opened);
  return RNL_OK;
}
