/* app/cluster.c: rnnlab sweep-status, collect and cancel; the work is in lua/rnnlab/sweep/cluster.lua. */
#include "app/command.h"
#include "app/face.h"

static const rnl_option finish = {"finish", RNL_WHOLE, "SLOT", "run what is missing first, as this slot", 0},
                        jobs = {"jobs", RNL_WHOLE, "N", "workers of --finish (default: 1)", 'j'};

static int call_status(const rnl_args *args) { return rnl_face_call("rnnlab.sweep.cluster", "status", args, NULL); }
static int call_collect(const rnl_args *args) { return rnl_face_call("rnnlab.sweep.cluster", "collect", args, NULL); }
static int call_cancel(const rnl_args *args) { return rnl_face_call("rnnlab.sweep.cluster", "cancel", args, NULL); }

const rnl_command rnl_command_sweep_status = {
  .name = "sweep-status",
  .usage = "SWEEP [options]",
  .summary = "how a sweep on a cluster, or here, stands",
  .about =
    "Prints how many trials have ended and how, the best so far, and, of a sweep that was submitted to\n"
    "Slurm, the states of its tasks. It reads the sweep's journals; of Slurm it needs squeue alone.",
  .examples = "  rnnlab sweep-status last\n  rnnlab sweep-status adding-mgu-sweep-2 --json",
  .min_words = 1,
  .max_words = 1,
  .call = call_status,
};

const rnl_command rnl_command_collect = {
  .name = "collect",
  .usage = "SWEEP [options]",
  .summary = "take what a cluster's tasks have done so far into the index",
  .about =
    "Writes what has ended by now into the sweep's sweep.json and the index of the results folder, and\n"
    "prints how it stands; at any time, and any number of times. A trial that ran twice counts once. A job\n"
    "that waits for the end of all others does it, too: it runs what they left with --finish.",
  .examples = "  rnnlab collect last\n  rnnlab collect adding-mgu-sweep-2 --json",
  .options = (const rnl_option *const[]){&finish, &jobs, &rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = 1,
  .call = call_collect,
};

const rnl_command rnl_command_cancel = {
  .name = "cancel",
  .usage = "SWEEP [options]",
  .summary = "end a sweep's jobs on a cluster",
  .about =
    "Cancels all jobs of the sweep that run or wait, waits until they have ended (they write checkpoints\n"
    "first; 30 seconds at most), and collects what they have done. rnnlab resume SWEEP submits it again,\n"
    "--launcher local runs the rest here.",
  .examples = "  rnnlab cancel last",
  .options = (const rnl_option *const[]){&rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = 1,
  .call = call_cancel,
};
