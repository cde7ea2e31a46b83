/* app/plot.c: rnnlab plot RUN [KIND ...]; the work is in lua/rnnlab/plotting.lua. */
#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "store/run.h"

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

static const rnl_option format = {"format", RNL_TEXT, "LIST",
  "svg, png, pdf, tex, with commas between (default: svg,png,pdf)", 0};

static int call(const rnl_args *args) {
  int code = rnl_face_find(args, 1, RNL_FIND_ANY);
  return code != RNL_EXIT_OK ? code : rnl_face_call("rnnlab.plotting", "plot", args, fill);
}

const rnl_command rnl_command_plot = {
  .name = "plot",
  .usage = "RUN|SWEEP [KIND ...] [key=value ...] [options]",
  .summary = "draw the figures of a run or sweep, from its stored data",
  .about =
    "Draws the figures of a stored run as svg, png and pdf into its figures folder, without training.\n"
    "RUN is its name, a prefix that only one run has, or `last`. KIND names figures; without any those\n"
    "are drawn that the run drew: prediction and loss, and what its script asks for beside them.\n"
    "\n"
    "  prediction   target and predicted over time, with residuals\n"
    "  loss         the learning curves, and gradient norms where the run kept them\n"
    "  states       every layer's states over one sequence\n"
    "  gates        the gates of an LSTM or GRU over one sequence\n"
    "  weights      the weight matrices\n"
    "  spectrum     eigenvalues of the recurrent matrices in the unit circle\n"
    "  pca          the way of the states through their principal components\n"
    "  NAME         a figure of the script's own: figures = { NAME = function(run) ... end }\n"
    "\n"
    "Of a sweep: history, slice, contour, parallel, importance, curves, repeats, pareto.\n"
    "\n"
    "show=3 picks the sequence that is shown. tex writes a file that compiles by itself and can be\n"
    "\\input into a paper, whose type its text then takes.",
  .examples =
    "  rnnlab plot last\n"
    "  rnnlab plot tutorial8-q2-7 prediction show=3\n"
    "  rnnlab plot last states weights spectrum --format tex,pdf -o paper/figures\n"
    "  rnnlab plot last loss --preview\n"
    "  rnnlab plot tutorial8-sweep-2 history contour",
  .options = (const rnl_option *const[]){&format, &rnl_option_output, &rnl_option_preview, &rnl_option_quiet, NULL},
  .settings = true,
  .min_words = 1,
  .max_words = -1,
  .call = call,
};
