/* base/alloc.h owns every allocation of the core: sizes are multiplied with a
 * check, memory comes 64-byte aligned (a cache line, an AVX-512 register), and
 * tests can make the n-th allocation fail. */
#ifndef RNL_BASE_ALLOC_H
#define RNL_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RNL_ALIGN = 64 };

/* out = a * b; false where the product does not fit. */
static inline bool rnl_mul_size(size_t a, size_t b, size_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}

static inline bool rnl_add_size(size_t a, size_t b, size_t *out) {
  return !__builtin_add_overflow(a, b, out);
}

static inline bool rnl_mul_i64(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}

/* count * size zeroed bytes, 64-byte aligned; NULL where that overflows or memory is out.
 * A request of 0 bytes gives a valid pointer. Release with rnl_free. */
void *rnl_alloc(size_t count, size_t size);

/* rows * columns zeroed doubles, likewise; not for negative sizes. */
static inline double *rnl_alloc_doubles(int64_t rows, int64_t columns) {
  int64_t count;
  return rnl_mul_i64(rows, columns, &count) ? (double *)rnl_alloc((size_t)count, sizeof(double)) : NULL;
}

/* Grow (or shrink) a block from rnl_alloc to count * size bytes, old_count * size of which are
 * kept; new bytes are zero. NULL on failure, the old block then stays valid. */
void *rnl_realloc(void *block, size_t old_count, size_t count, size_t size);

/* A copy of the string, or NULL. */
char *rnl_strdup(const char *text);

void rnl_free(void *block);

/* Tests only: the n-th allocation from now (1 = the next) and all after it fail; 0 turns it off. */
void rnl_alloc_fail_after(int64_t n);

/* Blocks allocated and not yet freed: 0 at the end of a test that leaks nothing. */
int64_t rnl_alloc_live(void);

#endif
