/* app/command.c: the table of commands, their help, and the way from the command line to one of them. */
#include "app/command.h"

#include <stdio.h>
#include <string.h>

#include "app/output.h"

const rnl_command *const rnl_commands[] = {
  &rnl_command_run,
  &rnl_command_sweep,
  &rnl_command_sweep_status,
  &rnl_command_collect,
  &rnl_command_cancel,
  &rnl_command_best,
  &rnl_command_resume,
  &rnl_command_verify,
  &rnl_command_predict,
  &rnl_command_check,
  &rnl_command_new,
  &rnl_command_ls,
  &rnl_command_show,
  &rnl_command_compare,
  &rnl_command_plot,
  &rnl_command_report,
  &rnl_command_export,
  &rnl_command_tag,
  &rnl_command_untag,
  &rnl_command_note,
  &rnl_command_rm,
  &rnl_command_reindex,
  &rnl_command_repl,
  &rnl_command_doctor,
  &rnl_command_bench,
  &rnl_command_help,
  &rnl_command_version,
  &rnl_command_worker,
  NULL,
};

const rnl_command *rnl_command_find(const char *name) {
  for (int i = 0; rnl_commands[i]; i++)
    if (strcmp(rnl_commands[i]->name, name) == 0) return rnl_commands[i];
  return NULL;
}

int rnl_command_unknown(const char *name) {
  const char *names[sizeof rnl_commands / sizeof *rnl_commands];
  int n = 0;
  for (; rnl_commands[n]; n++) names[n] = rnl_commands[n]->name;
  names[n] = NULL;
  const char *near = rnl_nearest(name, names);
  size_t length = strlen(name);
  if (near) rnl_complain("no command '%s'; did you mean '%s'?", name, near);
  else if (length > 4 && strcmp(name + length - 4, ".lua") == 0)
    rnl_complain("no command '%s'; did you mean 'rnnlab run %s'?", name, name);
  else rnl_complain("no command '%s'; rnnlab help lists them", name);
  return RNL_EXIT_USAGE;
}

void rnl_command_help_text(rnl_buffer *out, const rnl_command *command) {
  rnl_buffer_printf(out, "rnnlab %s: %s\n\n", command->name, command->summary);
  rnl_buffer_printf(out, "Usage: rnnlab %s%s%s\n\n", command->name, *command->usage ? " " : "",
                    command->usage);
  rnl_buffer_printf(out, "%s\n\n", command->about);
  rnl_args_describe(out, command->options);
  rnl_buffer_printf(out, "\nExamples:\n%s\n\nExit codes:\n%s\n", command->examples,
                    command->exits ? command->exits
                                   : "  0      done\n"
                                     "  1      failed\n"
                                     "  2      the command line is wrong\n"
                                     "  128+n  stopped by signal n");
}

void rnl_command_list_text(rnl_buffer *out) {
  rnl_buffer_text(out,
                  "rnnlab trains recurrent networks from Lua experiment scripts.\n\n"
                  "Usage: rnnlab COMMAND [words] [key=value ...] [options]\n\nCommands:\n");
  for (int i = 0; rnl_commands[i]; i++)
    rnl_buffer_printf(out, "  %-12s  %s\n", rnl_commands[i]->name, rnl_commands[i]->summary);
  rnl_buffer_text(out,
                  "\nEvery command takes --json, --results DIR and --help.\n"
                  "To begin: rnnlab new first, then rnnlab run first.lua\n");
}

static int complain_and_free(rnl_buffer *text) {
  fflush(stdout);
  fwrite(rnl_buffer_string(text), 1, text->length, stderr);
  rnl_buffer_free(text);
  return RNL_EXIT_USAGE;
}

rnl_status rnl_command_parse(rnl_args *out, int argc, char **argv, rnl_error *err) {
  const rnl_option *const *known[sizeof rnl_commands / sizeof *rnl_commands];
  int n = 0;
  for (int i = 0; rnl_commands[i]; i++)
    if (rnl_commands[i]->options) known[n++] = rnl_commands[i]->options;
  known[n] = NULL;
  return rnl_args_parse(out, known, argc, argv, err);
}

int rnl_command_main(const rnl_args *args) {
  rnl_error err;
  if (!args->command) {
    if (rnl_args_has(args, &rnl_option_version)) return rnl_command_version.call(args);
    if (rnl_args_has(args, &rnl_option_help)) return rnl_command_help.call(args);
    if (args->unknown || args->setting_count) {
      rnl_complain("no command before '%s'; rnnlab help lists them",
                   args->unknown ? args->unknown : args->settings[0]);
      return RNL_EXIT_USAGE;
    }
    rnl_buffer text = {0};
    rnl_command_list_text(&text);
    return complain_and_free(&text);
  }
  const rnl_command *command = rnl_command_find(args->command);
  if (!command) return rnl_command_unknown(args->command);
  if (rnl_args_has(args, &rnl_option_help)) {
    rnl_buffer text = {0};
    rnl_command_help_text(&text, command);
    rnl_put(&text);
    rnl_buffer_free(&text);
    return RNL_EXIT_OK;
  }
  if (rnl_args_check(args, command->options, command->settings, &err) != RNL_OK) {
    rnl_complain("%s", err.text);
    return RNL_EXIT_USAGE;
  }
  if (args->word_count < command->min_words) {
    rnl_complain("usage: rnnlab %s %s", command->name, command->usage);
    return RNL_EXIT_USAGE;
  }
  if (command->max_words >= 0 && args->word_count > command->max_words) {
    rnl_complain("'%s' is one word too many; usage: rnnlab %s%s%s", args->words[command->max_words],
                 command->name, *command->usage ? " " : "", command->usage);
    return RNL_EXIT_USAGE;
  }
  return command->call(args);
}
