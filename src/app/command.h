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
  const rnl_option *const *options; /* besides every command's; ended by NULL; NULL: none */
  bool settings;       /* takes key=value */
  int min_words, max_words;
  const char *exits;   /* lines; NULL: the usual ones */
  int (*call)(const rnl_args *args); /* returns the exit code */
} rnl_command;

extern const rnl_command rnl_command_run, rnl_command_sweep, rnl_command_best, rnl_command_worker;
extern const rnl_command rnl_command_sweep_status, rnl_command_collect, rnl_command_cancel;
extern const rnl_command rnl_command_resume, rnl_command_verify, rnl_command_predict;
extern const rnl_command rnl_command_check, rnl_command_ls, rnl_command_show, rnl_command_plot,
  rnl_command_report, rnl_command_new, rnl_command_repl, rnl_command_doctor, rnl_command_bench, rnl_command_help,
  rnl_command_version;
extern const rnl_command rnl_command_compare, rnl_command_tag, rnl_command_untag, rnl_command_note, rnl_command_export,
  rnl_command_rm, rnl_command_reindex;

extern const rnl_command *const rnl_commands[]; /* in the order of the help; ended by NULL */

const rnl_command *rnl_command_find(const char *name); /* NULL: no such command */

/* rnl_args_parse with the options of all commands. */
rnl_status rnl_command_parse(rnl_args *out, int argc, char **argv, rnl_error *err);

/* Run the command of args, or complain; the exit code. */
int rnl_command_main(const rnl_args *args);

void rnl_command_help_text(rnl_buffer *out, const rnl_command *command);
void rnl_command_list_text(rnl_buffer *out); /* what `rnnlab help` prints */

/* Complain that there is no such command, with "did you mean"; exit code 2. */
int rnl_command_unknown(const char *name);

#endif
