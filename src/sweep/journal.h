/* sweep/journal.h owns the journals of a sweep, results/SWEEP/journal-SLOT.jsonl: one JSON object a line, appended by
 * one writer, never changed.
 *
 *     tail      a line counts when its newline is there. A writer that finds a torn last line cuts it off; a reader
 *               passes it over.
 *     whole     a line, or several, goes out in one write(2), so that a process that is killed tears at most the last.
 *     durable   fdatasync at a second's distance: after a long trial at once, within a second of a short one
 *               (the writer calls rnl_journal_rest when it waits). */
#ifndef RNL_SWEEP_JOURNAL_H
#define RNL_SWEEP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

typedef struct rnl_journal { /* all zeros is a closed one */
  rnl_append file;
  double synced; /* when, monotonic seconds */
  bool dirty;    /* something is not synced yet */
} rnl_journal;

/* Open, made where it is missing; *dropped (may be NULL): bytes of a torn line that were cut off. */
rnl_status rnl_journal_open(rnl_journal *journal, const char *path, int64_t *dropped, rnl_error *err);

/* Append whole lines (`text` ends with a newline). */
rnl_status rnl_journal_write(rnl_journal *journal, const char *text, size_t length, rnl_error *err);

/* Seconds until rnl_journal_rest has something to do; -1: never, all is durable. */
double rnl_journal_due(const rnl_journal *journal);
/* Make durable what is due. */
rnl_status rnl_journal_rest(rnl_journal *journal, rnl_error *err);
rnl_status rnl_journal_sync(rnl_journal *journal, rnl_error *err);  /* at once */
rnl_status rnl_journal_close(rnl_journal *journal, rnl_error *err); /* durable first; idempotent */

/* Append to `out` the whole lines of a journal from byte *offset on, and move *offset behind them. A file that is not
 * there has none. */
rnl_status rnl_journal_read(const char *path, int64_t *offset, rnl_buffer *out, rnl_error *err);

/* Give each slot that has a journal in the folder, in no order, to `each`; false from it ends the walk. A folder that
 * cannot be read is ERR_IO. */
rnl_status rnl_journal_slots(const char *dir, bool (*each)(void *context, int64_t slot), void *context, rnl_error *err);

#endif
