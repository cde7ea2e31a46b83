/* app/command.h owns what a command is; command.c has the table of them all. Each is in the file of its
 * name. */
#ifndef RNL_APP_COMMAND_H
#define RNL_APP_COMMAND_H

#include "app/args.h"
#include "base/buffer.h"

typedef struct rnl_command {
  const char *name;
  const char *usage;   /* behind "rnnlab <name>" */
  const char *summary; /* one line, for the list of commands */
  const char *about;   /* paragraphs, lines at most 96 wide */
  const char *examples; /* lines, indented by two */
  unsigned options;    /* besides RNL_OPTS_ALL */
  bool settings;       /* takes key=value */
  int min_words, max_words;
  const char *exits;   /* lines; NULL: the usual ones */
  int (*call)(const rnl_args *args); /* returns the exit code */
} rnl_command;

extern const rnl_command rnl_command_run, rnl_command_check, rnl_command_ls, rnl_command_show,
  rnl_command_plot, rnl_command_new, rnl_command_repl, rnl_command_doctor, rnl_command_help,
  rnl_command_version;

extern const rnl_command *const rnl_commands[]; /* in the order of the help; ended by NULL */

const rnl_command *rnl_command_find(const char *name); /* NULL: no such command */

/* Run the command of args, or complain; the exit code. */
int rnl_command_main(const rnl_args *args);

void rnl_command_help_text(rnl_buffer *out, const rnl_command *command);
void rnl_command_list_text(rnl_buffer *out); /* what `rnnlab help` prints */

/* Complain that there is no such command, with "did you mean"; exit code 2. */
int rnl_command_unknown(const char *name);

#endif
