/* app/version.c: rnnlab version. */
#include "app/command.h"
#include "app/output.h"

static int call(const rnl_args *args) {
  if (rnl_args_has(args, &rnl_option_json)) {
    json_t *object = json_pack("{s:s}", "rnnlab", RNNLAB_VERSION);
    int code = rnl_put_json(object);
    json_decref(object);
    return code;
  }
  rnl_buffer text = {0};
  rnl_buffer_text(&text, "rnnlab " RNNLAB_VERSION "\n");
  rnl_put(&text);
  rnl_buffer_free(&text);
  return RNL_EXIT_OK;
}

const rnl_command rnl_command_version = {
  .name = "version",
  .usage = "",
  .summary = "the version",
  .about = "Prints rnnlab's version; `rnnlab doctor` prints those of the libraries it uses too.",
  .examples = "  rnnlab version",
  .call = call,
};
