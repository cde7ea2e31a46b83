/* app/frame.h owns a table of rows for other programs, and how it is written: CSV, JSON, npz. */
#ifndef RNL_APP_FRAME_H
#define RNL_APP_FRAME_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct rnl_frame rnl_frame;

typedef enum rnl_frame_format { RNL_FRAME_CSV, RNL_FRAME_JSON, RNL_FRAME_NPZ } rnl_frame_format;

rnl_frame *rnl_frame_new(void); /* NULL: out of memory */
void rnl_frame_free(rnl_frame *frame); /* NULL is fine */

/* Name a column: they stand in the order they were first named or filled. False: out of memory. */
bool rnl_frame_name(rnl_frame *frame, const char *name);
/* Add a row, {column: scalar}; the reference is shared. */
bool rnl_frame_add(rnl_frame *frame, json_t *row);

size_t rnl_frame_rows(const rnl_frame *frame);
size_t rnl_frame_columns(const rnl_frame *frame);
json_t *rnl_frame_names(const rnl_frame *frame); /* an array; new reference */

/* Append as CSV (RFC 4180, one header line) or JSON (an array of flat objects, each with all columns). */
rnl_status rnl_frame_write(const rnl_frame *frame, rnl_frame_format format, rnl_buffer *out, rnl_error *err);
/* Write a file, durably and atomically. */
rnl_status rnl_frame_write_file(const rnl_frame *frame, rnl_frame_format format, const char *path, rnl_error *err);

#endif
