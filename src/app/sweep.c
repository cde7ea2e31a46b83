/* app/sweep.c: rnnlab sweep SCRIPT.lua; the work is in lua/rnnlab/sweep/. */
#include "app/command.h"
#include "app/face.h"

static const rnl_option
  sampler = {"sampler", RNL_TEXT, "NAME", "grid, random, sobol or tpe", 0},
  trials = {"trials", RNL_WHOLE, "N", "configurations to try (default: all of a grid, else 100)", 0},
  repeats = {"repeats", RNL_WHOLE, "K", "train each with K seeds, and rank by the mean", 0},
  pruner = {"pruner", RNL_TEXT, "NAME[:KEY=N,...]",
            "end hopeless trials early: median[:startup=N], asha or hyperband[:first=EPOCHS,factor=N]", 0},
  objective = {"objective", RNL_TEXT, "METRIC", "what is minimised; max:METRIC is maximised; two: A,max:B", 0},
  deterministic = {"deterministic", RNL_FLAG, NULL,
                   "the same trials for any number of workers with tpe and pruners too", 0},
  keep = {"keep", RNL_TEXT, "WHICH", "run folders to keep: best:N, all or none (default: best:1)", 0},
  retries = {"retries", RNL_WHOLE, "N", "run a trial whose process was killed again, so often (default: 1)", 0},
  trial_timeout = {"trial-timeout", RNL_SECONDS, "TIME", "end a trial that takes longer", 0},
  trial_memory = {"trial-memory", RNL_BYTES, "SIZE", "end a trial that needs more memory (500M, 2G)", 0},
  stop_after = {"stop-after", RNL_WHOLE, "N", "stop once N configurations in a row brought nothing better", 0},
  fail_fast = {"fail-fast", RNL_FLAG, NULL, "stop at the first trial that fails", 0},
  dry_run = {"dry-run", RNL_FLAG, NULL, "print the trials, or the batch script, and run none", 0},
  partition = {"partition", RNL_TEXT, "NAME", "slurm: of the cluster", 0},
  account = {"account", RNL_TEXT, "NAME", "slurm: who pays for it", 0},
  time = {"time", RNL_TEXT, "TIME", "slurm: of a task, 30m, 12h, 1:30:00; one that needs more is queued again", 0},
  cpus = {"cpus", RNL_WHOLE, "N", "slurm: of a task, and workers in it (default: 1)", 0},
  nodes_max = {"nodes-max", RNL_WHOLE, "N", "slurm: tasks at once, each on one node (default: 8)", 0},
  sbatch = {"sbatch", RNL_TEXT, "WORDS", "slurm: more of its options, \"--qos=long --mem=4G\"", 0};

static int call(const rnl_args *args) { return rnl_face_call("rnnlab.sweep.command", "sweep", args, NULL); }

const rnl_command rnl_command_sweep = {
  .name = "sweep",
  .usage = "SCRIPT.lua [key=SPACE ...] [key ...] [options]",
  .summary = "run an experiment many times, over every core",
  .about =
    "Tries the experiment with many values of its parameters and ranks them. A SPACE is a list of\n"
    "values, 4,8,16, a range, 4..64, with a step, 0..10/2, or in the logarithm, log:1e-4..1e-1; a bare\n"
    "name sweeps the range the script declares. key=VALUE fixes a parameter for all trials. What is not\n"
    "said here is taken from the script's sweep = { \"hidden\", \"lr\", trials = 200 }.\n"
    "\n"
    "The objective is val_loss where the script has validation data, else loss. Without --sampler,\n"
    "choices and stepped ranges are tried as a grid; else tpe proposes what looks best. Every trial is\n"
    "in the journals of results/SWEEP/ as soon as it ends; rnnlab resume SWEEP goes on after a stop, with\n"
    "trials that were cut from their checkpoints (--checkpoint-every).\n"
    "\n"
    "--launcher slurm submits it as a job array and returns; results/ must be on a file system that\n"
    "the nodes share. rnnlab sweep-status, collect and cancel do what their names say.",
  .examples =
    "  rnnlab sweep scripts/tutorial8_q2.lua hidden=4,8,16 lr=log:1e-4..1e-1 epochs=500\n"
    "  rnnlab sweep scripts/tutorial8_q2.lua hidden=2..10/2 cell=elman,lstm --repeats 5\n"
    "  rnnlab sweep scripts/adding_mgu.lua --trials 50 --pruner asha:first=10\n"
    "  rnnlab sweep scripts/tutorial8_q2.lua lr hidden --sampler sobol --trials 64 --dry-run\n"
    "  rnnlab sweep scripts/adding_mgu.lua --launcher slurm --partition cpu --time 2h --cpus 8 --nodes-max 20",
  .options = (const rnl_option *const[]){&sampler, &trials, &repeats, &pruner, &objective, &rnl_option_jobs,
                                         &rnl_option_launcher,
                                         &deterministic, &keep, &retries, &rnl_option_timeout, &trial_timeout,
                                         &trial_memory, &rnl_option_checkpoint_every,
                                         &stop_after, &fail_fast, &dry_run, &rnl_option_seed, &rnl_option_trust,
                                         &rnl_option_quiet, &partition, &account, &time, &cpus, &nodes_max, &sbatch,
                                         NULL},
  .settings = true,
  .min_words = 1,
  .max_words = -1,
  .exits = "  0      done, or its --timeout is over (rnnlab resume goes on)\n"
           "  1      the script is wrong, or no trial finished\n"
           "  2      the command line is wrong: no such parameter, an empty range, an objective nobody reports\n"
           "  128+n  stopped by signal n; rnnlab resume goes on",
  .call = call,
};
