/* sweep/journal.c: see journal.h. */
#include "sweep/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"

static const double apart = 1; /* seconds between two syncs */
enum { PIECE = 1 << 16 };

static rnl_status failed(rnl_error *err, const char *path, const char *what) {
  return rnl_fail(err, RNL_ERR_IO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* The last newline of n bytes, or NULL (memrchr is not everywhere). */
static const char *last_newline(const char *bytes, size_t n) {
  while (n > 0)
    if (bytes[--n] == '\n') return bytes + n;
  return NULL;
}

/* How far the file consists of whole lines: back from its end to the last newline. */
static rnl_status whole_length(const char *path, int64_t size, int64_t *whole, rnl_error *err) {
  *whole = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(err, path, "read");
  char piece[4096];
  rnl_status status = RNL_OK;
  for (int64_t end = size; end > 0 && status == RNL_OK;) {
    size_t n = end < (int64_t)sizeof piece ? (size_t)end : sizeof piece;
    ssize_t got = pread(fd, piece, n, end - (int64_t)n);
    if (got < 0 && errno == EINTR) continue;
    if (got != (ssize_t)n) {
      status = failed(err, path, "read");
      break;
    }
    const char *newline = last_newline(piece, n);
    if (newline) {
      *whole = end - (int64_t)n + (newline - piece) + 1;
      break;
    }
    end -= (int64_t)n;
  }
  close(fd);
  return status;
}

rnl_status rnl_journal_open(rnl_journal *journal, const char *path, int64_t *dropped, rnl_error *err) {
  *journal = (rnl_journal){.synced = rnl_time_monotonic()};
  if (dropped) *dropped = 0;
  RNL_TRY(rnl_append_open(&journal->file, path, err));
  int64_t whole = 0, size = journal->file.size;
  rnl_status status = size > 0 ? whole_length(path, size, &whole, err) : RNL_OK;
  if (status == RNL_OK && whole < size) {
    if (ftruncate(journal->file.fd, whole) != 0) status = failed(err, path, "cut off a torn line");
    else journal->file.size = whole;
    if (dropped) *dropped = size - whole;
  }
  if (status != RNL_OK) rnl_append_close(&journal->file, NULL);
  return status;
}

rnl_status rnl_journal_write(rnl_journal *journal, const char *text, size_t length, rnl_error *err) {
  if (length == 0 || text[length - 1] != '\n')
    return rnl_fail(err, RNL_ERR_INTERNAL, "a journal takes whole lines");
  RNL_TRY(rnl_append_write(&journal->file, text, length, err));
  journal->dirty = true;
  return rnl_journal_rest(journal, err);
}

double rnl_journal_due(const rnl_journal *journal) {
  if (!journal->dirty) return -1;
  double left = journal->synced + apart - rnl_time_monotonic();
  return left > 0 ? left : 0;
}

rnl_status rnl_journal_sync(rnl_journal *journal, rnl_error *err) {
  if (!journal->dirty) return RNL_OK;
  RNL_TRY(rnl_append_sync(&journal->file, err));
  journal->dirty = false;
  journal->synced = rnl_time_monotonic();
  return RNL_OK;
}

rnl_status rnl_journal_rest(rnl_journal *journal, rnl_error *err) {
  return rnl_journal_due(journal) == 0 ? rnl_journal_sync(journal, err) : RNL_OK;
}

rnl_status rnl_journal_close(rnl_journal *journal, rnl_error *err) {
  if (!journal->file.path) return RNL_OK;
  rnl_status status = rnl_journal_sync(journal, err), closed = rnl_append_close(&journal->file, status ? NULL : err);
  return status ? status : closed;
}

rnl_status rnl_journal_read(const char *path, int64_t *offset, rnl_buffer *out, rnl_error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? RNL_OK : failed(err, path, "read");
  const size_t before = out->length;
  rnl_status status = RNL_OK;
  for (int64_t at = *offset;;) {
    if (!rnl_buffer_reserve(out, PIECE)) {
      status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", path);
      break;
    }
    ssize_t got = pread(fd, out->data + out->length, PIECE, at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = failed(err, path, "read");
    if (got <= 0) break;
    out->length += (size_t)got;
    at += got;
  }
  close(fd);
  const char *newline = out->length > before ? last_newline(out->data + before, out->length - before) : NULL;
  out->length = newline && status == RNL_OK ? (size_t)(newline - out->data) + 1 : before;
  if (out->data) out->data[out->length] = '\0';
  if (status == RNL_OK) *offset += (int64_t)(out->length - before);
  return status;
}

rnl_status rnl_journal_slots(const char *dir, bool (*each)(void *context, int64_t slot), void *context,
                             rnl_error *err) {
  DIR *folder = opendir(dir);
  if (!folder) return failed(err, dir, "read the folder");
  for (struct dirent *entry; (entry = readdir(folder));) {
    long long slot;
    int used = 0;
    if (sscanf(entry->d_name, "journal-%lld.jsonl%n", &slot, &used) == 1 && used > 0 && !entry->d_name[used] &&
        slot >= 0 && !each(context, slot))
      break;
  }
  closedir(folder);
  return RNL_OK;
}
