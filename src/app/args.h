/* app/args.h owns the command line: options wherever they stand, key=value settings, words. */
#ifndef RNL_APP_ARGS_H
#define RNL_APP_ARGS_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum rnl_option {
  RNL_OPT_JSON = 1 << 0,
  RNL_OPT_RESULTS = 1 << 1,
  RNL_OPT_HELP = 1 << 2,
  RNL_OPT_QUIET = 1 << 3,
  RNL_OPT_NO_PLOT = 1 << 4,
  RNL_OPT_PREVIEW = 1 << 5,
  RNL_OPT_TRUST = 1 << 6,
  RNL_OPT_STEPS = 1 << 7,
  RNL_OPT_SEED = 1 << 8,
  RNL_OPT_VERSION = 1 << 9
} rnl_option;

enum { RNL_OPTS_ALL = RNL_OPT_JSON | RNL_OPT_RESULTS | RNL_OPT_HELP }; /* every command has these */

typedef struct rnl_args {
  const char *command;    /* NULL: none was given */
  int word_count;         /* behind the command, without options and settings */
  const char **words;
  int setting_count;      /* "lr=0.01", in the order given; --seed 3 is "seed=3" */
  char **settings;
  unsigned given;         /* rnl_option bits */
  const char *results;    /* --results, else "results" */
  const char *unknown;    /* the first option nobody knows, as typed; the rest is parsed all the same */
  const char *unknown_next; /* the word behind it, or NULL */
} rnl_args;

/* Pointers go into argv. ERR_ARG where an option lacks its value or has one too many. */
rnl_status rnl_args_parse(rnl_args *out, int argc, char **argv, rnl_error *err);
void rnl_args_free(rnl_args *args);

/* Fails (ERR_ARG, "did you mean", "write lr=0.01") where an option is unknown, or not one of `allowed`. */
rnl_status rnl_args_check(const rnl_args *args, unsigned allowed, bool settings, rnl_error *err);

/* The "Options:" of a command's help. */
void rnl_args_describe(rnl_buffer *out, unsigned options);

/* The candidate (a list ended by NULL) nearest to `word`, or NULL where none is near enough for
 * "did you mean". */
const char *rnl_nearest(const char *word, const char *const *candidates);

#endif
