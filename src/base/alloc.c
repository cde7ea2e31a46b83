/* base/alloc.c: aligned, checked, countable allocation. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_llong live_blocks;
static atomic_llong fail_countdown; /* 0: off; n > 0: the n-th next fails; -1: all fail */

static bool allocation_should_fail(void) {
  long long n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
  if (n == 0) return false;
  if (n < 0) return true;
  atomic_store(&fail_countdown, n == 1 ? -1 : n - 1);
  return n == 1;
}

/* Large blocks lie in large pages where the system gives them to who asks: a matrix product walks over rows that are
 * pages apart, and with small ones would wait for their addresses. */
static void *new_block(size_t bytes) {
  enum { LARGE_PAGE = 2 << 20 };
  if (bytes < 2 * (size_t)LARGE_PAGE) return aligned_alloc(RNL_ALIGN, bytes);
  void *block = NULL;
  if (posix_memalign(&block, LARGE_PAGE, bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
  madvise(block, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* the rest of the last page is not ours */
#endif
  return block;
}

void *rnl_alloc(size_t count, size_t size) {
  size_t bytes, padded;
  if (!rnl_mul_size(count, size, &bytes) || !rnl_add_size(bytes, RNL_ALIGN, &padded)) return NULL;
  if (bytes > PTRDIFF_MAX - RNL_ALIGN || allocation_should_fail()) return NULL;
  padded = (bytes + RNL_ALIGN - 1) / RNL_ALIGN * RNL_ALIGN;
  if (padded == 0) padded = RNL_ALIGN;
  void *block = new_block(padded);
  if (!block) return NULL;
  memset(block, 0, padded);
  atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
  return block;
}

void *rnl_realloc(void *block, size_t old_count, size_t count, size_t size) {
  void *grown = rnl_alloc(count, size);
  if (!grown) return NULL;
  if (block) memcpy(grown, block, (old_count < count ? old_count : count) * size);
  rnl_free(block);
  return grown;
}

char *rnl_strdup(const char *text) {
  size_t n = strlen(text) + 1;
  char *copy = rnl_alloc(n, 1);
  if (copy) memcpy(copy, text, n);
  return copy;
}

void rnl_free(void *block) {
  if (!block) return;
  atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
  free(block);
}

void rnl_alloc_fail_after(int64_t n) { atomic_store(&fail_countdown, n); }

int64_t rnl_alloc_live(void) { return atomic_load(&live_blocks); }
