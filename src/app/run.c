/* app/run.c: rnnlab run SCRIPT.lua; the work is in lua/rnnlab/runner.lua. */
#include "app/command.h"
#include "app/face.h"

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "script");
}

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.runner", "run", args, fill); }

const rnl_command rnl_command_run = {
  .name = "run",
  .usage = "SCRIPT.lua [key=value ...] [options]",
  .summary = "run one experiment",
  .about =
    "Runs the experiment that the script returns. Its parameters are set by key=value; seed, data_seed,\n"
    "dtype and threads are parameters of every script. The run is kept in the results folder: run.json,\n"
    "a copy of the script, metrics.csv, the model, its predictions and figures.\n"
    "\n"
    "Ctrl-C ends the training; the run is closed, listed as `interrupted` and can be plotted. A second\n"
    "Ctrl-C, half a second later or more, ends the program at once. A script without a loss is a forward\n"
    "pass: its result is printed.",
  .examples =
    "  rnnlab run scripts/tutorial8_q2.lua\n"
    "  rnnlab run scripts/tutorial8_q2.lua cell=jordan lr=0.003 --seed 2\n"
    "  rnnlab run scripts/tutorial8_q1a.lua --steps\n"
    "  rnnlab run experiment.lua epochs=500 --no-plot --json",
  .options = RNL_OPT_SEED | RNL_OPT_STEPS | RNL_OPT_NO_PLOT | RNL_OPT_PREVIEW | RNL_OPT_TRUST | RNL_OPT_QUIET,
  .settings = true,
  .min_words = 1,
  .max_words = 1,
  .exits = "  0      the run finished\n"
           "  1      the script or the run failed, or its loss became NaN or infinite\n"
           "  2      the command line is wrong: no such script, unknown parameter, value out of range\n"
           "  128+n  stopped by signal n (130 for Ctrl-C); what was trained is kept",
  .call = call,
};
