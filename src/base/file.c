/* base/file.c: reading, atomic replacing, checked appending, SHA-256. Folders and paths: path.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { READ_CHUNK = 65536, TEMPORARY_TRIES = 1000 };

static rnl_status io_error(rnl_error *err, const char *path, const char *what) {
  int reason = errno;
  rnl_status status = reason == ENOENT ? RNL_ERR_NOT_FOUND : RNL_ERR_IO;
  return rnl_fail(err, status, "%s: cannot %s: %s", path, what, strerror(reason));
}

static int open_retrying(const char *path, int flags, mode_t mode) {
  int fd;
  do fd = open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/* All bytes, or false with errno set. */
static bool write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) return false;
    bytes += n;
    length -= (size_t)n;
  }
  return true;
}

/* Some file systems cannot sync a folder or a special file and say EINVAL: nothing to be done there. */
static bool sync_descriptor(int fd, bool data_only) {
  int result;
  (void)data_only;
#ifdef __linux__
  if (data_only) {
    do result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == ENOTSUP;
  }
#endif
  do result = fsync(fd);
  while (result < 0 && errno == EINTR);
  return result == 0 || errno == EINVAL || errno == ENOTSUP;
}

rnl_status rnl_file_read(const char *path, size_t cap, rnl_buffer *out, rnl_error *err) {
  int fd = open_retrying(path, O_RDONLY, 0);
  if (fd < 0) return io_error(err, path, "open");
  struct stat info;
  rnl_status status = RNL_OK;
  size_t start = out->length;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
    if ((uint64_t)info.st_size > cap) {
      status = rnl_fail(err, RNL_ERR_FORMAT, "%s: has %lld bytes; at most %zu are accepted", path,
                        (long long)info.st_size, cap);
    } else {
      rnl_buffer_reserve(out, (size_t)info.st_size + 1);
    }
  }
  while (status == RNL_OK) {
    size_t room = out->capacity > out->length + 1 ? out->capacity - out->length - 1 : 0;
    if (room == 0) {
      if (!rnl_buffer_reserve(out, READ_CHUNK)) {
        status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", path);
        break;
      }
      room = out->capacity - out->length - 1;
    }
    ssize_t n = read(fd, out->data + out->length, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = io_error(err, path, "read");
    if (n <= 0) break;
    out->length += (size_t)n;
    if (out->length - start > cap)
      status = rnl_fail(err, RNL_ERR_FORMAT, "%s: has more than the %zu bytes accepted", path, cap);
  }
  close(fd);
  if (status != RNL_OK) out->length = start;
  if (out->data) out->data[out->length] = '\0';
  return status;
}

rnl_status rnl_file_write(const char *path, const void *bytes, size_t length, rnl_durability how,
                          rnl_error *err) {
  char *folder = rnl_path_folder(path);
  rnl_buffer name = { 0 };
  int fd = -1;
  rnl_status status = RNL_OK;
  for (int i = 0; fd < 0 && i < TEMPORARY_TRIES; i++) {
    rnl_buffer_clear(&name);
    rnl_buffer_printf(&name, "%s.tmp-%ld-%d", path, (long)getpid(), i);
    if (!folder || name.failed) {
      status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while writing", path);
      goto done;
    }
    fd = open_retrying(name.data, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) {
    status = io_error(err, path, "write");
    goto done;
  }
  bool good = write_all(fd, bytes, length);
  if (good && how == RNL_DURABLE) good = sync_descriptor(fd, false);
  int reason = errno;
  if (close(fd) < 0 && good) { /* a network file system tells of a full disk here */
    good = false;
    reason = errno;
  }
  if (good && rename(name.data, path) < 0) {
    good = false;
    reason = errno;
  }
  if (!good) {
    unlink(name.data);
    errno = reason;
    status = io_error(err, path, "write");
    goto done;
  }
  if (how == RNL_DURABLE) status = rnl_folder_sync(folder, err);
done:
  rnl_buffer_free(&name);
  rnl_free(folder);
  return status;
}

rnl_status rnl_folder_sync(const char *path, rnl_error *err) {
  int fd = open_retrying(path, O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return io_error(err, path, "open");
  bool good = sync_descriptor(fd, false);
  rnl_status status = good ? RNL_OK : io_error(err, path, "sync");
  close(fd);
  return status;
}

/* ---- growing files -------------------------------------------------------------------------- */

rnl_status rnl_append_open(rnl_append *file, const char *path, rnl_error *err) {
  *file = (rnl_append){ .fd = -1 };
  char *copy = rnl_strdup(path);
  if (!copy) return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", path);
  int fd = open_retrying(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0) {
    rnl_status status = io_error(err, path, "open for appending");
    if (fd >= 0) close(fd);
    rnl_free(copy);
    return status;
  }
  *file = (rnl_append){ .path = copy, .fd = fd, .size = info.st_size };
  return RNL_OK;
}

rnl_status rnl_append_write(rnl_append *file, const void *bytes, size_t length, rnl_error *err) {
  if (!file->path) return rnl_fail(err, RNL_ERR_ARG, "append: the file is closed");
  if (write_all(file->fd, bytes, length)) {
    file->size += (int64_t)length;
    return RNL_OK;
  }
  rnl_status status = io_error(err, file->path, "write");
  /* Best effort: where even this fails the torn tail stays, and readers drop it. */
  if (ftruncate(file->fd, file->size) < 0) return status;
  return status;
}

rnl_status rnl_append_sync(rnl_append *file, rnl_error *err) {
  if (!file->path) return rnl_fail(err, RNL_ERR_ARG, "append: the file is closed");
  return sync_descriptor(file->fd, true) ? RNL_OK : io_error(err, file->path, "write");
}

rnl_status rnl_append_close(rnl_append *file, rnl_error *err) {
  if (!file->path) return RNL_OK;
  rnl_status status = close(file->fd) == 0 || errno == EINTR ? RNL_OK
                                                             : io_error(err, file->path, "write");
  rnl_free(file->path);
  *file = (rnl_append){ .fd = -1 };
  return status;
}

/* ---- SHA-256 -------------------------------------------------------------------------------- */

void rnl_sha256_bytes(char out[RNL_SHA256_TEXT], const void *bytes, size_t length) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, bytes, length);
  SHA256End(&context, out);
}

rnl_status rnl_sha256_file(char out[RNL_SHA256_TEXT], const char *path, rnl_error *err) {
  int fd = open_retrying(path, O_RDONLY, 0);
  if (fd < 0) return io_error(err, path, "open");
  char *chunk = rnl_alloc(READ_CHUNK, 1);
  SHA2_CTX context;
  SHA256Init(&context);
  rnl_status status =
      chunk ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", path);
  while (status == RNL_OK) {
    ssize_t n = read(fd, chunk, READ_CHUNK);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) status = io_error(err, path, "read");
    if (n <= 0) break;
    SHA256Update(&context, (const uint8_t *)chunk, (size_t)n);
  }
  SHA256End(&context, out);
  rnl_free(chunk);
  close(fd);
  return status;
}
