/* app/face.h owns the way from a command to its Lua module (lua/rnnlab/runner.lua and its like). */
#ifndef RNL_APP_FACE_H
#define RNL_APP_FACE_H

#include <lua.h>
#include <stdbool.h>

#include "app/args.h"

/* Call require(module)[function](t) in a new Lua state and return the exit code it gives. t holds the command line:
 * overrides (a list of "key=value"), words, results, plot (false after --no-plot), and every option that was given by
 * its name with _ for -: true for a flag, else its value (seconds and bytes as numbers). `fill` (may be NULL) adds the
 * command's own, the table being on top of the stack. An error is told in one line. */
int rnl_face_call(const char *module, const char *function, const rnl_args *args,
                  void (*fill)(lua_State *L, const rnl_args *args));

/* Does the first word mean a sweep, and not a run? */
bool rnl_means_sweep(const rnl_args *args);

/* Do the first `words` words mean something that is stored, of `kinds` (RNL_FIND_RUN | RNL_FIND_SWEEP, store/run.h)?
 * RNL_EXIT_OK, or the exit code after one line that says which does not. */
int rnl_face_find(const rnl_args *args, int words, int kinds);

#endif
