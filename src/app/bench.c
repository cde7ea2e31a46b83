/* app/bench.c: rnnlab bench; the work is in lua/rnnlab/bench.lua. */
#include "app/command.h"
#include "app/face.h"

static const rnl_option quick = {"quick", RNL_FLAG, NULL, "a few seconds: few repetitions, for a look", 0};

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.bench", "run", args, NULL); }

const rnl_command rnl_command_bench = {
  .name = "bench",
  .usage = "[NAME ...] [options]",
  .summary = "time training steps, beside OpenBLAS's products and the figures to be reached",
  .about =
    "Times forward, backward and update of fixed workloads in one run and prints medians: S (the\n"
    "tutorial's network), the same as a cell written in Lua, other small nets; LM (200 iterations of\n"
    "Levenberg-Marquardt on the tutorial's network); esn (a reservoir fitted by ridge regression); M, L\n"
    "and G (an LSTM of 128, of 512, a GRU of 512) against the time OpenBLAS's own sgemm takes for the\n"
    "same products, on one thread and two; then models side by side against one alone, where the two\n"
    "ways of computing cross, and what a sequence, a step, a layer costs as their number grows. Half a\n"
    "minute; NAMEs choose workloads. A missed figure is no failure.",
  .examples =
    "  rnnlab bench\n"
    "  rnnlab bench S S-lua M --json",
  .options = (const rnl_option *const[]){&quick, NULL},
  .min_words = 0,
  .max_words = 16,
  .exits = "  0      done, whatever the figures\n"
           "  2      the command line is wrong",
  .call = call,
};
