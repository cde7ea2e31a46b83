/* base/host.h owns what is known about the machine, the process and the time. The git state of a
 * folder is in base/git.h. */
#ifndef RNL_BASE_HOST_H
#define RNL_BASE_HOST_H

#include <stdbool.h>
#include <stdint.h>

enum { RNL_HOST_TEXT = 256, RNL_TIME_TEXT = 32, RNL_BOOT_TEXT = 64 };

typedef struct rnl_host {
  char name[RNL_HOST_TEXT];   /* gethostname, "unknown" where that fails */
  char cpu[RNL_HOST_TEXT];    /* "Intel(R) Xeon(R) ...", "unknown" */
  char system[RNL_HOST_TEXT]; /* "Linux 6.1.0 x86_64" */
  int cores;                  /* this process may run on (affinity), at least 1 */
} rnl_host;

void rnl_host_describe(rnl_host *out);

/* What tells one process from every other: a pid comes round again, a pid with its start time and
 * the boot it was counted from does not. */
typedef struct rnl_process {
  int64_t pid;
  int64_t start;               /* clock ticks since boot (Linux); 0: not known on this system */
  char boot_id[RNL_BOOT_TEXT]; /* ""    : not known on this system */
  char host[RNL_HOST_TEXT];
} rnl_process;

void rnl_process_self(rnl_process *out);

typedef enum rnl_life {
  RNL_ALIVE,
  RNL_DEAD,
  RNL_ELSEWHERE /* of another machine: cannot be told from here */
} rnl_life;

/* Same boot: by pid and start time. Same host name, other boot: dead. Neither: elsewhere. */
rnl_life rnl_process_life(const rnl_process *process);

/* "2026-11-23T08:51:19.123456Z", UTC: sorts as text. Returns out. */
const char *rnl_time_utc(char out[RNL_TIME_TEXT]);
double rnl_time_monotonic(void); /* seconds from some fixed point, never backwards */

#endif
