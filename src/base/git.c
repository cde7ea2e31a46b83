/* base/git.c: reading .git, and one `git status` beside the run. */
#include "base/git.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/host.h"

extern char **environ;

enum { MAX_SMALL_FILE = 65536, MAX_PACKED_REFS = 64 << 20, MAX_SYMBOLIC_REFS = 5 };

struct rnl_git {
  rnl_git_state state;
  pid_t child; /* 0: none */
  int output;  /* its stdout; -1: none */
};

/* ---- reading .git --------------------------------------------------------------------------- */

/* The file folder/name without blanks at its end; NULL where it is missing or larger than cap. */
static char *read_text(const char *folder, const char *name, size_t cap) {
  char *path = rnl_path_join(folder, name);
  rnl_buffer text = { 0 };
  if (!path || rnl_file_read(path, cap, &text, NULL) != RNL_OK) {
    rnl_buffer_free(&text);
    rnl_free(path);
    return NULL;
  }
  rnl_free(path);
  while (text.length > 0 && isspace((unsigned char)text.data[text.length - 1])) text.length--;
  return rnl_buffer_take(&text);
}

static bool is_commit(const char *text) {
  size_t n = strspn(text, "0123456789abcdef");
  return (n == 40 || n == 64) && (text[n] == '\0' || isspace((unsigned char)text[n]));
}

static void take_commit(rnl_git_state *state, const char *text) {
  size_t n = strspn(text, "0123456789abcdef");
  memcpy(state->commit, text, n);
  state->commit[n] = '\0';
  state->found = true;
}

/* packed-refs: lines "<hash> <ref>". */
static bool find_packed(const char *common, const char *ref, rnl_git_state *state) {
  char *text = read_text(common, "packed-refs", MAX_PACKED_REFS);
  bool found = false;
  size_t n = strlen(ref);
  for (char *line = text; line && *line && !found;) {
    char *end = line + strcspn(line, "\n");
    if (is_commit(line)) {
      char *name = line + strcspn(line, " \n");
      if (*name == ' ' && (size_t)(end - name - 1) == n && strncmp(name + 1, ref, n) == 0) {
        take_commit(state, line);
        found = true;
      }
    }
    line = *end ? end + 1 : end;
  }
  rnl_free(text);
  return found;
}

static void read_head(const char *git_folder, const char *common, rnl_git_state *state) {
  char *text = read_text(git_folder, "HEAD", MAX_SMALL_FILE);
  for (int depth = 0; text && depth < MAX_SYMBOLIC_REFS; depth++) {
    if (is_commit(text)) {
      take_commit(state, text);
      break;
    }
    if (strncmp(text, "ref:", 4) != 0) break;
    const char *ref = text + 4 + strspn(text + 4, " \t");
    if (strstr(ref, "..") || ref[0] == '/') break;
    if (strncmp(ref, "refs/heads/", 11) == 0 && strlen(ref + 11) < sizeof state->branch)
      strcpy(state->branch, ref + 11);
    char *next = read_text(git_folder, ref, MAX_SMALL_FILE);
    if (!next) next = read_text(common, ref, MAX_SMALL_FILE);
    if (!next) {
      find_packed(common, ref, state);
      break;
    }
    rnl_free(text);
    text = next;
  }
  rnl_free(text);
}

/* The repository's folder for the working tree `tree`: tree/.git, or what a file of that name points
 * to (linked worktrees, submodules). NULL: `tree` is no working tree. */
static char *git_folder_of(const char *tree) {
  char *path = rnl_path_join(tree, ".git");
  struct stat info;
  if (!path || stat(path, &info) < 0) {
    rnl_free(path);
    return NULL;
  }
  if (S_ISDIR(info.st_mode)) return path;
  rnl_free(path);
  char *text = read_text(tree, ".git", MAX_SMALL_FILE), *target = NULL;
  if (text && strncmp(text, "gitdir:", 7) == 0)
    target = rnl_path_join(tree, text + 7 + strspn(text + 7, " \t"));
  rnl_free(text);
  return target;
}

/* Where a linked worktree keeps what it shares: <git>/commondir, else the folder itself. */
static char *common_folder_of(const char *git_folder) {
  char *text = read_text(git_folder, "commondir", MAX_SMALL_FILE);
  char *common = text ? rnl_path_join(git_folder, text) : rnl_strdup(git_folder);
  rnl_free(text);
  return common;
}

/* ---- git status ----------------------------------------------------------------------------- */

static bool config_is_plain(const char *folder, const char *name) {
  char *text = read_text(folder, name, MAX_SMALL_FILE);
  if (!text) {
    char *path = rnl_path_join(folder, name);
    bool missing = path && !rnl_path_exists(path);
    rnl_free(path);
    return missing; /* unreadable or huge: not plain */
  }
  /* A clean filter is a program `git status` runs; an include may bring one in. */
  bool plain = !strcasestr(text, "filter") && !strcasestr(text, "include");
  rnl_free(text);
  return plain;
}

/* The environment without GIT_*, which a hook or a user's shell may have pointed elsewhere. Owned:
 * the array only. */
static char **git_environment(void) {
  static const char *const ours[] = { "GIT_OPTIONAL_LOCKS=0", "GIT_ALLOW_PROTOCOL=none",
                                      "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0" };
  size_t n = 0, extra = sizeof ours / sizeof *ours, k = 0;
  while (environ && environ[n]) n++;
  char **list = rnl_alloc(n + extra + 1, sizeof *list);
  if (!list) return NULL;
  for (size_t i = 0; i < n; i++)
    if (strncmp(environ[i], "GIT_", 4) != 0) list[k++] = environ[i];
  for (size_t i = 0; i < extra; i++) list[k++] = (char *)(uintptr_t)ours[i];
  return list;
}

static bool make_pipe(int ends[2]) {
#ifdef __linux__
  return pipe2(ends, O_CLOEXEC) == 0;
#else
  if (pipe(ends) < 0) return false;
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return true;
#endif
}

static void start_status(rnl_git *git, const char *tree) {
  const char *const command[] = { "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c",
                                  "core.hooksPath=/dev/null", "-c", "safe.bareRepository=explicit",
                                  "-C", tree, "status", "--porcelain", "--untracked-files=no",
                                  "--ignore-submodules=all", NULL };
  char **environment = git_environment();
  int ends[2];
  if (!environment) return;
  if (!make_pipe(ends)) {
    rnl_free(environment);
    return;
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  bool good = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) == 0 &&
              posix_spawn_file_actions_adddup2(&actions, ends[1], 1) == 0 &&
              posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
              posix_spawnattr_setsigdefault(&attributes, &defaults) == 0 &&
              posix_spawnattr_setpgroup(&attributes, 0) == 0 && /* a Ctrl-C is meant for us */
              posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETPGROUP) == 0;
  pid_t child;
  if (good && posix_spawnp(&child, "git", &actions, &attributes, (char *const *)(uintptr_t)command,
                           environment) == 0) {
    git->child = child;
    git->output = ends[0];
  } else {
    close(ends[0]);
  }
  close(ends[1]);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  rnl_free(environment);
}

/* End the child for sure, but do not wait for one that is stuck in the kernel. */
static void abandon(pid_t child) {
  kill(child, SIGKILL);
  for (int i = 0; i < 100; i++) {
    pid_t done = waitpid(child, NULL, WNOHANG);
    if (done != 0 && !(done < 0 && errno == EINTR)) return;
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
  }
}

static int collect_status(rnl_git *git, double wait_s) {
  double deadline = rnl_time_monotonic() + wait_s;
  for (;;) {
    double left = deadline - rnl_time_monotonic();
    struct pollfd wanted = { .fd = git->output, .events = POLLIN };
    int ready = poll(&wanted, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
    if (ready < 0 && errno == EINTR && left > 0) continue;
    if (ready <= 0) break;
    char byte;
    ssize_t n = read(git->output, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) { /* a first line is answer enough */
      abandon(git->child);
      return 1;
    }
    if (n < 0) break;
    int status;
    pid_t done;
    do done = waitpid(git->child, &status, 0); /* its output is closed: it is about to end */
    while (done < 0 && errno == EINTR);
    return done == git->child && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
  }
  abandon(git->child);
  return -1;
}

/* ---- interface ------------------------------------------------------------------------------ */

rnl_git *rnl_git_start(const char *folder) {
  rnl_git *git = rnl_alloc(1, sizeof *git);
  if (!git) return NULL;
  git->state.dirty = -1;
  git->output = -1;
  char *real = realpath(folder && folder[0] ? folder : ".", NULL);
  char *tree = real ? rnl_strdup(real) : NULL, *git_folder = NULL;
  free(real);
  while (tree && !(git_folder = git_folder_of(tree)) && strcmp(tree, "/") != 0) {
    char *up = rnl_path_folder(tree);
    rnl_free(tree);
    tree = up;
  }
  if (git_folder) {
    char *common = common_folder_of(git_folder);
    if (common) read_head(git_folder, common, &git->state);
    if (git->state.found && config_is_plain(common, "config") &&
        config_is_plain(git_folder, "config.worktree"))
      start_status(git, tree);
    rnl_free(common);
  }
  rnl_free(git_folder);
  rnl_free(tree);
  return git;
}

void rnl_git_peek(const rnl_git *git, rnl_git_state *out) {
  *out = git ? git->state : (rnl_git_state){ .dirty = -1 };
}

void rnl_git_finish(rnl_git *git, double wait_s, rnl_git_state *out) {
  if (git && git->child) {
    git->state.dirty = collect_status(git, wait_s);
    close(git->output);
  }
  if (out) rnl_git_peek(git, out);
  rnl_free(git);
}
