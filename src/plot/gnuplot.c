/* plot/gnuplot.c: see gnuplot.h. */
#include "plot/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

extern char **environ;

enum { SAID_MAX = 64 * 1024 }; /* more of its stderr is read and dropped */

/* ---- finding it ---------------------------------------------------------------------------------- */

static bool is_program(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The path made absolute, since the program is started in another folder. Links are kept: some programs
 * go by the name they were called by. */
static char *absolute(const char *path) {
  if (path[0] == '/') return rnl_strdup(path);
  char *here = getcwd(NULL, 0);
  rnl_buffer out = {0};
  rnl_buffer_printf(&out, "%s/%s", here ? here : ".", path);
  free(here);
  return rnl_buffer_take(&out);
}

static rnl_status found(char *path, char **out, rnl_error *err) {
  *out = path;
  return path ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory while looking for gnuplot");
}

rnl_status rnl_gnuplot_find(char **out, rnl_error *err) {
  *out = NULL;
  const char *own = getenv("RNNLAB_GNUPLOT");
  bool by_path = own && strchr(own, '/');
  if (by_path) {
    if (is_program(own)) return found(absolute(own), out, err);
  } else {
    const char *name = own && *own ? own : "gnuplot";
    const char *path = getenv("PATH");
    rnl_buffer candidate = {0};
    for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; p;) {
      const char *colon = strchr(p, ':');
      size_t n = colon ? (size_t)(colon - p) : strlen(p);
      rnl_buffer_clear(&candidate);
      rnl_buffer_append(&candidate, n ? p : ".", n ? n : 1);
      rnl_buffer_printf(&candidate, "/%s", name);
      if (!candidate.failed && is_program(candidate.data)) {
        char *full = absolute(candidate.data);
        rnl_buffer_free(&candidate);
        return found(full, out, err);
      }
      p = colon ? colon + 1 : NULL;
    }
    rnl_buffer_free(&candidate);
  }
  if (own && *own)
    return rnl_fail(err, RNL_ERR_NOT_FOUND,
                    "gnuplot was not found: RNNLAB_GNUPLOT is \"%s\", which is no program", own);
  return rnl_fail(err, RNL_ERR_NOT_FOUND,
                  "gnuplot was not found; install gnuplot-nox (Debian, Ubuntu), gnuplot (Fedora, Homebrew)");
}

/* ---- running it ---------------------------------------------------------------------------------- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The environment without gnuplot's own variables: its defaults are a user's, our figures' are not. The
 * locale is ours too: numbers with a point, and in the C locale gnuplot cannot convert to UTF-8. */
static char **clean_environment(void) {
  static char locale[] = "LC_ALL=C.UTF-8";
  size_t n = 0;
  while (environ[n]) n++;
  char **copy = rnl_alloc(n + 2, sizeof *copy);
  size_t kept = 0;
  for (size_t i = 0; copy && i < n; i++)
    if (strncmp(environ[i], "GNUTERM=", 8) != 0 && strncmp(environ[i], "GNUPLOT_", 8) != 0 &&
        strncmp(environ[i], "GNUFITLOG", 9) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0)
      copy[kept++] = environ[i];
  if (copy) copy[kept] = locale;
  return copy;
}

/* posix_spawn with stdin and stdout on /dev/null and stderr on the pipe. Returns errno's value. */
static int start(const char *program, const char *folder, char **argv, int stderr_end, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  char **environment = clean_environment();
  if (!environment) return ENOMEM;
  int error = posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
      sigset_t none, all;
      sigemptyset(&none);
      sigemptyset(&all);
      const int reset[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM};
      for (size_t i = 0; i < sizeof reset / sizeof *reset; i++) sigaddset(&all, reset[i]);
      posix_spawnattr_setsigmask(&attributes, &none);
      posix_spawnattr_setsigdefault(&attributes, &all);
      posix_spawnattr_setpgroup(&attributes, 0); /* a Ctrl-C at the terminal is ours to answer */
      posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
      error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
      if (!error) error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
      if (!error) error = posix_spawn_file_actions_adddup2(&actions, stderr_end, 2);
      if (!error && folder) error = posix_spawn_file_actions_addchdir_np(&actions, folder);
      if (!error) error = posix_spawn(pid, program, &actions, &attributes, argv, environment);
      posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  rnl_free(environment);
  return error;
}

/* Read what is there. False at the end of the pipe. */
static bool drain(int fd, rnl_buffer *said) {
  char block[4096];
  for (;;) {
    ssize_t n = read(fd, block, sizeof block);
    if (n > 0) {
      if (said->length < SAID_MAX) rnl_buffer_append(said, block, (size_t)n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else {
      return n < 0 && errno == EAGAIN;
    }
  }
}

/* Wait for the child, reading its stderr, at most until `deadline`. False: it had to be killed. *code gets
 * waitpid's status, -1 where the caller's process reaps its children by itself. */
static bool wait_for(pid_t pid, int fd, double deadline, rnl_buffer *said, int *code) {
  bool open = true, killed = false;
  for (double pause = 0.5;;) {
    if (open) {
      struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
      poll(&poll_fd, 1, 50);
      open = drain(fd, said);
    }
    int status = 0;
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid || (ended < 0 && errno == ECHILD)) {
      if (open) drain(fd, said);
      *code = ended == pid ? status : -1;
      return !killed;
    }
    if (!killed && now() > deadline) {
      kill(-pid, SIGKILL);
      kill(pid, SIGKILL);
      killed = true;
    }
    if (!open) { /* between the end of its stderr and its own end */
      struct timespec t = {.tv_nsec = (long)(pause * 1e6)};
      nanosleep(&t, NULL);
      if (pause < 20) pause *= 2;
    }
  }
}

/* The last line that says something: `"y.gp" line 3: undefined variable`. */
static void last_line(const char *said, char *out, size_t size) {
  const char *best = "", *end = best;
  for (const char *line = said; *line;) {
    const char *stop = strchr(line, '\n');
    if (!stop) stop = line + strlen(line);
    const char *first = line, *last = stop;
    while (first < last && strchr(" \t\r^", *first)) first++;
    if (first < last) best = first, end = last;
    line = *stop ? stop + 1 : stop;
  }
  size_t n = (size_t)(end - best) < size - 1 ? (size_t)(end - best) : size - 1;
  for (size_t i = 0; i < n; i++) out[i] = (unsigned char)best[i] < 0x20 || best[i] == 0x7F ? ' ' : best[i];
  out[n] = '\0';
}

rnl_status rnl_gnuplot_run(const char *program, const char *folder, const char *const *arguments,
                           double timeout_s, rnl_buffer *said, rnl_error *err) {
  size_t count = 0;
  while (arguments[count]) count++;
  char **argv = rnl_alloc(count + 3, sizeof *argv);
  if (!argv) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory while starting gnuplot");
  argv[0] = (char *)program;
  argv[1] = (char *)"-d";
  memcpy(argv + 2, arguments, count * sizeof *argv);
  int ends[2];
  pid_t pid = -1;
  if (pipe2(ends, O_CLOEXEC) != 0) {
    rnl_free(argv);
    return rnl_fail(err, RNL_ERR_IO, "gnuplot cannot be started: pipe: %s", strerror(errno));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  int error = start(program, folder, argv, ends[1], &pid);
  rnl_free(argv);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return rnl_fail(err, RNL_ERR_IO, "%s cannot be started%s%s: %s", program, folder ? " in " : "",
                    folder ? folder : "", strerror(error));
  }
  int code = 0;
  size_t before = said->length;
  bool in_time = wait_for(pid, ends[0], now() + timeout_s, said, &code);
  close(ends[0]);
  if (!in_time) return rnl_fail(err, RNL_ERR_IO, "gnuplot was stopped: it took more than %g s", timeout_s);
  if (code == 0 || code == -1) return RNL_OK;
  char line[400];
  last_line(rnl_buffer_string(said) + (said->length > before ? before : 0), line, sizeof line);
  if (WIFSIGNALED(code))
    return rnl_fail(err, RNL_ERR_IO, "gnuplot was ended by signal %d (%s)", WTERMSIG(code),
                    strsignal(WTERMSIG(code)));
  return rnl_fail(err, RNL_ERR_IO, "gnuplot failed (status %d)%s%s", WEXITSTATUS(code), line[0] ? ": " : "",
                  line);
}

/* ---- what it can do ------------------------------------------------------------------------------ */

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *at = words; (at = strstr(at, word)); at += n)
    if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\n' || at[n] == '\0')) return true;
  return false;
}

rnl_status rnl_gnuplot_info_get(rnl_gnuplot_info *out, rnl_error *err) {
  *out = (rnl_gnuplot_info){0};
  RNL_TRY(rnl_gnuplot_find(&out->path, err));
  const char *const arguments[] = {"-e",
                                   "print sprintf('version %.1f patchlevel ', GPVAL_VERSION)"
                                   ".GPVAL_PATCHLEVEL; "
                                   "print 'terminals '.GPVAL_TERMINALS",
                                   NULL};
  rnl_buffer said = {0};
  rnl_status status = rnl_gnuplot_run(out->path, NULL, arguments, 10, &said, err);
  if (status == RNL_OK) status = rnl_buffer_check(&said, "gnuplot's answer", err);
  if (status == RNL_OK) {
    const char *version = strstr(rnl_buffer_string(&said), "version "), *terminals = NULL;
    if (version) terminals = strstr(version, "terminals ");
    if (!terminals) {
      status = rnl_fail(err, RNL_ERR_IO, "%s does not answer as gnuplot does", out->path);
    } else {
      version += strlen("version ");
      size_t n = strcspn(version, "\n");
      if (n >= sizeof out->version) n = sizeof out->version - 1;
      memcpy(out->version, version, n);
      out->svg = has_word(terminals, "svg");
      out->pngcairo = has_word(terminals, "pngcairo");
      out->pdfcairo = has_word(terminals, "pdfcairo");
      out->cairolatex = has_word(terminals, "cairolatex");
    }
  }
  rnl_buffer_free(&said);
  if (status != RNL_OK) rnl_gnuplot_info_free(out);
  return status;
}

void rnl_gnuplot_info_free(rnl_gnuplot_info *info) {
  rnl_free(info->path);
  info->path = NULL;
}
