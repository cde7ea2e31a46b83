/* base/child.c: posix_spawn, one pipe for what the program says, and a wait that ends. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/host.h"

extern char **environ;

/* Ours in front of the environment's, without its own of the same names. The array alone is owned. */
static char **environment_with(const char *const *variables) {
  size_t n = 0, own = 0, k = 0;
  while (environ && environ[n]) n++;
  while (variables && variables[own]) own++;
  char **list = rnl_alloc(n + own + 1, sizeof *list);
  if (!list) return NULL;
  for (size_t i = 0; i < own; i++) list[k++] = (char *)variables[i];
  for (size_t i = 0; i < n; i++) {
    bool replaced = false;
    size_t length = strcspn(environ[i], "=") + 1;
    for (size_t j = 0; j < own && !replaced; j++) replaced = strncmp(environ[i], variables[j], length) == 0;
    if (!replaced) list[k++] = environ[i];
  }
  return list;
}

/* Returns errno's value. */
static int start(const rnl_child *child, int output, pid_t *pid) {
  char **environment = environment_with(child->variables);
  if (!environment) return ENOMEM;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
      sigset_t none, defaults;
      const int reset[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM};
      sigemptyset(&none);
      sigemptyset(&defaults);
      for (size_t i = 0; i < sizeof reset / sizeof *reset; i++) sigaddset(&defaults, reset[i]);
      posix_spawnattr_setsigmask(&attributes, &none);
      posix_spawnattr_setsigdefault(&attributes, &defaults);
      posix_spawnattr_setpgroup(&attributes, 0); /* a Ctrl-C at the terminal is ours to answer */
      posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
      error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
      if (!error) error = posix_spawn_file_actions_adddup2(&actions, output, 1);
      if (!error) error = posix_spawn_file_actions_adddup2(&actions, output, 2);
      if (!error && child->folder) error = posix_spawn_file_actions_addchdir_np(&actions, child->folder);
      if (!error)
        error = posix_spawnp(pid, child->arguments[0], &actions, &attributes, (char *const *)child->arguments,
                             environment);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  rnl_free(environment);
  return error;
}

/* Read what is there. False at the end of the pipe. */
static bool drain(int fd, rnl_buffer *said) {
  char block[8192];
  for (;;) {
    ssize_t n = read(fd, block, sizeof block);
    if (n > 0) {
      if (said->length < RNL_CHILD_SAID_MAX) rnl_buffer_append(said, block, (size_t)n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else {
      return n < 0 && errno == EAGAIN;
    }
  }
}

typedef enum ending { ENDED, TOO_LATE, STOPPED } ending;

/* Until the child has ended; *status gets waitpid's, -1 where the caller's process reaps its children by itself. */
static ending wait_for(const rnl_child *child, pid_t pid, int fd, rnl_buffer *said, int *status) {
  double deadline = rnl_time_monotonic() + child->timeout_s;
  bool open = true;
  ending how = ENDED;
  for (;;) {
    if (open) {
      struct pollfd wanted = {.fd = fd, .events = POLLIN};
      poll(&wanted, 1, 20);
      open = drain(fd, said);
    } else {
      nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    pid_t ended = waitpid(pid, status, WNOHANG);
    if (ended == pid || (ended < 0 && errno == ECHILD)) {
      if (open) drain(fd, said);
      if (ended != pid) *status = -1;
      return how;
    }
    bool late = rnl_time_monotonic() > deadline, stopped = child->stop && *child->stop;
    if (how == ENDED && (late || stopped)) {
      kill(-pid, SIGKILL);
      kill(pid, SIGKILL);
      how = stopped ? STOPPED : TOO_LATE;
    }
  }
}

rnl_status rnl_child_run(const rnl_child *child, rnl_buffer *said, int *code, rnl_error *err) {
  const char *name = child->arguments[0];
  int ends[2], status = 0;
  pid_t pid = -1;
  if (pipe2(ends, O_CLOEXEC) != 0)
    return rnl_fail(err, RNL_ERR_IO, "%s cannot be started: pipe: %s", name, strerror(errno));
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  int error = start(child, ends[1], &pid);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return rnl_fail(err, error == ENOENT ? RNL_ERR_NOT_FOUND : RNL_ERR_IO, "%s cannot be started%s%s: %s", name,
                    child->folder ? " in " : "", child->folder ? child->folder : "", strerror(error));
  }
  ending how = wait_for(child, pid, ends[0], said, &status);
  close(ends[0]);
  if (how == STOPPED) return rnl_fail(err, RNL_ERR_INTERRUPTED, "stopped by signal %d", *child->stop);
  if (how == TOO_LATE)
    return rnl_fail(err, RNL_ERR_IO, "%s was stopped: it took more than %g s", name, child->timeout_s);
  *code = status == -1 ? 0 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return RNL_OK;
}
