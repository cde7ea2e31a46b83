/* base/file.h owns files and folders: reading whole, replacing atomically, appending with every
 * byte checked, paths, SHA-256.
 *
 * fprintf to a full disk succeeds, so nothing here goes through stdio: write(2) is called until all
 * bytes are taken, EINTR is retried, and a failure names the path and errno's reason
 * ("results/a-1/metrics.csv: cannot write: No space left on device"). Descriptors are close-on-exec. */
#ifndef RNL_BASE_FILE_H
#define RNL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Append the whole file to `out`. ERR_FORMAT where it is larger than `cap` bytes (checked against its
 * size before anything is allocated, and again while reading), ERR_NOT_FOUND where there is none. */
rnl_status rnl_file_read(const char *path, size_t cap, rnl_buffer *out, rnl_error *err);

/* How sure a written file must be before the call returns. */
typedef enum rnl_durability {
  RNL_QUICK,  /* atomic for other processes; a power cut may lose it. For what can be made again. */
  RNL_DURABLE /* fsync of the file, rename, fsync of the folder */
} rnl_durability;

/* Replace `path` atomically: a temporary file in the same folder, then rename. A reader sees the old
 * bytes or the new, never a part; on failure the old file stays and the temporary one is removed. */
rnl_status rnl_file_write(const char *path, const void *bytes, size_t length, rnl_durability how,
                          rnl_error *err);

/* fsync of a folder: makes the names in it durable. */
rnl_status rnl_folder_sync(const char *path, rnl_error *err);

/* ---- growing files -------------------------------------------------------------------------- */

typedef struct rnl_append { /* all zeros is a closed handle */
  char *path;               /* NULL: closed */
  int fd;
  int64_t size; /* bytes known to be written whole */
} rnl_append;

/* Open for appending, made if missing. */
rnl_status rnl_append_open(rnl_append *file, const char *path, rnl_error *err);
/* All bytes or an error; after an error the file is cut back to what was whole before (where that
 * works), so that a full disk leaves no torn row. */
rnl_status rnl_append_write(rnl_append *file, const void *bytes, size_t length, rnl_error *err);
rnl_status rnl_append_sync(rnl_append *file, rnl_error *err); /* fdatasync */
rnl_status rnl_append_close(rnl_append *file, rnl_error *err); /* idempotent; close's error is told */

/* ---- folders and paths ---------------------------------------------------------------------- */

/* Make the folder and its parents; fine where it exists. */
rnl_status rnl_folder_make(const char *path, rnl_error *err);
/* Make one folder that must be new: *made is false, and RNL_OK returned, where the name is taken. */
rnl_status rnl_folder_claim(const char *path, bool *made, rnl_error *err);

/* Remove a folder (or file) with all in it; links are removed, never followed. What is gone already is fine. The first
 * is the entry `name` of an open folder, false with errno set where something stays. */
bool rnl_folder_remove_at(int folder, const char *name);
rnl_status rnl_folder_remove(const char *path, rnl_error *err);
/* A new empty folder under TMPDIR (else /tmp); *path is the caller's to rnl_free. */
rnl_status rnl_folder_temporary(char **path, rnl_error *err);

bool rnl_path_exists(const char *path);
bool rnl_path_is_folder(const char *path);
/* May this process write there? For a folder: make files in it. A missing path asks of its nearest
 * existing parent, as rnl_folder_make would. */
bool rnl_path_is_writable(const char *path);

/* "a/b" (just b where b is absolute or a is "" or NULL). rnl_free it; NULL where memory is out. */
char *rnl_path_join(const char *a, const char *b);
char *rnl_path_folder(const char *path);      /* "a/b.lua" -> "a", "b.lua" -> "."; rnl_free */
const char *rnl_path_base(const char *path);  /* "a/b.lua" -> "b.lua", points into path */

/* ---- SHA-256, as 64 lower-case hexadecimal digits --------------------------------------------- */

enum { RNL_SHA256_TEXT = 65 };
void rnl_sha256_bytes(char out[RNL_SHA256_TEXT], const void *bytes, size_t length);
rnl_status rnl_sha256_file(char out[RNL_SHA256_TEXT], const char *path, rnl_error *err);

#endif
