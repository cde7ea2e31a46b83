/* format/npz.c: several npy arrays in a zip, through libzip and in memory, so that the file on disk is
 * written by base/file.h's rules and not by libzip's. */
#include <string.h>
#include <zip.h>

#include "base/alloc.h"
#include "base/file.h"
#include "format/npy.h"
#include "format/private.h"

enum { DOS_DATE = 0x0021 /* 1980-01-01, the first a zip can hold */, MAX_ENTRY_NAME = 4096,
       EMPTY_ARCHIVE = 22 /* bytes: the end record alone */ };

/* deflate's best is 1032 : 1; an entry that claims more is made up. */
enum { MAX_RATIO = 1040 };

static rnl_status zip_failure(rnl_error *err, const char *path, zip_error_t *error) {
  rnl_status status = zip_error_code_zip(error) == ZIP_ER_MEMORY ? RNL_ERR_MEMORY : RNL_ERR_FORMAT;
  rnl_fail(err, status, "%s: %s", path, zip_error_strerror(error));
  zip_error_fini(error);
  return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool name_is_plain(const char *name) {
  if (!name[0] || strlen(name) > 255) return false;
  for (const unsigned char *p = (const unsigned char *)name; *p; p++)
    if (*p < 0x20 || *p == 0x7f || *p == '/' || *p == '\\') return false;
  return true;
}

/* The next code point of UTF-8 text, U+FFFD for what is none; *text moves behind it. */
static uint32_t next_point(const char **text) {
  const unsigned char *p = (const unsigned char *)*text;
  int more = p[0] < 0x80 ? 0 : p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : p[0] >= 0xC2 ? 1 : -1;
  uint32_t point = more == 0 ? p[0] : more < 0 ? 0xFFFD : p[0] & (0x3Fu >> more);
  int used = 1;
  for (; used <= more; used++) {
    if ((p[used] & 0xC0) != 0x80) {
      point = 0xFFFD;
      break;
    }
    point = point << 6 | (p[used] & 0x3Fu);
  }
  *text += used;
  return point;
}

/* Format version 1.0: magic, header padded to 64 bytes, then count * width code points of four bytes. */
static void encode_texts(rnl_buffer *out, const rnl_npz_text *texts) {
  size_t width = 1;
  for (int64_t i = 0; i < texts->count; i++) {
    size_t n = 0;
    for (const char *p = texts->items[i]; *p; n++) next_point(&p);
    if (n > width) width = n;
  }
  rnl_buffer header = { 0 };
  rnl_buffer_printf(&header, "{'descr': '<U%zu', 'fortran_order': False, 'shape': (%lld,), }", width,
                    (long long)texts->count);
  while ((10 + header.length + 1) % 64 != 0 && !header.failed) rnl_buffer_char(&header, ' ');
  rnl_buffer_char(&header, '\n');
  unsigned char size[2] = { (unsigned char)(header.length & 0xFF), (unsigned char)(header.length >> 8) };
  rnl_buffer_append(out, "\x93NUMPY\x01\x00", 8);
  rnl_buffer_append(out, size, 2);
  rnl_buffer_append(out, rnl_buffer_string(&header), header.length);
  if (header.failed) out->failed = true;
  rnl_buffer_free(&header);
  for (int64_t i = 0; i < texts->count; i++) {
    const char *p = texts->items[i];
    for (size_t k = 0; k < width; k++) {
      uint32_t point = *p ? next_point(&p) : 0;
      unsigned char bytes[4] = { (unsigned char)point, (unsigned char)(point >> 8), (unsigned char)(point >> 16), 0 };
      rnl_buffer_append(out, bytes, 4);
    }
  }
}

/* The encoded arrays must live until the archive is closed: libzip reads them then. */
static rnl_status add_entry(zip_t *archive, const char *array, rnl_buffer *bytes, const char *path, rnl_error *err) {
  if (!name_is_plain(array))
    return rnl_fail(err, RNL_ERR_ARG, "%s: \"%.80s\" cannot name an array in an npz file", path, array);
  RNL_TRY(rnl_buffer_check(bytes, path, err));
  rnl_buffer name = { 0 };
  rnl_buffer_printf(&name, "%s.npy", array);
  zip_source_t *source =
      name.failed ? NULL : zip_source_buffer(archive, bytes->data, bytes->length, 0);
  zip_int64_t at = source ? zip_file_add(archive, name.data, source, ZIP_FL_ENC_UTF_8) : -1;
  rnl_buffer_free(&name);
  if (at < 0) {
    if (source) zip_source_free(source);
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: cannot add \"%.80s\": %s", path, array, zip_strerror(archive));
  }
  if (zip_set_file_compression(archive, (zip_uint64_t)at, ZIP_CM_STORE, 0) < 0 ||
      zip_file_set_dostime(archive, (zip_uint64_t)at, 0, DOS_DATE, 0) < 0)
    return rnl_fail(err, RNL_ERR_INTERNAL, "%s: %s", path, zip_strerror(archive));
  return RNL_OK;
}

static rnl_status copy_source(rnl_buffer *out, zip_source_t *source, const char *path, rnl_error *err) {
  zip_stat_t info;
  if (zip_source_stat(source, &info) < 0 || !(info.valid & ZIP_STAT_SIZE) || zip_source_open(source) < 0)
    return rnl_fail(err, RNL_ERR_INTERNAL, "%s: the archive made in memory cannot be read", path);
  zip_int64_t n = -1;
  if (rnl_buffer_reserve(out, info.size)) n = zip_source_read(source, out->data, info.size);
  zip_source_close(source);
  if (n < 0 || (zip_uint64_t)n != info.size)
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while writing", path);
  out->length = info.size;
  return RNL_OK;
}

rnl_status rnl_npz_write(const char *path, const rnl_tensors *list, rnl_error *err) {
  return rnl_npz_write_with(path, list, 0, NULL, err);
}

static rnl_status add_entries(zip_t *archive, const rnl_tensors *list, int64_t text_count, const rnl_npz_text *texts,
                              rnl_buffer *arrays, const char *path, rnl_error *err) {
  for (int64_t i = 0; i < list->count; i++) {
    RNL_TRY(rnl_npy_encode(&arrays[i], &list->items[i].tensor, err));
    RNL_TRY(add_entry(archive, list->items[i].name, &arrays[i], path, err));
  }
  for (int64_t i = 0; i < text_count; i++) {
    encode_texts(&arrays[list->count + i], &texts[i]);
    RNL_TRY(add_entry(archive, texts[i].name, &arrays[list->count + i], path, err));
  }
  return RNL_OK;
}

rnl_status rnl_npz_write_with(const char *path, const rnl_tensors *list, int64_t text_count, const rnl_npz_text *texts,
                              rnl_error *err) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
  if (!target) return zip_failure(err, path, &error);
  zip_source_keep(target); /* closing the archive gives its own reference away */
  zip_t *archive = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error);
  if (!archive) {
    zip_source_free(target);
    zip_source_free(target);
    return zip_failure(err, path, &error);
  }
  int64_t entries = list->count + text_count;
  rnl_buffer *arrays = rnl_alloc((size_t)entries, sizeof *arrays), bytes = { 0 };
  rnl_status status = arrays ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", path);
  if (status == RNL_OK) status = add_entries(archive, list, text_count, texts, arrays, path, err);
  if (status == RNL_OK && entries == 0) {
    /* libzip writes no archive without entries; this is the empty one (an end record alone). */
    zip_discard(archive);
    rnl_buffer_append(&bytes, "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", EMPTY_ARCHIVE);
    status = rnl_buffer_check(&bytes, path, err);
  } else if (status == RNL_OK && zip_close(archive) == 0) {
    status = copy_source(&bytes, target, path, err);
  } else {
    if (status == RNL_OK) status = rnl_fail(err, RNL_ERR_INTERNAL, "%s: %s", path, zip_strerror(archive));
    zip_discard(archive);
  }
  if (status == RNL_OK) status = rnl_file_write(path, bytes.data, bytes.length, RNL_DURABLE, err);
  zip_source_free(target);
  for (int64_t i = 0; arrays && i < entries; i++) rnl_buffer_free(&arrays[i]);
  rnl_free(arrays);
  rnl_buffer_free(&bytes);
  zip_error_fini(&error);
  return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The entry's bytes; its claimed size is believed only as far as the packed bytes can bear it. */
static rnl_status read_entry(rnl_buffer *out, zip_t *archive, zip_uint64_t at, const zip_stat_t *info,
                             size_t file_bytes, const char *what, rnl_error *err) {
  if (!(info->valid & ZIP_STAT_SIZE) || !(info->valid & ZIP_STAT_COMP_SIZE) ||
      info->comp_size > file_bytes || info->size / MAX_RATIO > info->comp_size ||
      info->size > RNL_MAX_FILE_BYTES)
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: its claimed size cannot be true", what);
  if (!rnl_buffer_reserve(out, info->size))
    return rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory while reading", what);
  zip_file_t *file = zip_fopen_index(archive, at, 0);
  if (!file) return rnl_fail(err, RNL_ERR_FORMAT, "%s: %s", what, zip_strerror(archive));
  zip_int64_t n = 0;
  char end;
  while (out->length < info->size &&
         (n = zip_fread(file, out->data + out->length, info->size - out->length)) > 0)
    out->length += (size_t)n;
  /* One more read reaches the end, where libzip compares the checksum. */
  bool good = n >= 0 && out->length == info->size && zip_fread(file, &end, 1) == 0;
  zip_fclose(file);
  if (good) return RNL_OK;
  return rnl_fail(err, RNL_ERR_FORMAT, "%s: is damaged (its bytes do not fit its size or checksum)", what);
}

static rnl_status read_array(rnl_tensors *list, zip_t *archive, zip_uint64_t at, size_t file_bytes,
                             const char *path, rnl_error *err) {
  zip_stat_t info;
  if (zip_stat_index(archive, at, 0, &info) < 0 || !(info.valid & ZIP_STAT_NAME))
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: entry %d: %s", path, (int)at, zip_strerror(archive));
  size_t n = strlen(info.name);
  if (n <= 4 || n > MAX_ENTRY_NAME || strcmp(info.name + n - 4, ".npy") != 0) return RNL_OK;
  rnl_buffer what = { 0 }, name = { 0 }, bytes = { 0 };
  rnl_buffer_append(&name, info.name, n - 4);
  rnl_buffer_printf(&what, "%s(%.80s)", path, rnl_buffer_string(&name));
  rnl_tensor tensor = { 0 };
  rnl_status status = rnl_buffer_check(name.failed ? &name : &what, path, err);
  if (status == RNL_OK) status = read_entry(&bytes, archive, at, &info, file_bytes, what.data, err);
  if (status == RNL_OK)
    status = rnl_npy_decode(&tensor, rnl_buffer_string(&bytes), bytes.length, what.data, err);
  if (status == RNL_OK && rnl_tensors_find(list, name.data))
    status = rnl_fail(err, RNL_ERR_FORMAT, "%s: is there twice", what.data);
  if (status == RNL_OK) status = rnl_tensors_append(list, name.data, &tensor, err);
  rnl_tensor_release(&tensor);
  rnl_buffer_free(&what);
  rnl_buffer_free(&name);
  rnl_buffer_free(&bytes);
  return status;
}

rnl_status rnl_npz_read(rnl_tensors *list, const char *path, rnl_error *err) {
  rnl_buffer bytes = { 0 };
  RNL_TRY(rnl_file_read(path, RNL_MAX_FILE_BYTES, &bytes, err));
  if (bytes.length < EMPTY_ARCHIVE) { /* libzip takes a file of no bytes for an archive of no entries */
    rnl_buffer_free(&bytes);
    return rnl_fail(err, RNL_ERR_FORMAT, "%s: is no npz file", path);
  }
  zip_error_t error;
  zip_error_init(&error);
  rnl_status status = RNL_OK;
  zip_source_t *source = zip_source_buffer_create(rnl_buffer_string(&bytes), bytes.length, 0, &error);
  zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
  if (!archive) {
    if (source) zip_source_free(source);
    status = zip_failure(err, path, &error);
  } else {
    zip_int64_t count = zip_get_num_entries(archive, 0);
    if (count > RNL_MAX_TENSORS)
      status = rnl_fail(err, RNL_ERR_FORMAT, "%s: has %lld entries; at most %d are accepted", path,
                        (long long)count, RNL_MAX_TENSORS);
    for (zip_int64_t i = 0; status == RNL_OK && i < count; i++)
      status = read_array(list, archive, (zip_uint64_t)i, bytes.length, path, err);
    zip_discard(archive);
  }
  rnl_buffer_free(&bytes);
  if (status != RNL_OK) rnl_tensors_free(list);
  return status;
}
