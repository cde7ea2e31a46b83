/* app/args.h owns the command line: options wherever they stand, key=value settings, words.
 *
 * An option is described once, by an rnl_option: those several commands share stand here, those of one command in its
 * own file. An option's name takes the same kind of value in every command that has it. */
#ifndef RNL_APP_ARGS_H
#define RNL_APP_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum rnl_option_kind {
  RNL_FLAG,    /* takes no value */
  RNL_TEXT,    /* any text but the empty one */
  RNL_WHOLE,   /* a whole number, 0 or more */
  RNL_REAL,    /* a finite number */
  RNL_SECONDS, /* a time > 0: 90, 90s, 5m, 2h, 1d; in seconds */
  RNL_BYTES    /* a size > 0: 500M, 2G, 1048576; in bytes */
} rnl_option_kind;

typedef struct rnl_option {
  const char *name;  /* without the dashes */
  rnl_option_kind kind;
  const char *value; /* what its value is called; NULL for a flag */
  const char *help;
  char letter;       /* -o for --output; 0: none */
} rnl_option;

extern const rnl_option rnl_option_json, rnl_option_results, rnl_option_help, rnl_option_version; /* every command's */
extern const rnl_option rnl_option_quiet, rnl_option_seed, rnl_option_trust, rnl_option_no_plot, rnl_option_preview,
  rnl_option_all, rnl_option_output, rnl_option_yes, rnl_option_checkpoint_every, rnl_option_jobs,
  rnl_option_timeout, rnl_option_launcher;

typedef struct rnl_given { /* an option that was given */
  const rnl_option *option;
  const char *text;        /* as typed; NULL for a flag */
  double number;           /* of the kinds that are numbers */
} rnl_given;

typedef struct rnl_args {
  const char *command;    /* NULL: none was given */
  int word_count;         /* behind the command, without options and settings */
  const char **words;
  int setting_count;      /* "lr=0.01", in the order given; --seed 3 is "seed=3" */
  char **settings;
  int given_count;        /* in the order given */
  rnl_given *given;
  const char *results;    /* --results, else "results" */
  const char *unknown;    /* the first option nobody knows, as typed; the rest is parsed all the same */
  const char *unknown_next; /* the word behind it, or NULL */
} rnl_args;

/* `known`: the option lists of all commands (each ended by NULL), ended by NULL. Pointers go into argv. ERR_ARG where
 * an option lacks its value, has one too many or one of the wrong kind. */
rnl_status rnl_args_parse(rnl_args *out, const rnl_option *const *const *known, int argc, char **argv,
                          rnl_error *err);
void rnl_args_free(rnl_args *args);

/* The last time the option was given, or NULL. */
const rnl_given *rnl_args_given(const rnl_args *args, const rnl_option *option);
static inline bool rnl_args_has(const rnl_args *args, const rnl_option *option) {
  return rnl_args_given(args, option) != NULL;
}

/* Fails (ERR_ARG, "did you mean", "write lr=0.01") where an option is unknown, or neither every command's nor one of
 * `allowed` (ended by NULL; may be NULL). */
rnl_status rnl_args_check(const rnl_args *args, const rnl_option *const *allowed, bool settings, rnl_error *err);

/* The "Options:" of a command's help. */
void rnl_args_describe(rnl_buffer *out, const rnl_option *const *options);

/* The candidate (a list ended by NULL) nearest to `word`, or NULL where none is near enough for
 * "did you mean". */
const char *rnl_nearest(const char *word, const char *const *candidates);

#endif
