/* app/resume.c: rnnlab resume RUN; the work is in lua/rnnlab/resume.lua. */
#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "store/run.h"

static const rnl_option force = {"force", RNL_FLAG, NULL,
  "also where the run may still run on another machine, or more epochs are not a longer run", 0};

static void fill(lua_State *L, const rnl_args *args) {
  lua_pushstring(L, args->words[0]);
  lua_setfield(L, -2, "run");
}

static int call(const rnl_args *args) {
  int code = rnl_face_find(args, 1, RNL_FIND_ANY);
  if (code != RNL_EXIT_OK) return code;
  if (rnl_means_sweep(args)) return rnl_face_call("rnnlab.sweep.command", "resume", args, NULL);
  return rnl_face_call("rnnlab.resume", "resume", args, fill);
}

const rnl_command rnl_command_resume = {
  .name = "resume",
  .usage = "RUN|SWEEP [epochs=N] [options]",
  .summary = "go on with a run or sweep that was stopped",
  .about =
    "Goes on with a run that was interrupted, killed, or failed, from its last checkpoint; where there is\n"
    "none it starts again from the beginning. RUN is its name, a prefix that only one run has, or `last`.\n"
    "\n"
    "What runs is the copy of the script in the run's folder, with the parameters it was started with. The\n"
    "weights and every row of metrics.csv are bitwise those of a run that was never stopped; where the\n"
    "machine is another one (CPU, instruction set, BLAS core) a line says so first.\n"
    "\n"
    "With epochs=N a finished run goes on past its end, and ends as a run of so many epochs does, to the\n"
    "bit. Where that cannot be (a schedule is spread over all epochs) it is refused unless --force says to\n"
    "go on all the same; where nothing would change (it stopped by itself) or no checkpoint was kept (a\n"
    "main; checkpoints off), a line says what to do. What it was at its first end stays in\n"
    "model-EPOCH.safetensors.\n"
    "\n"
    "Of a sweep it runs the trials that have not ended, and no others: from their checkpoints, to the same\n"
    "bits, where they were cut. One that was submitted to Slurm is submitted again, or run here with\n"
    "--launcher local.",
  .examples =
    "  rnnlab resume last\n"
    "  rnnlab resume tutorial8-q2-7 --no-plot --json\n"
    "  rnnlab resume tutorial8-q2-7 epochs=20000",
  .settings = true,
  .options = (const rnl_option *const[]){&rnl_option_checkpoint_every, &force, &rnl_option_no_plot,
                                         &rnl_option_preview, &rnl_option_quiet, &rnl_option_jobs,
                                         &rnl_option_timeout, &rnl_option_launcher, NULL},
  .min_words = 1,
  .max_words = 1,
  .exits = "  0      the run finished\n"
           "  1      there is nothing to go on with, or the run failed, or its loss became NaN or infinite\n"
           "  2      the command line is wrong\n"
           "  128+n  stopped by signal n once more",
  .call = call,
};
