/* app/signals.h owns what the program does with signals: a flag for those that ask it to stop. */
#ifndef RNL_APP_SIGNALS_H
#define RNL_APP_SIGNALS_H

/* SIGINT, SIGTERM, SIGHUP and SIGUSR1 set the flag to their number (the first one wins); one that comes
 * a fifth of a second later or more ends the process as if nobody had caught it. A signal that was ignored when the
 * program started (nohup) stays ignored; so does SIGINT (a shell's background job) where the terminal sends it, but not
 * where somebody does, with kill(1). SIGPIPE makes writes fail instead of
 * ending the process, so that a run outlives `| head`; programs started from here get the default back. */
void rnl_signals_install(void);

/* 0, or the signal's number. Lives as long as the program. */
extern volatile int rnl_stop_flag;

/* From here on a stop signal makes a waiting read(2) return (EINTR) instead of being restarted. */
void rnl_signals_interrupt_reads(void);

/* From here on only the first signal counts, and nothing is ended by a second one: for a worker, whose parent may pass
 * on what the terminal or Slurm has sent to it, too, and ends it when it has waited long enough. */
void rnl_signals_only_first(void);

/* Forget what came: the REPL cancels a line and goes on. */
void rnl_signals_clear(void);

#endif
