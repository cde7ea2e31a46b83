/* tear.c: a library to be preloaded that ends its process by SIGKILL in the middle of a write(2), as a power cut or a
 * kill would at the worst instant: half of the bytes are written, the rest never.
 *
 *     RNNLAB_TEAR=journal-:7 LD_PRELOAD=.../librnl_tear.so rnnlab sweep ...
 *
 * tears the 7th write of each process to a file whose path contains "journal-". RNNLAB_TEAR_LOG: a file that gets one
 * byte for each. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t (*real_write)(int, const void *, size_t);
static char wanted[64];
static long at, seen;

__attribute__((constructor)) static void begin(void) {
  *(void **)&real_write = dlsym(RTLD_NEXT, "write");
  const char *text = getenv("RNNLAB_TEAR"), *colon = text ? strrchr(text, ':') : NULL;
  if (!colon || colon - text >= (long)sizeof wanted) return;
  memcpy(wanted, text, (size_t)(colon - text));
  at = atol(colon + 1);
}

static int is_wanted(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = '\0';
  return strstr(path, wanted) != NULL;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (at > 0 && length > 1 && is_wanted(fd) && ++seen == at) {
    const char *log = getenv("RNNLAB_TEAR_LOG");
    int file = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (file >= 0 && real_write(file, "x", 1) == 1) close(file);
    if (real_write(fd, bytes, length / 2) >= 0) kill(getpid(), SIGKILL);
  }
  return real_write(fd, bytes, length);
}
