/* app/select.h owns which runs a command means that takes filters: listing, filters, order, limit. */
#ifndef RNL_APP_SELECT_H
#define RNL_APP_SELECT_H

#include <jansson.h>

#include "app/args.h"
#include "store/index.h"

extern const rnl_option rnl_option_sort, rnl_option_desc, rnl_option_limit, rnl_option_tag, rnl_option_since;
#define RNL_SELECT_OPTIONS &rnl_option_sort, &rnl_option_desc, &rnl_option_limit, &rnl_option_tag, &rnl_option_since

/* What can read a sweep's journals; NULL: nothing can. */
const rnl_sweep_source *rnl_journal_source(void);

/* The runs (and sweeps) that the words, settings and options of args pick, in order. Warnings are printed. *all (may be
 * NULL) says how many there are. ERR_ARG: a filter is wrong, or names what no run has ("did you mean"). */
rnl_status rnl_select(json_t **out, const rnl_args *args, bool sweeps, size_t *all, rnl_error *err);

/* ERR_ARG where no run of the list has such a field; an empty list has them all. */
rnl_status rnl_select_check_name(const json_t *list, const char *name, rnl_error *err);

#endif
