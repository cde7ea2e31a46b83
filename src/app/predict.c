/* app/predict.c: rnnlab predict RUN FILE; the work is in lua/rnnlab/predict.lua. */
#include "app/command.h"
#include "app/face.h"
#include "app/output.h"
#include "store/run.h"

static const rnl_option
  input = {"input", RNL_TEXT, "FILE", "the data, in place of the word FILE", 0},
  columns = {"columns", RNL_TEXT, "LIST", "csv: these columns are the features, by name or number: x1,x3", 0},
  array = {"array", RNL_TEXT, "NAME", "npz: the array to take (default: x, or the only one)", 0};

static int call(const rnl_args *args) {
  int code = rnl_face_find(args, 1, RNL_FIND_RUN);
  return code != RNL_EXIT_OK ? code : rnl_face_call("rnnlab.predict", "predict", args, NULL);
}

const rnl_command rnl_command_predict = {
  .name = "predict",
  .usage = "RUN FILE.csv|npy|npz [options]",
  .summary = "a trained network on new data",
  .about =
    "Feeds the data to the run's network, as its copy of the script builds it, with the stored weights.\n"
    "The run's folder is all it needs, also on another machine: RUN is a name, the beginning of one,\n"
    "`last`, or a folder with a slash in it. Data must be as the network saw them: what the script\n"
    "did to its inputs (scaling, say) is to be done to these.\n"
    "\n"
    "  .csv         a row a step, a column a feature; names in the first line are optional. A column\n"
    "               `sequence` tells sequences apart, a column `t` is copied\n"
    "  .npy, .npz   (batch, time, feature), or (time, feature) for one sequence; symbols (batch, time).\n"
    "               npz: the array x, with lengths where sequences end early\n"
    "\n"
    "Without --output the predictions are printed as csv, with --json as one object. --output writes csv,\n"
    "npy, npz (x and y) or json, as its name ends.",
  .examples =
    "  rnnlab predict last new.csv\n"
    "  rnnlab predict tutorial8-q2-7 new.npy -o predicted.npy\n"
    "  rnnlab predict ./from-the-cluster/adding-mgu-3 test.npz --array test_x -o predicted.csv",
  .options = (const rnl_option *const[]){&input, &rnl_option_output, &columns, &array, &rnl_option_trust,
                                         &rnl_option_quiet, NULL},
  .min_words = 1,
  .max_words = -1,
  .exits = "  0      done\n"
           "  1      the run has no network, or the data do not fit it\n"
           "  2      the command line is wrong",
  .call = call,
};
