/* app/columns.h owns the table of `ls`: which columns say something about the runs that are listed, and what fits. */
#ifndef RNL_APP_COLUMNS_H
#define RNL_APP_COLUMNS_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

typedef struct rnl_columns_wanted {
  const char *columns;       /* "lr,val_loss": these behind name and status; NULL: chosen here */
  const char *const *asked;  /* names the user filtered or sorted by, ended by NULL: shown where they vary */
} rnl_columns_wanted;

/* The list as a table for `width` columns of a terminal (0: as wide as need be). By itself: name, status, parameters
 * that differ among runs of one experiment, start, epochs, losses, time, tags; what has no room is named below. */
rnl_status rnl_columns_write(rnl_buffer *out, const json_t *list, const rnl_columns_wanted *wanted, bool color,
                             int width, rnl_error *err);

#endif
