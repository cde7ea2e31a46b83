/* tests/bench/bench_products.c prints the speed of rnnlab's matrix products beside OpenBLAS's, for the
 * products of one training step of three recurrent layers, and their sum. It is built with the tests and never run
 * by them: times are for people.
 *
 *   bench_products [repetitions [threads [M|L|G]]]    OPENBLAS_CORETYPE=SkylakeX|Haswell|... chooses OpenBLAS's core
 *
 * Both sides take turns, so that a machine that slows down slows both; each figure is a median. Ours packs
 * the weights once a training step (its time is in the row `pack` and in the sum), OpenBLAS cannot. With
 * threads, ours divides the batch once for all steps, which needs no waiting between them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "kernel/packed.h"
#include "kernel/threads.h"

/* A recurrent layer: gates 4 for an LSTM, 3 for a GRU; a linear read-out where output > 0. */
typedef struct model {
  const char *name;
  int64_t input, hidden, gates, output, batch, time;
} model;

static const model models[] = {
    {"M", 64, 128, 4, 64, 32, 100},
    {"L", 512, 512, 4, 0, 64, 50},
    {"G", 512, 512, 3, 0, 64, 50},
};

/* C[m][n] (+)= A[m][k] B[k][n], `steps` times on consecutive rows of A and C (a recurrence) or once. */
typedef struct job {
  const char *what;
  bool trans_a, trans_b, add, packs; /* packs: B is a weight, packed beforehand */
  int64_t m, n, k, steps;
  const float *a, *b;
  float *c, *packed;
} job;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int n) {
  qsort(values, (size_t)n, sizeof *values, compare);
  return values[n / 2];
}

static float *floats(int64_t n, uint32_t seed) {
  float *p = rnl_alloc((size_t)n, sizeof *p);
  if (!p) exit(1);
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    p[i] = (float)(seed >> 8) / (float)(1u << 24) - 0.5f;
  }
  return p;
}

static void ours_part(void *context, int index, int count) {
  const job *j = context;
  const uint64_t saved = rnl_fpu_enter();
  if (!j->packs) {
    const int64_t lda = j->trans_a ? j->m : j->k, ldb = j->trans_b ? j->k : j->n;
    rnl_gemm_part(index, count, false, j->trans_a, j->trans_b, j->m, j->n, j->k, j->a, lda, j->b, ldb, j->add,
                  j->c, j->n);
  } else {
    int64_t from, to;
    rnl_share(j->m, 1, index, count, &from, &to);
    for (int64_t t = 0; t < j->steps; t++)
      rnl_packed_gemm(false, to - from, j->n, j->k, j->a + (t * j->m + from) * j->k, j->k, j->packed, j->add, NULL,
                      j->c + (t * j->m + from) * j->n, j->n);
  }
  rnl_fpu_leave(saved);
}

static void pack_part(void *context, int index, int count) {
  const job *j = context;
  rnl_pack_part(false, index, count, j->trans_b, j->k, j->n, j->b, j->trans_b ? j->k : j->n, j->packed);
}

static void blas(const job *j) {
  for (int64_t t = 0; t < j->steps; t++)
    rnl_blas_gemm(false, j->trans_a, j->trans_b, j->m, j->n, j->k, j->a + t * j->m * j->k,
                  j->trans_a ? j->m : j->k, j->b, j->trans_b ? j->k : j->n, j->add, j->c + t * j->m * j->n, j->n);
}

static void run_model(const model *m, int repetitions, int threads) {
  const int64_t rows = m->batch * m->time, wide = m->gates * m->hidden;
  float *x = floats(rows * m->input, 1), *h = floats(rows * m->hidden, 2), *gates = floats(rows * wide, 3),
        *dh = floats(rows * m->hidden, 4), *dx = floats(rows * m->input, 5), *w_ih = floats(m->input * wide, 6),
        *w_hh = floats(m->hidden * wide, 7), *w_ho = floats(m->hidden * (m->output + 1), 8),
        *y = floats(rows * (m->output + 1), 9);
  job jobs[] = {
      {"inputs      x W_ih", .packs = true, .m = rows, .n = wide, .k = m->input, .steps = 1, .a = x, .b = w_ih,
       .c = gates},
      {"forward     h W_hh", .packs = true, .add = true, .m = m->batch, .n = wide, .k = m->hidden, .steps = m->time,
       .a = h, .b = w_hh, .c = gates},
      {"backward    dg W_hh'", .packs = true, .trans_b = true, .add = true, .m = m->batch, .n = m->hidden, .k = wide,
       .steps = m->time, .a = gates, .b = w_hh, .c = dh},
      {"inputs      dg W_ih'", .packs = true, .trans_b = true, .m = rows, .n = m->input, .k = wide, .steps = 1,
       .a = gates, .b = w_ih, .c = dx},
      {"gradient    x' dg", .trans_a = true, .m = m->input, .n = wide, .k = rows, .steps = 1, .a = x, .b = gates,
       .c = w_ih},
      {"gradient    h' dg", .trans_a = true, .m = m->hidden, .n = wide, .k = rows, .steps = 1, .a = h, .b = gates,
       .c = w_hh},
      {"read-out    h W_ho", .m = rows, .n = m->output, .k = m->hidden, .steps = 1, .a = h, .b = w_ho, .c = y},
      {"read-out    dy W_ho'", .trans_b = true, .m = rows, .n = m->hidden, .k = m->output, .steps = 1, .a = y,
       .b = w_ho, .c = dh},
      {"gradient    h' dy", .trans_a = true, .m = m->hidden, .n = m->output, .k = rows, .steps = 1, .a = h, .b = y,
       .c = w_ho},
  };
  const int n_jobs = (int)(sizeof jobs / sizeof *jobs) - (m->output ? 0 : 3);
  for (int i = 0; i < n_jobs; i++)
    if (jobs[i].packs) jobs[i].packed = floats(rnl_packed_size(false, jobs[i].k, jobs[i].n), 1);
  double *time = calloc((size_t)(2 * n_jobs + 3) * (size_t)repetitions, sizeof *time);
  if (!time) exit(1);
  double *packs = time + (size_t)(2 * n_jobs) * (size_t)repetitions;
  double *sum[2] = {packs + repetitions, packs + 2 * (size_t)repetitions};
  rnl_blas_threads(threads);
  for (int r = 0; r < repetitions; r++) {
    /* OpenBLAS's own threads go on spinning for a while after a call: on a full machine that is our time. */
    if (threads > 1) nanosleep(&(struct timespec){.tv_nsec = 60 * 1000 * 1000}, NULL);
    rnl_threads_run(threads, ours_part, &jobs[0]);
    double start = now();
    for (int i = 0; i < n_jobs; i++)
      if (jobs[i].packs) rnl_threads_run(threads, pack_part, &jobs[i]);
    packs[r] = sum[0][r] = now() - start;
    for (int who = 0; who < 2; who++)
      for (int i = 0; i < n_jobs; i++) {
        start = now();
        if (who) blas(&jobs[i]);
        else rnl_threads_run(threads, ours_part, &jobs[i]);
        const double took = now() - start;
        time[(2 * i + who) * repetitions + r] = took;
        sum[who][r] += took;
        /* values stay within the range of float: adding for ever would leave it */
        if (jobs[i].add || jobs[i].trans_a)
          for (int64_t e = 0; e < jobs[i].steps * jobs[i].m * jobs[i].n; e++) jobs[i].c[e] = (float)(e % 7) - 3;
      }
  }
  printf("%s: %d thread%s, isa %s, OpenBLAS %s\n", m->name, threads, threads > 1 ? "s" : "", rnl_kernel_isa(NULL),
         rnl_gemm_blas(true).core);
  printf("  %-22s %6s %5s %5s %5s  %9s %9s %8s %8s %6s\n", "product", "m", "n", "k", "steps", "ours/ms", "blas/ms",
         "GFLOP/s", "GFLOP/s", "ratio");
  printf("  %-22s %6s %5s %5s %5s  %9.3f\n", "pack", "", "", "", "", 1e3 * median(packs, repetitions));
  for (int i = 0; i < n_jobs; i++) {
    const job *j = &jobs[i];
    const double ours = median(time + (2 * i) * repetitions, repetitions),
                 theirs = median(time + (2 * i + 1) * repetitions, repetitions),
                 work = 2e-9 * (double)j->m * (double)j->n * (double)j->k * (double)j->steps;
    printf("  %-22s %6lld %5lld %5lld %5lld  %9.3f %9.3f %8.1f %8.1f %6.3f\n", j->what, (long long)j->m,
           (long long)j->n, (long long)j->k, (long long)j->steps, 1e3 * ours, 1e3 * theirs, work / ours,
           work / theirs, ours / theirs);
  }
  const double ours = median(sum[0], repetitions), theirs = median(sum[1], repetitions);
  printf("  %-22s %6s %5s %5s %5s  %9.3f %9.3f %8s %8s %6.3f\n", "sum", "", "", "", "", 1e3 * ours, 1e3 * theirs, "",
         "", ours / theirs);
  for (int i = 0; i < n_jobs; i++) rnl_free(jobs[i].packed);
  float *all[] = {x, h, gates, dh, dx, w_ih, w_hh, w_ho, y};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) rnl_free(all[i]);
  free(time);
}

int main(int argc, char **argv) {
  const int repetitions = argc > 1 ? atoi(argv[1]) : 11, threads = argc > 2 ? atoi(argv[2]) : 0;
  if (!rnl_gemm_blas(true).opened) {
    printf("bench_products: OpenBLAS is missing: %s\n", rnl_gemm_blas(true).problem);
    return 77;
  }
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    for (int n = threads > 0 ? threads : 1; n <= (threads > 0 ? threads : 2); n++)
      if (argc < 4 || strcmp(argv[3], models[i].name) == 0) run_model(&models[i], repetitions > 0 ? repetitions : 1, n);
  return 0;
}
