/* app/report.c: rnnlab report RUN|SWEEP ... -o FILE; the work is in lua/rnnlab/report.lua. */
#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "store/run.h"

static const rnl_option option_title = {"title", RNL_TEXT, "TEXT", "the report's title (default: what is in it)", 0};

static int call(const rnl_args *args) {
  int code = rnl_face_find(args, args->word_count, RNL_FIND_ANY);
  return code != RNL_EXIT_OK ? code : rnl_face_call("rnnlab.report", "report", args, NULL);
}

const rnl_command rnl_command_report = {
  .name = "report",
  .usage = "RUN|SWEEP ... -o FILE.html|.md|.tex|.pdf [options]\n       rnnlab report --all -o SITE/",
  .summary = "a report of runs and sweeps, with their figures",
  .about =
    "Writes what was run and how to run it again, parameters (of several runs only what differs), metrics\n"
    "as mean ± deviation over the runs that differ only in their seed, and the figures. Runs and trials\n"
    "that failed or diverged are counted. Nothing is trained.\n"
    "\n"
    "The ending of FILE is its format. An .html is one file that needs no other. An .md or .tex has its\n"
    "figures beside it, in FILE's name with _figures. A .pdf is made by LuaLaTeX. --all writes a folder\n"
    "with an index.html and a page for each run and sweep; what has not changed is not written again.\n"
    "\n"
    "RUN is its name, a prefix that only one has, or `last`. The script may add sections of its own\n"
    "(report = function(r) ... end, see docs/reports.md); where that fails the rest is written and the\n"
    "exit code is 1.",
  .examples =
    "  rnnlab report last -o last.html\n"
    "  rnnlab report tutorial8-q2-1 tutorial8-q2-2 tutorial8-q2-3 -o seeds.pdf\n"
    "  rnnlab report --all -o site/",
  .options = (const rnl_option *const[]){&rnl_option_output, &rnl_option_all, &option_title, &rnl_option_quiet, NULL},
  .max_words = -1,
  .call = call,
};
