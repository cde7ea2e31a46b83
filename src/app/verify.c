/* app/verify.c: rnnlab verify RUN; the work is in lua/rnnlab/verify.lua. */
#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "store/run.h"

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "run");
}

static int call(const rnl_args *args) {
  int code = rnl_face_find(args, 1, RNL_FIND_RUN);
  return code != RNL_EXIT_OK ? code : rnl_face_call("rnnlab.verify", "verify", args, fill);
}

const rnl_command rnl_command_verify = {
  .name = "verify",
  .usage = "RUN [options]",
  .summary = "run it again and compare, to the bit",
  .about =
    "Runs a finished run again, from the copy of the script in its folder, with the parameters it was\n"
    "started with, and compares every row of metrics.csv and all weights to the bit. Says `identical`, or\n"
    "from which epoch it differs, by how much, and what of the machine and the versions is not the same.\n"
    "RUN is its name, a prefix that only one run has, or `last`. The run itself is not touched.",
  .examples = "  rnnlab verify last\n  rnnlab verify tutorial8-q2-7 --json",
  .min_words = 1,
  .max_words = 1,
  .exits = "  0      identical\n"
           "  1      it differs, or cannot be run again\n"
           "  2      the command line is wrong\n"
           "  128+n  stopped by signal n",
  .call = call,
};
