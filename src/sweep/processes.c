/* sweep/processes.c: see processes.h. libuv's callbacks only put events into a queue. */
#include "sweep/processes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/buffer.h"

typedef struct child {
  int id;
  rnl_processes *owner;
  uv_process_t process;
  uv_pipe_t in, out;     /* as the child sees them */
  bool has_in, in_open, out_open, running, ended, told;
  int handles;           /* not closed yet */
  int code, signal;
  rnl_buffer read;       /* bytes of a line that is not whole yet */
  struct child *next;
} child;

typedef struct event {
  rnl_process_event head;
  char *text;            /* owned; NULL but for LINE */
  struct event *next;
} event;

struct rnl_processes {
  uv_loop_t loop;
  uv_timer_t timer;      /* wakes the loop: for the time limit, and to look at the stop flag */
  const volatile int *stop;
  child *children;
  int last_id;
  event *first, **last;  /* the queue */
  event *given;          /* the event whose text the caller may still look at */
  bool failed;           /* out of memory while something came in */
};

enum { STOP_POLL_MS = 50 };

static rnl_status no_memory(rnl_error *err) {
  return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for the processes of a sweep");
}

rnl_status rnl_processes_new(rnl_processes **out, const volatile int *stop, rnl_error *err) {
  *out = NULL;
  rnl_processes *p = rnl_alloc(1, sizeof *p);
  if (!p) return no_memory(err);
  int failed = uv_loop_init(&p->loop);
  if (failed) {
    rnl_free(p);
    return rnl_fail(err, RNL_ERR_IO, "cannot make an event loop: %s", uv_strerror(failed));
  }
  uv_timer_init(&p->loop, &p->timer);
  p->stop = stop;
  p->last = &p->first;
  *out = p;
  return RNL_OK;
}

/* ---- what comes in ------------------------------------------------------------------------------ */

static void push(rnl_processes *p, rnl_process_event head, const char *text, size_t length) {
  event *e = rnl_alloc(1, sizeof *e);
  char *copy = e && text ? rnl_alloc(length + 1, 1) : NULL;
  if (!e || (text && !copy)) {
    rnl_free(e);
    p->failed = true;
    return;
  }
  if (text) memcpy(copy, text, length);
  *e = (event){.head = head, .text = copy};
  e->head.text = copy;
  e->head.length = length;
  *p->last = e;
  p->last = &e->next;
  uv_stop(&p->loop);
}

/* Its end is told when it has ended and everything it wrote was read. */
static void tell_end(child *c) {
  if (c->told || !c->ended || c->out_open) return;
  c->told = true;
  push(c->owner, (rnl_process_event){.kind = RNL_PROCESS_END, .id = c->id, .code = c->code, .signal = c->signal}, NULL,
       0);
}

static void on_close(uv_handle_t *handle) { ((child *)handle->data)->handles--; }

static void close_handle(child *c, uv_handle_t *handle) {
  (void)c;
  if (!uv_is_closing(handle)) uv_close(handle, on_close);
}

static void on_exit(uv_process_t *process, int64_t code, int signal_number) {
  child *c = process->data;
  c->running = false;
  c->ended = true;
  c->code = (int)code;
  c->signal = signal_number;
  close_handle(c, (uv_handle_t *)&c->process);
  if (c->in_open) {
    c->in_open = false;
    close_handle(c, (uv_handle_t *)&c->in);
  }
  tell_end(c);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out) {
  child *c = handle->data;
  (void)wanted;
  enum { ROOM = 65536 };
  if (c->read.length < RNL_LINE_MOST && rnl_buffer_reserve(&c->read, ROOM))
    *out = uv_buf_init(c->read.data + c->read.length, ROOM);
  else
    *out = uv_buf_init(NULL, 0); /* libuv answers with UV_ENOBUFS */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *room) {
  child *c = stream->data;
  (void)room;
  if (n < 0) {
    if (n == UV_ENOBUFS) c->owner->failed = true;
    c->out_open = false;
    close_handle(c, (uv_handle_t *)stream);
    tell_end(c);
    return;
  }
  size_t from = 0, looked = c->read.length;
  c->read.length += (size_t)n;
  for (char *end; (end = memchr(c->read.data + looked, '\n', c->read.length - looked));) {
    size_t length = (size_t)(end - c->read.data) - from;
    push(c->owner, (rnl_process_event){.kind = RNL_PROCESS_LINE, .id = c->id}, c->read.data + from, length);
    from = looked = from + length + 1;
  }
  memmove(c->read.data, c->read.data + from, c->read.length - from);
  c->read.length -= from;
}

/* ---- starting ----------------------------------------------------------------------------------- */

static void run_closing(rnl_processes *p, child *c) {
  while (c->handles > 0 && uv_run(&p->loop, UV_RUN_ONCE)) {}
}

rnl_status rnl_processes_start(rnl_processes *p, const char *const *argv, rnl_process_channel channel, int *id,
                               rnl_error *err) {
  child *c = rnl_alloc(1, sizeof *c);
  if (!c) return no_memory(err);
  *c = (child){.id = p->last_id + 1, .owner = p, .has_in = channel == RNL_CHANNEL_WORKER};
  c->process.data = c->in.data = c->out.data = c;
  uv_pipe_init(&p->loop, &c->out, 0);
  c->handles = 2; /* out and process: uv_spawn makes a handle of it even where it fails */
  if (c->has_in) {
    uv_pipe_init(&p->loop, &c->in, 0);
    c->handles++;
  }
  uv_stdio_container_t stdio[5] = {{.flags = UV_IGNORE}};
  for (int fd = 1; fd <= 2; fd++) {
    stdio[fd].flags = UV_INHERIT_FD;
    stdio[fd].data.fd = fd;
  }
  int out = channel == RNL_CHANNEL_WORKER ? RNL_WORKER_OUT : 1;
  stdio[out].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[out].data.stream = (uv_stream_t *)&c->out;
  if (c->has_in) {
    stdio[RNL_WORKER_IN].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
    stdio[RNL_WORKER_IN].data.stream = (uv_stream_t *)&c->in;
  }
  uv_process_options_t options = {.exit_cb = on_exit, .file = argv[0], .args = (char **)argv, .stdio = stdio,
                                  .stdio_count = channel == RNL_CHANNEL_WORKER ? 5 : 3};
  int failed = uv_spawn(&p->loop, &c->process, &options);
  if (!failed) {
    c->running = true;
    c->out_open = true;
    c->in_open = c->has_in;
    failed = uv_read_start((uv_stream_t *)&c->out, give_room, on_read);
    if (failed) uv_process_kill(&c->process, SIGKILL);
  }
  if (failed && !c->running) {
    close_handle(c, (uv_handle_t *)&c->out);
    close_handle(c, (uv_handle_t *)&c->process);
    if (c->has_in) close_handle(c, (uv_handle_t *)&c->in);
    run_closing(p, c);
    rnl_free(c);
    return rnl_fail(err, RNL_ERR_IO, "%s: cannot be started: %s", argv[0], uv_strerror(failed));
  }
  c->next = p->children;
  p->children = c;
  *id = p->last_id = c->id;
  return RNL_OK;
}

/* ---- talking ------------------------------------------------------------------------------------ */

static child *find(rnl_processes *p, int id) {
  for (child *c = p->children; c; c = c->next)
    if (c->id == id) return c;
  return NULL;
}

typedef struct sending {
  uv_write_t request;
  char bytes[];
} sending;

static void on_sent(uv_write_t *request, int status) {
  (void)status; /* a worker that does not read any more has ended, or will */
  rnl_free(request->data);
}

rnl_status rnl_processes_send(rnl_processes *p, int id, const char *text, size_t length, rnl_error *err) {
  child *c = find(p, id);
  if (!c || !c->in_open) return RNL_OK;
  sending *s = length < RNL_LINE_MOST ? rnl_alloc(1, sizeof *s + length + 1) : NULL;
  if (!s) return no_memory(err);
  s->request.data = s;
  memcpy(s->bytes, text, length);
  s->bytes[length] = '\n';
  uv_buf_t bytes = uv_buf_init(s->bytes, (unsigned)length + 1);
  if (uv_write(&s->request, (uv_stream_t *)&c->in, &bytes, 1, on_sent) != 0) rnl_free(s);
  return RNL_OK;
}

void rnl_processes_kill(rnl_processes *p, int id, int signal_number) {
  child *c = find(p, id);
  if (c && c->running) uv_process_kill(&c->process, signal_number);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer) { uv_stop(timer->loop); }

static void forget_given(rnl_processes *p) {
  if (!p->given) return;
  rnl_free(p->given->text);
  rnl_free(p->given);
  p->given = NULL;
}

static void forget_ended(rnl_processes *p) {
  for (child **at = &p->children; *at;) {
    child *c = *at;
    if (c->told && c->handles == 0) {
      *at = c->next;
      rnl_buffer_free(&c->read);
      rnl_free(c);
    } else {
      at = &c->next;
    }
  }
}

rnl_status rnl_processes_wait(rnl_processes *p, double seconds, rnl_process_event *out, rnl_error *err) {
  forget_given(p);
  *out = (rnl_process_event){.kind = RNL_PROCESS_TIMEOUT};
  const uint64_t begin = uv_hrtime();
  if (!p->first) uv_run(&p->loop, UV_RUN_NOWAIT);
  while (!p->first) {
    if (p->failed) return no_memory(err);
    if (p->stop && *p->stop) {
      out->kind = RNL_PROCESS_STOP;
      return RNL_OK;
    }
    double left = seconds < 0 ? 1e9 : seconds - (double)(uv_hrtime() - begin) / 1e9;
    if (left <= 0) return RNL_OK;
    uint64_t ms = left * 1000 < STOP_POLL_MS ? (uint64_t)(left * 1000) + 1 : STOP_POLL_MS;
    uv_update_time(&p->loop);
    uv_timer_start(&p->timer, on_timer, ms, 0);
    uv_run(&p->loop, UV_RUN_DEFAULT); /* until an event came or the timer went */
  }
  event *e = p->first;
  p->first = e->next;
  if (!p->first) p->last = &p->first;
  p->given = e;
  *out = e->head;
  if (out->kind == RNL_PROCESS_END) forget_ended(p);
  return RNL_OK;
}

static bool any_running(const rnl_processes *p) {
  for (const child *c = p->children; c; c = c->next)
    if (c->running) return true;
  return false;
}

void rnl_processes_finish(rnl_processes *p, double seconds) {
  const uint64_t begin = uv_hrtime();
  for (child *c = p->children; c; c = c->next) {
    if (!c->in_open) continue;
    c->in_open = false;
    close_handle(c, (uv_handle_t *)&c->in);
  }
  for (double left = seconds; any_running(p) && left > 0; left = seconds - (double)(uv_hrtime() - begin) / 1e9) {
    uv_update_time(&p->loop);
    uv_timer_start(&p->timer, on_timer, (uint64_t)(left * 1000) + 1, 0);
    uv_run(&p->loop, UV_RUN_ONCE);
  }
}

static bool any_open(const rnl_processes *p) {
  for (const child *c = p->children; c; c = c->next)
    if (c->handles > 0) return true;
  return false;
}

void rnl_processes_free(rnl_processes *p) {
  if (!p) return;
  for (child *c = p->children; c; c = c->next) {
    if (c->running) uv_process_kill(&c->process, SIGKILL);
    if (c->in_open) close_handle(c, (uv_handle_t *)&c->in);
    if (c->out_open) close_handle(c, (uv_handle_t *)&c->out);
    c->in_open = c->out_open = false;
  }
  while (any_open(p) && uv_run(&p->loop, UV_RUN_ONCE)) {}
  while (p->first) {
    forget_given(p);
    p->given = p->first;
    p->first = p->first->next;
  }
  forget_given(p);
  for (child *c = p->children, *next; c; c = next) {
    next = c->next;
    rnl_buffer_free(&c->read);
    rnl_free(c);
  }
  uv_close((uv_handle_t *)&p->timer, NULL);
  uv_run(&p->loop, UV_RUN_DEFAULT);
  uv_loop_close(&p->loop);
  rnl_free(p);
}

const char *rnl_program_path(char out[RNL_PROGRAM_TEXT]) {
  size_t size = RNL_PROGRAM_TEXT;
  /* A program that was replaced while it runs has no path any more; the child still finds what it runs itself. */
  if (uv_exepath(out, &size) != 0 || access(out, X_OK) != 0) snprintf(out, RNL_PROGRAM_TEXT, "/proc/self/exe");
  return out;
}

/* ---- in a worker -------------------------------------------------------------------------------- */

bool rnl_worker_bind_to_parent(int parent) {
#ifdef PR_SET_PDEATHSIG
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  return getppid() == parent; /* it may have gone before prctl */
}

void rnl_worker_limit_memory(double bytes) {
  struct rlimit limit;
  double now = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  long long pages;
  if (file && fscanf(file, "%lld", &pages) == 1) now = (double)pages * (double)sysconf(_SC_PAGESIZE);
  if (file) fclose(file);
  if (getrlimit(RLIMIT_AS, &limit) != 0) return;
  if (limit.rlim_max != RLIM_INFINITY && now + bytes > (double)limit.rlim_max) return; /* it is less already */
  limit.rlim_cur = (rlim_t)(now + bytes);
  setrlimit(RLIMIT_AS, &limit);
}
