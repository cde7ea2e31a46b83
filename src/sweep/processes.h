/* sweep/processes.h owns the processes a sweep starts, on libuv: workers that are fed lines and answer in lines, and
 * other programs (sbatch) whose output is read. Whoever schedules calls rnl_processes_wait, which gives one event at a
 * time; nothing is called back.
 *
 * A child's lines come whole; what a child wrote before its end is given before the event of its end. Children are
 * started by exec, with every other descriptor closed, and killed when the object is freed. */
#ifndef RNL_SWEEP_PROCESSES_H
#define RNL_SWEEP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct rnl_processes rnl_processes;

typedef enum rnl_process_event_kind {
  RNL_PROCESS_TIMEOUT, /* nothing came in the time given */
  RNL_PROCESS_STOP,    /* the stop flag is set (told at every wait until the flag is taken back) */
  RNL_PROCESS_LINE,
  RNL_PROCESS_END
} rnl_process_event_kind;

typedef struct rnl_process_event {
  rnl_process_event_kind kind;
  int id;            /* of the child */
  const char *text;  /* LINE: without its newline, ended by a zero; lives until the next call of anything here */
  size_t length;
  int code, signal;  /* END: exit code, or the signal that ended it (else 0) */
} rnl_process_event;

/* How a child is talked to. */
typedef enum rnl_process_channel {
  RNL_CHANNEL_WORKER, /* it reads lines at descriptor 3 and writes lines at 4; 0 is empty, 1 and 2 are ours */
  RNL_CHANNEL_OUTPUT  /* its standard output is read; 0 is empty, 2 is ours */
} rnl_process_channel;

enum { RNL_WORKER_IN = 3, RNL_WORKER_OUT = 4, RNL_LINE_MOST = 1 << 28 };

/* `stop`: the flag a signal handler sets, or NULL. */
rnl_status rnl_processes_new(rnl_processes **out, const volatile int *stop, rnl_error *err);
void rnl_processes_free(rnl_processes *processes); /* kills what still runs, and waits for it; NULL is allowed */

/* Start argv (looked for in PATH where argv[0] has no slash). *id counts from 1 and is never given twice. */
rnl_status rnl_processes_start(rnl_processes *processes, const char *const *argv, rnl_process_channel channel, int *id,
                               rnl_error *err);

/* Send a line (without its newline) to a worker. To one that has ended it does nothing: its end will be told. */
rnl_status rnl_processes_send(rnl_processes *processes, int id, const char *text, size_t length, rnl_error *err);

/* Tell all workers that nothing more comes (they read the end of their input), and wait until they have ended, at most
 * `seconds`. Events that come meanwhile are given by rnl_processes_wait as always. */
void rnl_processes_finish(rnl_processes *processes, double seconds);

/* Send it a signal; nothing where it has ended. */
void rnl_processes_kill(rnl_processes *processes, int id, int signal);

/* The next event; at most `seconds` are waited (< 0: for ever). */
rnl_status rnl_processes_wait(rnl_processes *processes, double seconds, rnl_process_event *event, rnl_error *err);

/* The path of the running program, to start more of it. Returns out. */
enum { RNL_PROGRAM_TEXT = 4096 };
const char *rnl_program_path(char out[RNL_PROGRAM_TEXT]);

/* ---- the other end ------------------------------------------------------------------------------ */

/* In a worker: end with the process `parent`, which started this one. False where it is gone already. */
bool rnl_worker_bind_to_parent(int parent);

/* Let this process have at most `bytes` of address space beside what it has now: allocations beyond fail. */
void rnl_worker_limit_memory(double bytes);

#endif
