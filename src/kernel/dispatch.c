/* kernel/dispatch.c owns the choice of the kernel table, once a process, and the FPU's control word. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern const rnl_kernels rnl_kernels_generic_f32, rnl_kernels_generic_f64;
#if defined(__x86_64__)
extern const rnl_kernels rnl_kernels_avx2_f32, rnl_kernels_avx2_f64;
extern const rnl_kernels rnl_kernels_avx512_f32, rnl_kernels_avx512_f64;
extern const rnl_lane_kernels rnl_kernels_avx512_narrow_f32, rnl_kernels_avx512_narrow_f64;
#endif

typedef struct variant {
  const rnl_kernels *f32, *f64;
} variant;

/* The choice, made by pthread_once: constant for the rest of the process. */
static pthread_once_t choice_once = PTHREAD_ONCE_INIT;
static variant chosen;
static const char *refused_name;

static void choose(void) {
  /* Best last. */
  variant usable[3] = {{&rnl_kernels_generic_f32, &rnl_kernels_generic_f64}};
  int count = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    usable[count++] = (variant){&rnl_kernels_avx2_f32, &rnl_kernels_avx2_f64};
  if (count == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    usable[count++] = (variant){&rnl_kernels_avx512_f32, &rnl_kernels_avx512_f64};
#endif
  chosen = usable[count - 1];
  const char *wanted = getenv("RNNLAB_ISA");
  if (!wanted || !*wanted) return;
  for (int i = 0; i < count; i++)
    if (strcmp(usable[i].f32->isa, wanted) == 0) {
      chosen = usable[i];
      return;
    }
  refused_name = wanted;
}

const rnl_kernels *rnl_kernels_of(bool f64) {
  pthread_once(&choice_once, choose);
  return f64 ? chosen.f64 : chosen.f32;
}

const rnl_lane_kernels *rnl_lane_kernels_of(bool f64, int64_t batch) {
  const rnl_kernels *wide = rnl_kernels_of(f64);
#if defined(__x86_64__)
  if (wide == &rnl_kernels_avx512_f32 && batch <= 8) return &rnl_kernels_avx512_narrow_f32;
  if (wide == &rnl_kernels_avx512_f64 && batch <= 4) return &rnl_kernels_avx512_narrow_f64;
#endif
  return &wide->lanes;
}

const char *rnl_kernel_isa(const char **refused) {
  const char *isa = rnl_kernels_of(false)->isa;
  if (refused) *refused = refused_name;
  return isa;
}

uint64_t rnl_fpu_enter(void) {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040u); /* FTZ and DAZ */
  return saved;
#elif defined(__aarch64__)
  uint64_t saved;
  __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
  __asm__ volatile("msr fpcr, %0" ::"r"(saved | (1u << 24))); /* FZ */
  return saved;
#else
  return 0;
#endif
}

void rnl_fpu_leave(uint64_t saved) {
#if defined(__x86_64__)
  _mm_setcsr((unsigned)saved);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" ::"r"(saved));
#else
  (void)saved;
#endif
}
