/* instant.c: a library to be preloaded that leaves behind in which call on a file of a results folder each process was
 * when it was killed:
 *
 *     RNNLAB_INSTANT=DIR LD_PRELOAD=.../librnl_instant.so rnnlab run ...
 *
 * DIR/PID is a page shared with the file: "fsync /.../results/a-1/metrics.csv" while the process is inside the call,
 * nothing between calls. kill -9 leaves it as it was. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char *page;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_rename)(const char *, const char *);

#define FIND(name) *(void **)&real_##name = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  FIND(write), FIND(pwrite), FIND(fsync), FIND(fdatasync), FIND(ftruncate), FIND(rename);
  const char *dir = getenv("RNNLAB_INSTANT");
  char path[PAGE];
  if (!dir || snprintf(path, sizeof path, "%s/%ld", dir, (long)getpid()) >= (int)sizeof path) return;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  void *map = MAP_FAILED;
  if (fd >= 0 && real_ftruncate(fd, PAGE) == 0) map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  if (map != MAP_FAILED) page = map;
}

/* The first letter last: what is there is whole. */
static int enter(const char *call, const char *path) {
  if (!page || !strstr(path, "/results/")) return 0;
  snprintf(page + 1, PAGE - 1, "%s %s", call + 1, path);
  __sync_synchronize();
  page[0] = call[0];
  return 1;
}

static int enter_file(const char *call, int fd) {
  char link[64], path[PAGE - 64];
  if (!page) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0) return 0;
  path[n] = '\0';
  return enter(call, path);
}

static void leave(int inside) {
  if (inside) page[0] = '\0';
}

ssize_t write(int fd, const void *bytes, size_t length) {
  const int inside = enter_file("write", fd);
  const ssize_t n = real_write(fd, bytes, length);
  leave(inside);
  return n;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  const int inside = enter_file("pwrite", fd);
  const ssize_t n = real_pwrite(fd, bytes, length, offset);
  leave(inside);
  return n;
}

int fsync(int fd) {
  const int inside = enter_file("fsync", fd), code = real_fsync(fd);
  leave(inside);
  return code;
}

int fdatasync(int fd) {
  const int inside = enter_file("fdatasync", fd), code = real_fdatasync(fd);
  leave(inside);
  return code;
}

int ftruncate(int fd, off_t length) {
  const int inside = enter_file("ftruncate", fd), code = real_ftruncate(fd, length);
  leave(inside);
  return code;
}

/* What SQLite was compiled to call; an off_t is 64 bits wide here. */
_Static_assert(sizeof(off_t) == 8, "off_t and off64_t are one");
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return pwrite(fd, bytes, length, offset); }
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

int rename(const char *from, const char *to) {
  char full[PAGE - 64]; /* paths are as they were given: perhaps from the current folder */
  snprintf(full, sizeof full, "/%.4000s", to);
  const int inside = enter("rename", full), code = real_rename(from, to);
  leave(inside);
  return code;
}
