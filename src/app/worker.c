/* app/worker.c: rnnlab worker, the process that runs trials; started by `rnnlab sweep`, not by hand. */
#include "app/command.h"
#include "app/face.h"
#include "app/signals.h"

static const rnl_option parent = {"parent", RNL_WHOLE, "PID", "end with this process", 0},
                        memory = {"memory", RNL_BYTES, "SIZE", "of a trial", 0},
                        self = {"self", RNL_FLAG, NULL, "take work from the folder, beside other slots", 0};

static int call(const rnl_args *args) {
  if (rnl_args_has(args, &parent)) rnl_signals_only_first();
  return rnl_face_call("rnnlab.sweep.worker", "main", args, NULL);
}

const rnl_command rnl_command_worker = {
  .name = "worker",
  .usage = "DIR SLOT [options]",
  .summary = "run trials of a sweep (started by rnnlab sweep)",
  .about =
    "A worker of the sweep in folder DIR. It is fed at descriptor 3 and answers at descriptor 4; how its\n"
    "trials ended is in DIR/journal-SLOT.jsonl before it tells. SIGTERM, SIGUSR1, SIGINT and SIGHUP end it\n"
    "after the step under way, with a checkpoint of every trial it was at in DIR/checkpoints/.\n"
    "\n"
    "With --self it is a slot of a cluster: it claims work in DIR/claims/, learns from the others'\n"
    "journals, and ends when nothing is left. Slots count from 1; one that is started again goes on with\n"
    "its own. Of workers it has one, or --jobs.",
  .examples = "  rnnlab worker results/tutorial8-q2-sweep-1 1 --parent 4711\n"
              "  rnnlab worker results/tutorial8-q2-sweep-1 7 --self --jobs 4",
  .options = (const rnl_option *const[]){&parent, &memory, &self, &rnl_option_jobs, &rnl_option_quiet, NULL},
  .min_words = 2,
  .max_words = 2,
  .call = call,
};
