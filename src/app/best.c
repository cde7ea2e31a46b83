/* app/best.c: rnnlab best SWEEP; the work is in lua/rnnlab/sweep/results.lua. */
#include "app/command.h"
#include "app/face.h"

static const rnl_option
  rerun = {"rerun", RNL_WHOLE, "N", "run it on N fresh seeds, and judge it on the test data too", 0},
  config = {"config", RNL_WHOLE, "N", "not the best: this configuration", 0};

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.sweep.results", "best", args, NULL); }

const rnl_command rnl_command_best = {
  .name = "best",
  .usage = "SWEEP [options]",
  .summary = "the best configuration of a sweep",
  .about =
    "Prints the parameters of a sweep's best configuration, its value (over several seeds: mean,\n"
    "deviation and Student's 95 % interval), and the command line that runs it again.\n"
    "\n"
    "The best of many is better than it is: it was chosen for its luck, too. --rerun 20 trains it with\n"
    "20 seeds that no trial had, as a sweep of its own, which show and report know as a rerun; only there\n"
    "test data is looked at.",
  .examples = "  rnnlab best last\n  rnnlab best tutorial8-q2-sweep-1 --rerun 20\n"
              "  rnnlab best adding-mgu-sweep-2 --json",
  .options = (const rnl_option *const[]){&rerun, &config, &rnl_option_jobs, &rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = 1,
  .call = call,
};
