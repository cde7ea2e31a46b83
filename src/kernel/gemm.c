/* kernel/gemm.c: the opening of OpenBLAS and its products, for comparison. */
#include "kernel/gemm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>


/* cblas.h's constants and the part of its interface we call. */
enum { CBLAS_ROW_MAJOR = 101, CBLAS_NO_TRANS = 111, CBLAS_TRANS = 112 };
typedef void (*sgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                               const float *a, int lda, const float *b, int ldb, float beta, float *c,
                               int ldc);
typedef void (*dgemm_function)(int order, int trans_a, int trans_b, int m, int n, int k, double alpha,
                               const double *a, int lda, const double *b, int ldb, double beta,
                               double *c, int ldc);

/* Filled once, by the first product that wants it; constant afterwards. */
static pthread_once_t open_once = PTHREAD_ONCE_INIT;
static bool open_tried;
static struct {
  void *library;
  sgemm_function sgemm;
  dgemm_function dgemm;
  void (*set_threads)(int);
  const char *core, *config;
  char asked[32], problem[256];
} blas = {.core = "", .config = ""};

/* The OpenBLAS core whose kernels fit the instructions this CPU has. */
static const char *core_from_cpuid(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL; /* OpenBLAS's own choice */
}

/* Set a variable that OpenBLAS reads while it is loaded, unless the user has set it. */
static bool set_for_opening(const char *name, const char *value) {
  return value && !getenv(name) && setenv(name, value, 0) == 0;
}

static void open_blas(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so", "libopenblas.0.dylib",
                                      "libopenblas.dylib",
                                      "/opt/homebrew/opt/openblas/lib/libopenblas.dylib"};
  open_tried = true;
  bool core_set = set_for_opening("OPENBLAS_CORETYPE", core_from_cpuid());
  bool threads_set = set_for_opening("OPENBLAS_NUM_THREADS", "1");
  const char *asked = getenv("OPENBLAS_CORETYPE");
  snprintf(blas.asked, sizeof blas.asked, "%s", asked ? asked : "");

  void *library = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library && i == 0) snprintf(blas.problem, sizeof blas.problem, "%s", dlerror());
  }
  /* Children of this process keep the environment they would have had. */
  if (core_set) unsetenv("OPENBLAS_CORETYPE");
  if (threads_set) unsetenv("OPENBLAS_NUM_THREADS");
  if (!library) return;
  blas.library = library;
  blas.problem[0] = '\0';

  /* dlsym gives an object pointer; the union is the portable way to a function. */
  union {
    void *object;
    sgemm_function sgemm;
    dgemm_function dgemm;
    const char *(*text)(void);
    void (*set_threads)(int);
  } symbol;
  if ((symbol.object = dlsym(library, "openblas_set_num_threads"))) blas.set_threads = symbol.set_threads;
  if (blas.set_threads) blas.set_threads(1);
  if ((symbol.object = dlsym(library, "openblas_get_corename"))) blas.core = symbol.text();
  if ((symbol.object = dlsym(library, "openblas_get_config"))) blas.config = symbol.text();
  if ((symbol.object = dlsym(library, "cblas_dgemm"))) blas.dgemm = symbol.dgemm;
  if ((symbol.object = dlsym(library, "cblas_sgemm"))) blas.sgemm = symbol.sgemm;
  if (!blas.sgemm || !blas.dgemm) {
    blas.sgemm = NULL;
    snprintf(blas.problem, sizeof blas.problem, "libopenblas has no cblas_sgemm");
  }
}

rnl_blas_function rnl_blas_symbol(const char *name) {
  pthread_once(&open_once, open_blas);
  union {
    void *object;
    rnl_blas_function function;
  } symbol = {.object = blas.library ? dlsym(blas.library, name) : NULL};
  return symbol.object ? symbol.function : NULL;
}

static bool fits_int(int64_t v) { return v <= INT32_MAX; }

bool rnl_blas_gemm(bool f64, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const void *a,
                   int64_t lda, const void *b, int64_t ldb, double beta, void *c, int64_t ldc) {
  pthread_once(&open_once, open_blas);
  if (!blas.sgemm || !fits_int(m) || !fits_int(n) || !fits_int(k) || !fits_int(lda) || !fits_int(ldb) ||
      !fits_int(ldc))
    return false;
  const int ta = trans_a ? CBLAS_TRANS : CBLAS_NO_TRANS, tb = trans_b ? CBLAS_TRANS : CBLAS_NO_TRANS;
  if (f64)
    blas.dgemm(CBLAS_ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, 1.0, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
  else
    blas.sgemm(CBLAS_ROW_MAJOR, ta, tb, (int)m, (int)n, (int)k, 1.0f, a, (int)lda, b, (int)ldb, (float)beta, c,
               (int)ldc);
  return true;
}

bool rnl_blas_threads(int threads) {
  pthread_once(&open_once, open_blas);
  if (!blas.sgemm || !blas.set_threads) return false;
  blas.set_threads(threads);
  return true;
}

rnl_blas_info rnl_gemm_blas(bool open) {
  if (open) pthread_once(&open_once, open_blas);
  rnl_blas_info info = {.opened = open_tried && blas.sgemm,
                        .core = blas.core,
                        .asked = blas.asked,
                        .config = blas.config,
                        .problem = blas.problem};
  return info;
}
