/* base/git.h owns the git state a run records: commit, branch, and whether tracked files were changed.
 *
 * The commit is read from the files of .git without starting git. Only `dirty` needs git itself: it is
 * started at once, runs beside the training, and is asked at the end:
 *
 *     rnl_git *git = rnl_git_start("scripts");       at the start
 *     rnl_git_state state;
 *     rnl_git_peek(git, &state);                     the commit and branch, dirty not yet known (-1)
 *     ...
 *     rnl_git_finish(git, 2.0, &state);              waits at most so many seconds
 *
 * A repository somebody else packed may name programs in its own configuration (filters, fsmonitor);
 * git is started with these off, and not at all where they cannot be: dirty is then unknown. */
#ifndef RNL_BASE_GIT_H
#define RNL_BASE_GIT_H

#include <stdbool.h>

typedef struct rnl_git_state {
  bool found;       /* the folder is in a repository that has a commit */
  char commit[72];  /* 40 or 64 hexadecimal digits, "" */
  char branch[128]; /* "main"; "" where HEAD is detached */
  int dirty;        /* 1: tracked files differ from the commit, 0: they do not, -1: not known (no git, too
                       slow). Untracked files do not count: results/ itself is often one. */
} rnl_git_state;

typedef struct rnl_git rnl_git;

/* Never fails: NULL where memory is out, which finish takes. `folder` NULL or "" is ".". */
rnl_git *rnl_git_start(const char *folder);

/* What is known without waiting for git: all but dirty. */
void rnl_git_peek(const rnl_git *git, rnl_git_state *out);

/* Fills `out` (may be NULL) and frees `git`. wait_s = 0 asks without waiting. */
void rnl_git_finish(rnl_git *git, double wait_s, rnl_git_state *out);

#endif
