/* app/new.c: rnnlab new NAME; the work is in lua/rnnlab/starter.lua. */
#include "app/command.h"
#include "app/face.h"

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "name");
}

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.starter", "new", args, fill); }

const rnl_command rnl_command_new = {
  .name = "new",
  .usage = "NAME",
  .summary = "write a commented script to start from",
  .about =
    "Writes NAME.lua (or NAME, where it ends in .lua): a small experiment that runs as it is, with\n"
    "comments on what to change. A file that exists is never overwritten.",
  .examples = "  rnnlab new first\n  rnnlab run first.lua",
  .options = (const rnl_option *const[]){&rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = 1,
  .call = call,
};
