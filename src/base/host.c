/* base/host.c: machine, process, time. Linux first, with what POSIX and macOS offer otherwise. */
#include "base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/* The first bytes of a small file as text; false where there is none. */
static bool read_start(const char *path, char *out, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t length = 0;
  while (length + 1 < size) {
    ssize_t n = read(fd, out + length, size - length - 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    length += (size_t)n;
  }
  close(fd);
  out[length] = '\0';
  return length > 0;
}

/* Cut blanks at both ends and make runs of them one. */
static void tidy(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    if ((*from == ' ' || *from == '\t' || *from == '\n') && (to == text || to[-1] == ' ')) continue;
    *to++ = *from == '\t' || *from == '\n' ? ' ' : *from;
  }
  while (to > text && to[-1] == ' ') to--;
  *to = '\0';
}

static void cpu_model(char out[RNL_HOST_TEXT]) {
  out[0] = '\0';
#if defined(__x86_64__) || defined(__i386__)
  /* The brand string by cpuid: opening /proc/cpuinfo asks every core for its clock, which on a large
   * machine takes longer than a whole small run. */
  unsigned words[12] = { 0 };
  if (__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u) {
    for (unsigned i = 0; i < 3; i++)
      __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                  &words[4 * i + 3]);
    memcpy(out, words, sizeof words);
    out[sizeof words] = '\0';
  }
#elif defined(__APPLE__)
  size_t size = RNL_HOST_TEXT;
  if (sysctlbyname("machdep.cpu.brand_string", out, &size, NULL, 0) != 0) out[0] = '\0';
#else
  char text[8192];
  if (read_start("/proc/cpuinfo", text, sizeof text)) {
    static const char *const keys[] = { "model name", "Model", "cpu model", "Hardware", "cpu\t" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !out[0]; i++) {
      char *at = strstr(text, keys[i]);
      char *colon = at ? strchr(at, ':') : NULL;
      if (!colon) continue;
      colon[1 + strcspn(colon + 1, "\n")] = '\0';
      snprintf(out, RNL_HOST_TEXT, "%s", colon + 1);
    }
  }
#endif
  tidy(out);
  if (!out[0]) snprintf(out, RNL_HOST_TEXT, "unknown");
}

static void host_name(char out[RNL_HOST_TEXT]) {
  if (gethostname(out, RNL_HOST_TEXT) != 0 || !out[0]) snprintf(out, RNL_HOST_TEXT, "unknown");
  out[RNL_HOST_TEXT - 1] = '\0';
}

void rnl_host_describe(rnl_host *out) {
  *out = (rnl_host){ .cores = 1 };
  host_name(out->name);
  cpu_model(out->cpu);
  struct utsname system;
  if (uname(&system) == 0)
    snprintf(out->system, sizeof out->system, "%.80s %.80s %.80s", system.sysname, system.release,
             system.machine);
  else
    snprintf(out->system, sizeof out->system, "unknown");
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    out->cores = CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
    return;
  }
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  if (n > 0 && n < 1000000) out->cores = (int)n;
}

/* Field 22 of /proc/<pid>/stat, counted behind the last ')', since a program's name may hold blanks
 * and brackets. 0: not known; -1: a zombie, dead but not yet waited for. */
static int64_t process_start(int64_t pid) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  if (!read_start(path, text, sizeof text)) return 0;
  char *at = strrchr(text, ')');
  if (!at || !at[1]) return 0;
  at += 2; /* field 3: the state */
  if (*at == 'Z' || *at == 'X') return -1;
  for (int field = 3; field < 22; field++) {
    at = strchr(at, ' ');
    if (!at) return 0;
    at++;
  }
  return strtoll(at, NULL, 10);
}

static void boot_id(char out[RNL_BOOT_TEXT]) {
  if (!read_start("/proc/sys/kernel/random/boot_id", out, RNL_BOOT_TEXT)) out[0] = '\0';
  tidy(out);
}

void rnl_process_self(rnl_process *out) {
  *out = (rnl_process){ .pid = getpid() };
  out->start = process_start(out->pid);
  if (out->start < 0) out->start = 0;
  boot_id(out->boot_id);
  host_name(out->host);
}

rnl_life rnl_process_life(const rnl_process *process) {
  char here[RNL_HOST_TEXT], boot[RNL_BOOT_TEXT];
  host_name(here);
  boot_id(boot);
  bool same_host = strcmp(here, process->host) == 0;
  if (boot[0] && process->boot_id[0]) {
    if (strcmp(boot, process->boot_id) != 0) return same_host ? RNL_DEAD : RNL_ELSEWHERE;
  } else if (!same_host) {
    return RNL_ELSEWHERE;
  }
  if (process->pid <= 0) return RNL_DEAD;
  int64_t start = process_start(process->pid);
  if (start < 0) return RNL_DEAD;
  if (start > 0) return process->start == 0 || start == process->start ? RNL_ALIVE : RNL_DEAD;
  /* No /proc for it: gone, or a system without. */
  return kill((pid_t)process->pid, 0) == 0 || errno == EPERM ? RNL_ALIVE : RNL_DEAD;
}

const char *rnl_time_utc(char out[RNL_TIME_TEXT]) {
  struct timespec now;
  struct tm parts;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  size_t n = strftime(out, RNL_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(out + n, RNL_TIME_TEXT - n, ".%06dZ", (int)(now.tv_nsec / 1000 % 1000000));
  return out;
}

double rnl_time_monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
