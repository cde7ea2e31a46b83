/* store/remove.h owns taking a run or a sweep away. */
#ifndef RNL_STORE_REMOVE_H
#define RNL_STORE_REMOVE_H

#include "store/run.h"

/* May it be removed? ERR_ARG: it is running, is a link, or is no folder directly inside results_dir (a kept trial is a
 * part of its sweep). Nothing is changed. */
rnl_status rnl_store_may_remove(const rnl_run_record *record, const char *results_dir, rnl_error *err);

/* The same check, then remove the folder and all in it (links are removed, never followed) and its lines in the index.
 * The folder is renamed first, to a hidden name: a removal that is cut off leaves no half run. What an earlier one
 * left is removed too. ERR_IO says what could not be removed. */
rnl_status rnl_store_remove(const rnl_run_record *record, const char *results_dir, rnl_buffer *warnings,
                            rnl_error *err);

#endif
