/* store/notes.h owns what a person writes about a run or a sweep: tags and notes, in its folder's notes.jsonl. The file
 * is append-only, a line a change, so that two who write at once lose nothing, and so that a run that is going on,
 * which rewrites its run.json, does not have to know. */
#ifndef RNL_STORE_NOTES_H
#define RNL_STORE_NOTES_H

#include "store/run.h"

enum { RNL_TAG_BYTES = 64, RNL_NOTE_BYTES = 16384 };

typedef struct rnl_notes_change {
  const json_t *tag, *untag; /* arrays of text; NULL: none */
  const char *note;          /* added to the notes; NULL: none */
  bool forget;               /* drop the notes there are, before `note` is added */
} rnl_notes_change;

/* Write the change down (durably) and bring the index up to date; where only that fails, it is a line in `warnings`.
 * record->json has the new "tags" and "notes" then. A tag is up to 64 bytes without blanks, commas, or any of <>=!~
 * (filters could not name it), and does not begin with '-'; a note has up to 16 KiB. ERR_ARG. */
rnl_status rnl_notes_write(rnl_run_record *record, const rnl_notes_change *change, rnl_buffer *warnings,
                           rnl_error *err);

#endif
