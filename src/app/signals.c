/* app/signals.c: see signals.h. The handlers touch nothing but the flag and the time it was set. */
#include "app/signals.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

volatile int rnl_stop_flag;
static volatile sig_atomic_t only_first;
static volatile long long first_ns; /* when the flag was set, monotonic */

static long long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe, as signal() and raise() are */
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* `timeout`, job schedulers and terminals may send one request twice, to the process and to its group;
 * so a second signal counts as a second wish only after a fifth of a second. */
#define SECOND_WISH_NS 200000000LL

static void on_stop(int signal_number) {
  if (rnl_stop_flag == 0) {
    first_ns = now_ns();
    rnl_stop_flag = signal_number;
  } else if (!only_first && now_ns() - first_ns >= SECOND_WISH_NS) {
    signal(signal_number, SIG_DFL);
    raise(signal_number); /* delivered when this handler returns */
  }
}

/* SIGINT that was ignored when the program started: a shell without job control does so for its background jobs, so
 * that Ctrl-C at the terminal, which comes from the kernel, is not for them. One that somebody sent with kill(1) is. */
static void on_sent(int signal_number, siginfo_t *about, void *context) {
  (void)context;
  if (about->si_code <= 0) on_stop(signal_number);
}

static void on_nothing(int signal_number) { (void)signal_number; }

static void install(int flags) {
  static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
  struct sigaction action, before;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = flags;
  action.sa_handler = on_stop;
  for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
    if (sigaction(stops[i], NULL, &before) != 0) continue;
    bool ours = before.sa_flags & SA_SIGINFO, ignored = !ours && before.sa_handler == SIG_IGN;
    if (stops[i] == SIGINT && (ours || ignored)) {
      struct sigaction sent = action;
      sent.sa_flags = flags | SA_SIGINFO;
      sent.sa_sigaction = on_sent;
      sigaction(SIGINT, &sent, NULL);
    } else if (!ignored) {
      sigaction(stops[i], &action, NULL);
    }
  }
}

void rnl_signals_install(void) {
  install(SA_RESTART); /* file writes are not cut short; the flag is polled */
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_nothing;
  sigaction(SIGPIPE, &action, NULL);
}

void rnl_signals_interrupt_reads(void) { install(0); }

void rnl_signals_only_first(void) { only_first = 1; }

void rnl_signals_clear(void) { rnl_stop_flag = 0; }
