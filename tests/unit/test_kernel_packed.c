/* Matrix products, packed, sparse and plain, against a double loop: bit for bit, since each element is one chain of
 * fused multiply-adds (products and sums in the generic ISA). Every array ends where its memory ends: a read or
 * write past it is a crash; C's gaps between rows hold a mark that must survive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "kernel/packed.h"
#include "kernel/threads.h"

static uint32_t seed = 1;
static uint32_t draw(uint32_t below) {
  seed = seed * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)(seed >> 4) * below) >> 28);
}

/* `count` elements that end at a page nobody may touch. */
typedef struct array {
  bool f64;
  int64_t count;
  void *data, *pages;
  size_t bytes;
} array;

static array new_array(bool f64, int64_t count) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = f64 ? sizeof(double) : sizeof(float);
  const size_t used = (size_t)count * size, whole = (used + page - 1) / page * page;
  array a = {.f64 = f64, .count = count, .bytes = whole + page};
  a.pages = mmap(NULL, a.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(a.pages != MAP_FAILED);
  assert_int_equal(mprotect((char *)a.pages + whole, page, PROT_NONE), 0);
  a.data = (char *)a.pages + whole - used;
  return a;
}
static void free_array(array *a) { munmap(a->pages, a->bytes); }

static void set(array *a, int64_t i, double value) {
  if (a->f64) ((double *)a->data)[i] = value;
  else ((float *)a->data)[i] = (float)value;
}
static double get(const array *a, int64_t i) {
  return a->f64 ? ((const double *)a->data)[i] : (double)((const float *)a->data)[i];
}
static void *at(const array *a, int64_t i) {
  return (char *)a->data + i * (int64_t)(a->f64 ? sizeof(double) : sizeof(float));
}

/* Numbers whose products and sums have to be rounded. */
static array random_array(bool f64, int64_t count) {
  array a = new_array(f64, count);
  for (int64_t i = 0; i < count; i++) set(&a, i, ((double)draw(1u << 27) - (1 << 26)) / 12345678.9);
  return a;
}
static array copy_array(const array *from) {
  array a = new_array(from->f64, from->count);
  memcpy(a.data, from->data, (size_t)((char *)at(from, from->count) - (char *)from->data));
  return a;
}
static void assert_same(const array *a, const array *b) {
  assert_int_equal(a->count, b->count);
  for (int64_t i = 0; i < a->count; i++) {
    const double x = get(a, i), y = get(b, i);
    if (memcmp(&x, &y, sizeof x) != 0) fail_msg("element %lld: %.17g, expected %.17g", (long long)i, x, y);
  }
}

typedef struct problem {
  bool f64, trans_a, trans_b, add, biased;
  int64_t m, n, k, lda, ldb, ldc;
  array a, b, bias, c, expected;
} problem;

/* The bytes from the first element to the last: the last row has no gap after it. */
static int64_t extent(int64_t rows, int64_t columns, int64_t ld) {
  return rows && columns ? (rows - 1) * ld + columns : 0;
}

/* The chain of element i, j from c on, as this ISA computes it. */
#define CHAIN(type, name, fused_step)                                                                        \
  static double name(const problem *p, bool fused, int64_t i, int64_t j, double start) {                     \
    const type *a = (const type *)p->a.data + (p->trans_a ? i : i * p->lda),                                 \
               *b = (const type *)p->b.data + (p->trans_b ? j * p->ldb : j);                                 \
    const int64_t a_step = p->trans_a ? p->lda : 1, b_step = p->trans_b ? 1 : p->ldb;                        \
    type c = (type)start;                                                                                    \
    for (int64_t q = 0; q < p->k; q++) {                                                                     \
      const type x = a[q * a_step], y = b[q * b_step];                                                       \
      c = fused ? fused_step(x, y, c) : x * y + c;                                                           \
    }                                                                                                        \
    return c;                                                                                                \
  }
CHAIN(float, chain_f32, fmaf)
CHAIN(double, chain_f64, fma)

static void expect(problem *p) {
  const bool fused = strcmp(rnl_kernel_isa(NULL), "generic") != 0;
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->n; j++) {
      const double start = p->add ? get(&p->c, i * p->ldc + j) : p->biased ? get(&p->bias, j) : 0;
      set(&p->expected, i * p->ldc + j, (p->f64 ? chain_f64 : chain_f32)(p, fused, i, j, start));
    }
}

static problem new_problem(bool f64, bool trans_a, bool trans_b, bool add, bool biased, int64_t m, int64_t n,
                           int64_t k, int64_t gap) {
  problem p = {f64, trans_a, trans_b, add, biased, m, n, k};
  p.lda = (trans_a ? m : k) + gap;
  p.ldb = (trans_b ? k : n) + 2 * gap;
  p.ldc = n + 3 * gap;
  p.a = random_array(f64, trans_a ? extent(k, m, p.lda) : extent(m, k, p.lda));
  p.b = random_array(f64, trans_b ? extent(n, k, p.ldb) : extent(k, n, p.ldb));
  p.bias = random_array(f64, n);
  p.c = random_array(f64, extent(m, n, p.ldc));
  p.expected = copy_array(&p.c);
  expect(&p);
  return p;
}
static void free_problem(problem *p) {
  array *all[] = {&p->a, &p->b, &p->bias, &p->c, &p->expected};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_array(all[i]);
}

static array pack_of(const problem *p) {
  array packed = new_array(p->f64, rnl_packed_size(p->f64, p->k, p->n));
  rnl_pack(p->f64, p->trans_b, p->k, p->n, p->b.data, p->ldb, packed.data);
  return packed;
}

/* rnl_gemm where nothing is biased, and the packed product where A is not transposed. */
static void check(problem *p) {
  if (!p->biased) {
    array c = copy_array(&p->c);
    rnl_gemm(p->f64, p->trans_a, p->trans_b, p->m, p->n, p->k, p->a.data, p->lda, p->b.data, p->ldb, p->add,
             c.data, p->ldc);
    assert_same(&c, &p->expected);
    free_array(&c);
  }
  if (!p->trans_a) {
    array packed = pack_of(p), c = copy_array(&p->c);
    rnl_packed_gemm(p->f64, p->m, p->n, p->k, p->a.data, p->lda, packed.data, p->add,
                    p->biased ? p->bias.data : NULL, c.data, p->ldc);
    assert_same(&c, &p->expected);
    free_array(&c);
    /* What is fetched for others is never read: it may lie nowhere. */
    const rnl_fetch fetch = {.count = 3, .part = {{(const char *)(uintptr_t)64, 100}, {p->a.data, 0}, {NULL, 1 << 20}}};
    c = copy_array(&p->c);
    rnl_packed_gemm_fetch(p->f64, p->m, p->n, p->k, p->a.data, p->lda, packed.data, p->add,
                          p->biased ? p->bias.data : NULL, c.data, p->ldc, &fetch);
    assert_same(&c, &p->expected);
    free_array(&c);
    free_array(&packed);
  }
}

static void check_sizes(bool f64, int64_t m, int64_t n, int64_t k, int64_t gap) {
  for (int way = 0; way < 4; way++) {
    const int start = (int)draw(3);
    problem p = new_problem(f64, way & 1, way & 2, start == 1, start == 2, m, n, k, gap);
    check(&p);
    free_problem(&p);
  }
}

static void small_sizes_all(void **state) {
  (void)state;
  static const int64_t ms[] = {1, 2, 3, 5, 7, 14, 15}, ns[] = {1, 3, 8, 15, 17, 32, 33}, ks[] = {0, 1, 2, 4, 5, 18};
  for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
    for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
      for (size_t l = 0; l < sizeof ks / sizeof *ks; l++)
        for (int f64 = 0; f64 < 2; f64++) check_sizes(f64, ms[i], ns[j], ks[l], draw(2) * (1 + draw(9)));
}

static void every_row_and_column_count(void **state) {
  (void)state;
  for (int64_t size = 1; size <= 70; size++)
    for (int f64 = 0; f64 < 2; f64++) {
      check_sizes(f64, size, 19, 9, 1);
      check_sizes(f64, 9, size, 11, 1);
      check_sizes(f64, 9, 19, size, 1);
    }
}

static void drawn_sizes(void **state) {
  (void)state;
  for (int i = 0; i < 60; i++) check_sizes(i % 2, 1 + draw(90), 1 + draw(170), draw(150), draw(2) * draw(20));
}

/* More than a block along each side, and one more or less than whole blocks. */
static void sizes_past_the_blocks(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    check_sizes(f64, 33, 513, 127, 0);
    check_sizes(f64, 600, 33, 20, 0);
    check_sizes(f64, 589, 17, 9, 3);
    check_sizes(f64, 253, 161, 21, 0);
    check_sizes(f64, 37, 40, 257, 0);
    check_sizes(f64, 30, 140, 513, 1);
    check_sizes(f64, 3, 7, 5000, 0);
    check_sizes(f64, 40, 200, 1027, 0);
  }
}

/* With nothing to sum C gets its start; without rows or columns nothing is touched. */
static void sizes_of_nothing(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    check_sizes(f64, 0, 5, 5, 0);
    check_sizes(f64, 5, 0, 5, 0);
    check_sizes(f64, 40, 40, 0, 2);
  }
}

static void infinities_and_nans_stay_in_their_rows_and_columns(void **state) {
  (void)state;
  problem p = new_problem(false, false, false, false, false, 17, 37, 21, 0);
  set(&p.a, 3 * p.lda + 4, INFINITY);
  set(&p.b, 5 * p.ldb + 36, NAN);
  rnl_gemm(false, false, false, p.m, p.n, p.k, p.a.data, p.lda, p.b.data, p.ldb, 0, p.c.data, p.ldc);
  for (int64_t i = 0; i < p.m; i++)
    for (int64_t j = 0; j < p.n; j++) assert_int_equal(isfinite(get(&p.c, i * p.ldc + j)) != 0, i != 3 && j != 36);
  free_problem(&p);
}

/* A row of the batch alone, any group of rows, gives the bits it has in the batch. */
static void rows_do_not_depend_on_the_batch(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    problem p = new_problem(f64, false, true, true, false, 61, 150, 300, 2);
    array packed = pack_of(&p), c = copy_array(&p.c);
    for (int64_t from = 0; from < p.m;) {
      const int64_t rows = 1 + draw((uint32_t)(p.m - from < 20 ? p.m - from : 20));
      rnl_packed_gemm(f64, rows, p.n, p.k, at(&p.a, from * p.lda), p.lda, packed.data, true, NULL,
                      at(&c, from * p.ldc), p.ldc);
      from += rows;
    }
    assert_same(&c, &p.expected);
    free_array(&c);
    free_array(&packed);
    free_problem(&p);
  }
}

/* Part of k now and the rest later, adding, is the whole at once. */
static void products_can_be_split_along_k(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    problem p = new_problem(f64, true, false, false, false, 45, 70, 700, 0);
    array c = copy_array(&p.c);
    for (int64_t from = 0; from < p.k;) {
      const int64_t depth = 1 + draw((uint32_t)(p.k - from));
      rnl_gemm(f64, true, false, p.m, p.n, depth, at(&p.a, from * p.lda), p.lda, at(&p.b, from * p.ldb), p.ldb,
               from > 0, c.data, p.ldc);
      from += depth;
    }
    assert_same(&c, &p.expected);
    free_array(&c);
    free_problem(&p);
  }
}

static void slices_of_packed_columns(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    problem p = new_problem(f64, false, false, false, true, 9, 200, 33, 0);
    array packed = pack_of(&p), c = copy_array(&p.c);
    const int64_t width = rnl_packed_width(f64);
    for (int64_t from = 0; from < p.n; from += 2 * width) {
      const int64_t columns = p.n - from < 2 * width ? p.n - from : 2 * width;
      rnl_packed_gemm(f64, p.m, columns, p.k, p.a.data, p.lda, rnl_packed_columns(f64, packed.data, p.k, from),
                      false, at(&p.bias, from), at(&c, from), p.ldc);
    }
    assert_same(&c, &p.expected);
    free_array(&c);
    free_array(&packed);
    free_problem(&p);
  }
}

/* All parts, for any count of them, are the whole; also by threads. */
static void parts_make_the_whole(void **state) {
  (void)state;
  static const int64_t sizes[][3] = {{64, 513, 40}, {513, 64, 40}, {3, 400, 30}, {2, 5, 7}, {300, 300, 260}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int way = 0; way < 8; way++) {
      const bool f64 = way & 4;
      problem p = new_problem(f64, way & 1, way & 2, way & 1, false, sizes[s][0], sizes[s][1], sizes[s][2], 1);
      for (int count = 1; count <= 7; count += 2) {
        array c = copy_array(&p.c);
        for (int i = count - 1; i >= 0; i--)
          rnl_gemm_part(i, count, f64, p.trans_a, p.trans_b, p.m, p.n, p.k, p.a.data, p.lda, p.b.data, p.ldb, p.add,
                        c.data, p.ldc);
        assert_same(&c, &p.expected);
        free_array(&c);
        c = copy_array(&p.c);
        rnl_gemm_threads(count, f64, p.trans_a, p.trans_b, p.m, p.n, p.k, p.a.data, p.lda, p.b.data, p.ldb, p.add,
                         NULL, c.data, p.ldc);
        assert_same(&c, &p.expected);
        free_array(&c);
        if (p.trans_a) continue;
        array packed = new_array(f64, rnl_packed_size(f64, p.k, p.n));
        c = copy_array(&p.c);
        for (int i = count - 1; i >= 0; i--)
          rnl_pack_part(f64, i, count, p.trans_b, p.k, p.n, p.b.data, p.ldb, packed.data);
        for (int i = 0; i < count; i++)
          rnl_packed_gemm_part(f64, i, count, p.m, p.n, p.k, p.a.data, p.lda, packed.data, p.add, NULL, c.data,
                               p.ldc);
        assert_same(&c, &p.expected);
        free_array(&c);
        free_array(&packed);
      }
      free_problem(&p);
    }
}

/* ---- factors that are mostly zeros ---------------------------------------------------------- */

/* Of B about one element in `share` stays, but for the row and the column that stay whole (none: -1). */
static void empty(problem *p, uint32_t share, int64_t whole_row, int64_t whole_column) {
  for (int64_t q = 0; q < p->k; q++)
    for (int64_t j = 0; j < p->n; j++)
      if (q != whole_row && j != whole_column && draw(share) != 0)
        set(&p->b, p->trans_b ? j * p->ldb + q : q * p->ldb + j, 0);
  expect(p);
}

static void check_sparse(problem *p) {
  assert_true(rnl_sparse_pays(p->f64, p->trans_b, p->k, p->n, p->b.data, p->ldb));
  array packed = new_array(p->f64, rnl_packed_size(p->f64, p->k, p->n)), c = copy_array(&p->c);
  const void *bias = p->biased ? p->bias.data : NULL;
  rnl_sparse_pack(p->f64, p->trans_b, p->k, p->n, p->b.data, p->ldb, packed.data);
  rnl_sparse_gemm(p->f64, p->m, p->n, p->k, p->a.data, p->lda, packed.data, p->add, bias, c.data, p->ldc);
  assert_same(&c, &p->expected);
  free_array(&c);
  c = copy_array(&p->c);
  const int count = 1 + (int)draw(4);
  for (int i = 0; i < count; i++)
    rnl_sparse_gemm_part(p->f64, i, count, p->m, p->n, p->k, p->a.data, p->lda, packed.data, p->add, bias, c.data,
                         p->ldc);
  assert_same(&c, &p->expected);
  free_array(&c);
  free_array(&packed);
}

/* Same bits as the dense chain, for every number of rows about the registers, panels and parts. */
static void sparse_factors_give_the_same_bits(void **state) {
  (void)state;
  for (int64_t m = 0; m <= 70; m++)
    for (int way = 0; way < 4; way++) {
      const int start = (int)draw(3);
      problem p =
          new_problem(way & 1, false, way & 2, start == 1, start == 2, m, 70 + draw(90), 70 + draw(90), draw(2));
      empty(&p, 40 + draw(60), draw(2) ? (int64_t)draw(70) : -1, -1);
      check_sparse(&p);
      free_problem(&p);
    }
}

/* A column longer than those that are sorted by length, one without elements, a factor of zeros alone, and rows too
 * long for the scratch memory. */
static void sparse_factors_of_odd_forms(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    problem p = new_problem(way & 1, false, way & 2, false, true, 21, 100, 700, 1);
    empty(&p, 100, -1, 7);
    check_sparse(&p);
    empty(&p, 1u << 27, -1, -1);
    check_sparse(&p);
    free_problem(&p);
    p = new_problem(way & 1, false, way & 2, true, false, 9, 17, way & 1 ? 12000 : 24000, 0);
    empty(&p, 50, -1, -1);
    check_sparse(&p);
    free_problem(&p);
  }
}

/* One element in 24 at most, and no factor of a few rows or columns; -0 is a zero, NaN is none. */
static void what_pays(void **state) {
  (void)state;
  for (int f64 = 0; f64 < 2; f64++) {
    array b = new_array(f64, 48 * 48);
    for (int64_t i = 0; i < b.count; i++) set(&b, i, i % 24 == 5 ? (i % 2 ? 1.5 : (double)NAN) : -0.0);
    for (int trans = 0; trans < 2; trans++) {
      assert_true(rnl_sparse_pays(f64, trans, 48, 48, b.data, 48));
      assert_true(rnl_sparse_pays(f64, trans, 16, 48, b.data, trans ? 16 : 48));
      assert_false(rnl_sparse_pays(f64, trans, 15, 48, b.data, 48));
      assert_false(rnl_sparse_pays(f64, trans, 48, 15, b.data, 48));
    }
    set(&b, 48 * 48 - 1, 1);
    assert_false(rnl_sparse_pays(f64, false, 48, 48, b.data, 48));
    assert_false(rnl_sparse_pays(f64, true, 48, 48, b.data, 48));
    free_array(&b);
  }
}

/* What the benchmark compares with is the same function: OpenBLAS agrees up to rounding, where it is installed. */
static void openblas_agrees(void **state) {
  (void)state;
  for (int way = 0; way < 8; way++) {
    const bool f64 = way & 4;
    problem p = new_problem(f64, way & 1, way & 2, way & 1, false, 30, 40, 50, 3);
    const bool opened = rnl_gemm_blas(true).opened;
    assert_int_equal(rnl_blas_gemm(f64, p.trans_a, p.trans_b, p.m, p.n, p.k, p.a.data, p.lda, p.b.data, p.ldb,
                                   p.add, p.c.data, p.ldc),
                     opened);
    if (opened)
      for (int64_t i = 0; i < p.c.count; i++)
        assert_true(fabs(get(&p.c, i) - get(&p.expected, i)) < (f64 ? 1e-11 : 1e-2));
    free_problem(&p);
  }
  assert_false(rnl_blas_gemm(false, false, false, 1, 1, INT64_C(1) << 40, NULL, INT64_C(1) << 40, NULL, 1, 0, NULL, 1));
}

/* Row sums against a loop in double, at sizes about whole registers and blocks, on any number of threads; NaN in the
 * gap behind each row is never read. */
static void sums_of_rows(void **state) {
  (void)state;
  static const int64_t rows_of[] = {0, 1, 7, 256, 300}, widths[] = {1, 15, 16, 33, 64};
  for (int way = 0; way < 2 * 2 * 25; way++) {
    const bool f64 = way & 1, add = way & 2;
    const int64_t rows = rows_of[way / 4 % 5], n = widths[way / 20], ldx = n + 3;
    array x = random_array(f64, rows ? rows * ldx - 3 : 1), start = random_array(f64, n), first = copy_array(&start);
    for (int64_t r = 0; r + 1 < rows; r++)
      for (int64_t j = n; j < ldx; j++) set(&x, r * ldx + j, (double)NAN);
    rnl_sum_rows(1, f64, rows, n, x.data, ldx, first.data, add);
    for (int64_t j = 0; j < n; j++) {
      double sum = add ? get(&start, j) : 0;
      for (int64_t r = 0; r < rows; r++) sum += get(&x, r * ldx + j);
      assert_true(fabs(get(&first, j) - sum) <= (f64 ? 1e-12 : 1e-4) * (1 + fabs(sum)));
    }
    for (int threads = 2; threads <= 3; threads++) {
      array again = copy_array(&start);
      rnl_sum_rows(threads, f64, rows, n, x.data, ldx, again.data, add);
      assert_same(&again, &first);
      free_array(&again);
    }
    free_array(&x), free_array(&start), free_array(&first);
  }
}

int main(void) {
  rnl_fpu_enter();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_sizes_all),
      cmocka_unit_test(every_row_and_column_count),
      cmocka_unit_test(drawn_sizes),
      cmocka_unit_test(sizes_past_the_blocks),
      cmocka_unit_test(sizes_of_nothing),
      cmocka_unit_test(infinities_and_nans_stay_in_their_rows_and_columns),
      cmocka_unit_test(rows_do_not_depend_on_the_batch),
      cmocka_unit_test(products_can_be_split_along_k),
      cmocka_unit_test(slices_of_packed_columns),
      cmocka_unit_test(parts_make_the_whole),
      cmocka_unit_test(sparse_factors_give_the_same_bits),
      cmocka_unit_test(sparse_factors_of_odd_forms),
      cmocka_unit_test(what_pays),
      cmocka_unit_test(openblas_agrees),
      cmocka_unit_test(sums_of_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
