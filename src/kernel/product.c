/* kernel/product.c: matrix products with a packed factor (packed.h) and without (gemm.h), how they are divided
 * into parts, and each thread's scratch memory. */
#include <pthread.h>
#include <stdlib.h>

#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "kernel/packed.h"
#include "kernel/threads.h"

/* A thread gets its scratch memory at its first product and gives it back when it ends. It belongs to the
 * process, like the code: base/alloc.h does not count it. */
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static bool scratch_key_made;
static _Thread_local void *scratch_of_thread;

static void make_scratch_key(void) { scratch_key_made = pthread_key_create(&scratch_key, free) == 0; }

/* The library may be unloaded before its threads end: then nothing of it may be called any more. By the priority,
 * after the pool's workers have ended and given back theirs (threads.c). */
static __attribute__((destructor(200))) void drop_scratch_key(void) {
  if (scratch_key_made) pthread_key_delete(scratch_key);
  scratch_key_made = false;
  free(scratch_of_thread);
  scratch_of_thread = NULL;
}

static void *scratch(void) {
  if (scratch_of_thread) return scratch_of_thread;
  pthread_once(&scratch_once, make_scratch_key);
  void *memory = scratch_key_made ? aligned_alloc(64, RNL_PRODUCT_SCRATCH) : NULL;
  if (memory && pthread_setspecific(scratch_key, memory) != 0) {
    free(memory);
    memory = NULL;
  }
  return scratch_of_thread = memory;
}

/* Without memory for blocks the stack serves: half a megabyte of it, once. */
static __attribute__((noinline)) void run_on_stack(rnl_product *product, bool f64) {
  _Alignas(64) char memory[RNL_PRODUCT_SCRATCH];
  product->scratch = memory;
  rnl_kernels_of(f64)->product(product);
}

static void run(rnl_product *product, bool f64) {
  product->scratch = scratch();
  if (product->scratch) rnl_kernels_of(f64)->product(product);
  else run_on_stack(product, f64);
}

static const void *offset(bool f64, const void *base, int64_t elements) {
  return (const char *)base + elements * (int64_t)(f64 ? sizeof(double) : sizeof(float));
}

/* Narrow `product` to part `index`: of the columns in whole panels where there are enough of them, else, and of a
 * sparse factor, of the rows. */
static void take_part(rnl_product *product, bool f64, int index, int count) {
  if (count <= 1) return;
  const int64_t panel = rnl_kernels_of(f64)->packed_width;
  int64_t from, to;
  if (!product->sparse && product->n >= product->m && product->n >= 2 * count * panel) {
    rnl_share(product->n, panel, index, count, &from, &to);
    product->n = to - from;
    const int64_t b_step = product->packed ? product->k : product->trans_b ? product->ldb : 1;
    product->b = offset(f64, product->b, from * b_step);
    if (product->bias) product->bias = offset(f64, product->bias, from);
    product->c = (void *)(uintptr_t)offset(f64, product->c, from);
  } else {
    rnl_share(product->m, 1, index, count, &from, &to);
    product->m = to - from;
    product->a = offset(f64, product->a, from * (product->trans_a ? 1 : product->lda));
    product->c = (void *)(uintptr_t)offset(f64, product->c, from * product->ldc);
  }
}

void rnl_gemm_part(int index, int count, bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                   const void *a, int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc) {
  rnl_product product = {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc,
                         .trans_a = trans_a, .trans_b = trans_b, .add = beta != 0, .c = c};
  take_part(&product, f64, index, count);
  run(&product, f64);
}

void rnl_gemm(bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void *a,
              int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc) {
  rnl_gemm_part(0, 1, f64, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

typedef struct gemm_call {
  bool f64;
  rnl_product product;
} gemm_call;

static void gemm_call_part(void *context, int index, int count) {
  const gemm_call *g = context;
  rnl_product product = g->product;
  take_part(&product, g->f64, index, count);
  run(&product, g->f64);
}

void rnl_gemm_threads(int threads, bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
                      const void *a, int64_t lda, const void *b, int64_t ldb, double beta, const void *bias, void *c,
                      int64_t ldc) {
  gemm_call call = {f64, {.m = m, .n = n, .k = k, .a = a, .b = b, .lda = lda, .ldb = ldb, .ldc = ldc,
                          .trans_a = trans_a, .trans_b = trans_b, .add = beta != 0, .bias = beta != 0 ? NULL : bias,
                          .c = c}};
  rnl_threads_run(threads, gemm_call_part, &call);
}

typedef struct sum_call {
  bool f64, add;
  int64_t rows, n, ldx;
  const void *x;
  void *sums;
} sum_call;

static void sum_rows_part(void *context, int index, int count) {
  const sum_call *s = context;
  int64_t from, to;
  rnl_share(s->n, RNL_KERNEL_LANES, index, count, &from, &to);
  rnl_kernels_of(s->f64)->sum_rows(s->rows, to - from, offset(s->f64, s->x, from), s->ldx,
                                   (void *)(uintptr_t)offset(s->f64, s->sums, from), s->add);
}

void rnl_sum_rows(int threads, bool f64, int64_t rows, int64_t n, const void *x, int64_t ldx, void *sums, bool add) {
  sum_call call = {f64, add, rows, n, ldx, x, sums};
  rnl_threads_run(threads, sum_rows_part, &call);
}

int64_t rnl_packed_width(bool f64) { return rnl_kernels_of(f64)->packed_width; }

int64_t rnl_packed_size(bool f64, int64_t k, int64_t n) {
  const int64_t width = rnl_packed_width(f64);
  return (n + width - 1) / width * width * k;
}

const void *rnl_packed_columns(bool f64, const void *packed, int64_t k, int64_t column) {
  return offset(f64, packed, column * k);
}

void rnl_pack_part(bool f64, int index, int count, bool trans, int64_t k, int64_t n, const void *b,
                   int64_t ldb, void *packed) {
  int64_t from, to;
  rnl_share(n, rnl_packed_width(f64), index, count, &from, &to);
  rnl_kernels_of(f64)->pack(trans, k, to - from, offset(f64, b, trans ? from * ldb : from), ldb,
                            (void *)(uintptr_t)offset(f64, packed, from * k));
}

void rnl_pack(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed) {
  rnl_kernels_of(f64)->pack(trans, k, n, b, ldb, packed);
}

static rnl_product packed_product(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *packed,
                                  bool add, const void *bias, void *c, int64_t ldc) {
  return (rnl_product){.m = m, .n = n, .k = k, .a = a, .b = packed, .lda = lda, .ldc = ldc,
                       .packed = true, .add = add, .bias = add ? NULL : bias, .c = c};
}

void rnl_packed_gemm_part(bool f64, int index, int count, int64_t m, int64_t n, int64_t k, const void *a,
                          int64_t lda, const void *packed, bool add, const void *bias, void *c,
                          int64_t ldc) {
  rnl_product product = packed_product(m, n, k, a, lda, packed, add, bias, c, ldc);
  take_part(&product, f64, index, count);
  run(&product, f64);
}

void rnl_packed_gemm_fetch(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                           const void *packed, bool add, const void *bias, void *c, int64_t ldc,
                           const rnl_fetch *fetch) {
  rnl_product product = packed_product(m, n, k, a, lda, packed, add, bias, c, ldc);
  product.fetch = fetch;
  run(&product, f64);
}

void rnl_packed_gemm(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                     const void *packed, bool add, const void *bias, void *c, int64_t ldc) {
  rnl_packed_gemm_fetch(f64, m, n, k, a, lda, packed, add, bias, c, ldc, NULL);
}

bool rnl_sparse_pays(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb) {
  return rnl_kernels_of(f64)->sparse_pays(trans, k, n, b, ldb);
}

void rnl_sparse_pack(bool f64, bool trans, int64_t k, int64_t n, const void *b, int64_t ldb, void *packed) {
  rnl_kernels_of(f64)->sparse_pack(trans, k, n, b, ldb, packed);
}

void rnl_sparse_gemm_part(bool f64, int index, int count, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
                          const void *packed, bool add, const void *bias, void *c, int64_t ldc) {
  rnl_product product = packed_product(m, n, k, a, lda, packed, add, bias, c, ldc);
  product.sparse = true;
  take_part(&product, f64, index, count);
  run(&product, f64);
}

void rnl_sparse_gemm(bool f64, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *packed,
                     bool add, const void *bias, void *c, int64_t ldc) {
  rnl_sparse_gemm_part(f64, 0, 1, m, n, k, a, lda, packed, add, bias, c, ldc);
}
