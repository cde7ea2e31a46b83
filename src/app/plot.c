/* app/plot.c: rnnlab plot RUN [KIND ...]; the work is in lua/rnnlab/plotting.lua. */
#include "app/command.h"
#include "app/face.h"

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "run");
  lua_createtable(L, args->word_count - 1, 0);
  for (int i = 1; i < args->word_count; i++) {
    lua_pushstring(L, args->words[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setfield(L, -2, "kinds");
}

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.plotting", "plot", args, fill); }

const rnl_command rnl_command_plot = {
  .name = "plot",
  .usage = "RUN [KIND ...] [key=value ...] [options]",
  .summary = "draw a run's figures again, from its stored data",
  .about =
    "Draws the figures of a stored run as svg, png and pdf into its figures folder, without training.\n"
    "RUN is its name, a prefix that only one run has, or `last`. KIND names figures (all by default).\n"
    "show=3 picks the sequence that is shown.",
  .examples = "  rnnlab plot last\n  rnnlab plot tutorial8-q2-7 show=3\n  rnnlab plot last loss --preview",
  .options = RNL_OPT_PREVIEW | RNL_OPT_QUIET,
  .settings = true,
  .min_words = 1,
  .max_words = -1,
  .call = call,
};
