/* app/check.c: rnnlab check SCRIPT.lua; the work is in lua/rnnlab/runner.lua. */
#include "app/command.h"
#include "app/face.h"

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "script");
}

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.runner", "check", args, fill); }

const rnl_command rnl_command_check = {
  .name = "check",
  .usage = "SCRIPT.lua [key=value ...] [options]",
  .summary = "check a model's gradients against finite differences",
  .about =
    "Builds the script's data and model in float64 and compares the gradient of its loss, for each\n"
    "parameter tensor, with central differences of the loss. Prints a table with the largest relative\n"
    "error of each tensor. Nothing is trained and nothing is stored.",
  .examples =
    "  rnnlab check scripts/tutorial8_q2.lua\n"
    "  rnnlab check scripts/tutorial8_q2.lua cell=jordan hidden=3",
  .options = (const rnl_option *const[]){&rnl_option_seed, &rnl_option_trust, &rnl_option_quiet, NULL},
  .settings = true,
  .min_words = 1,
  .max_words = 1,
  .exits = "  0      every gradient agrees\n"
           "  1      one does not, or the script failed\n"
           "  2      the command line is wrong",
  .call = call,
};
