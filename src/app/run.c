/* app/run.c: rnnlab run SCRIPT.lua; the work is in lua/rnnlab/runner.lua. */
#include "app/command.h"
#include "app/face.h"

static const rnl_option steps = {"steps", RNL_FLAG, NULL,
  "print the intermediate products of every time step", 0};

static const rnl_option live = {"live", RNL_FLAG, NULL,
  "draw the learning curve in the terminal while it trains", 0};

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
    "Ctrl-C (or SIGTERM, SIGHUP, SIGUSR1) ends the training after the step under way, with a\n"
    "checkpoint: the run is listed as `interrupted`, can be plotted, and `rnnlab resume` goes on with it\n"
    "to the bit. A second Ctrl-C, a fifth of a second later or more, ends the program at once. A run\n"
    "that is killed goes on from its last checkpoint (--checkpoint-every). A script without a loss is a\n"
    "forward pass: its result is printed.",
  .examples =
    "  rnnlab run scripts/tutorial8_q2.lua\n"
    "  rnnlab run scripts/tutorial8_q2.lua cell=jordan lr=0.003 --seed 2\n"
    "  rnnlab run scripts/tutorial8_q1a.lua --steps\n"
    "  rnnlab run experiment.lua epochs=500 --no-plot --json",
  .options = (const rnl_option *const[]){&rnl_option_seed, &steps, &rnl_option_checkpoint_every,
                                         &rnl_option_no_plot, &rnl_option_preview, &live,
                                         &rnl_option_trust, &rnl_option_quiet, NULL},
  .settings = true,
  .min_words = 1,
  .max_words = 1,
  .exits = "  0      the run finished\n"
           "  1      the script or the run failed, or its loss became NaN or infinite\n"
           "  2      the command line is wrong: no such script, unknown parameter, value out of range\n"
           "  128+n  stopped by signal n (130 for Ctrl-C); what was trained is kept",
  .call = call,
};
