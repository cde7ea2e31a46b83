/* app/help.c: rnnlab help [COMMAND]. */
#include "app/command.h"
#include "app/output.h"

static int print_json(void) {
  json_t *list = json_array();
  for (int i = 0; rnl_commands[i]; i++)
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "command", rnl_commands[i]->name, "usage",
                                          rnl_commands[i]->usage, "summary", rnl_commands[i]->summary));
  int code = rnl_put_json(list);
  json_decref(list);
  return code;
}

static int call(const rnl_args *args) {
  if (rnl_args_has(args, &rnl_option_json)) return print_json();
  rnl_buffer text = {0};
  if (args->word_count == 0) {
    rnl_command_list_text(&text);
  } else {
    const rnl_command *command = rnl_command_find(args->words[0]);
    if (!command) return rnl_command_unknown(args->words[0]);
    rnl_command_help_text(&text, command);
  }
  rnl_put(&text);
  rnl_buffer_free(&text);
  return RNL_EXIT_OK;
}

const rnl_command rnl_command_help = {
  .name = "help",
  .usage = "[COMMAND]",
  .summary = "the commands, or one command's options",
  .about = "Without a word, lists the commands; with one, prints what `rnnlab COMMAND --help` prints.",
  .examples = "  rnnlab help\n  rnnlab help run",
  .max_words = 1,
  .call = call,
};
