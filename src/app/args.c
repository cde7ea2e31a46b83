/* app/args.c: see args.h. */
#include "app/args.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"

const rnl_option
  rnl_option_seed = {"seed", RNL_WHOLE, "N", "the same as seed=N", 0},
  rnl_option_no_plot = {"no-plot", RNL_FLAG, NULL, "draw no figures (rnnlab plot draws them later)", 0},
  rnl_option_preview = {"preview", RNL_FLAG, NULL, "draw the learning curve in the terminal too", 0},
  rnl_option_trust = {"trust", RNL_FLAG, NULL, "let the script use os, io, debug: only for scripts you have read", 0},
  rnl_option_all = {"all", RNL_FLAG, NULL, "everything in the results folder", 0},
  rnl_option_output = {"output", RNL_TEXT, "PATH", "where to write", 'o'},
  rnl_option_checkpoint_every = {"checkpoint-every", RNL_TEXT, "WHEN",
    "30s, 5m, \"100 epochs\", or off (default: 30s)", 0},
  rnl_option_jobs = {"jobs", RNL_WHOLE, "N", "workers, each a process (default: a core each)", 'j'},
  rnl_option_timeout = {"timeout", RNL_SECONDS, "TIME", "stop a sweep after so long (30s, 5m, 2h)", 0},
  rnl_option_launcher = {"launcher", RNL_TEXT, "NAME", "what runs the trials of a sweep: local, slurm", 0},
  rnl_option_yes = {"yes", RNL_FLAG, NULL, "do not ask", 'y'},
  rnl_option_quiet = {"quiet", RNL_FLAG, NULL, "no progress, and no summary", 0},
  rnl_option_json = {"json", RNL_FLAG, NULL, "print the result as JSON", 0},
  rnl_option_results = {"results", RNL_TEXT, "DIR", "the results folder (default: results)", 0},
  rnl_option_help = {"help", RNL_FLAG, NULL, "print this help", 'h'},
  rnl_option_version = {"version", RNL_FLAG, NULL, "print the version", 0};

static const rnl_option *const everywhere[] = {&rnl_option_json, &rnl_option_results, &rnl_option_help, NULL};
static const rnl_option *const without_command[] = {&rnl_option_version, NULL};

/* ---- did you mean ----------------------------------------------------------------------------- */

enum { LONGEST = 40 };

/* Edits from a to b, where swapping two neighbours is one (optimal string alignment). */
static int distance(const char *a, const char *b) {
  int n = (int)strlen(a), m = (int)strlen(b), d[LONGEST + 1][LONGEST + 1];
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (int i = 0; i <= n; i++)
    for (int j = 0; j <= m; j++) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[n][m];
}

const char *rnl_nearest(const char *word, const char *const *candidates) {
  const char *nearest = NULL;
  int length = (int)strlen(word), limit = length < 3 ? 0 : length < 6 ? 1 : 2, best = limit + 1;
  for (; *candidates; candidates++) {
    int d = distance(word, *candidates);
    bool begins = length >= 3 && strncmp(word, *candidates, (size_t)length) == 0;
    if (begins && d > limit) d = limit;
    if (d < best) {
      best = d;
      nearest = *candidates;
    }
  }
  return nearest;
}

/* ---- parsing ---------------------------------------------------------------------------------- */

/* "lr=0.01" is a setting; "./a=b/s.lua" and "=x" are words. */
static bool is_setting(const char *word) {
  size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
  return n > 0 && word[n] == '=' && !strchr("0123456789.-", word[0]);
}

static rnl_status add_setting(rnl_args *args, const char *key, const char *value, rnl_error *err) {
  size_t n = strlen(key) + (value ? strlen(value) + 1 : 0) + 1;
  char *copy = rnl_alloc(n, 1);
  if (!copy) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  snprintf(copy, n, value ? "%s=%s" : "%s", key, value);
  args->settings[args->setting_count++] = copy;
  return RNL_OK;
}

/* ---- options ----------------------------------------------------------------------------------- */

static const rnl_option *named(const rnl_option *const *list, const char *name, size_t length) {
  for (; list && *list; list++)
    if (strlen((*list)->name) == length && strncmp((*list)->name, name, length) == 0) return *list;
  return NULL;
}

static const rnl_option *lettered(const rnl_option *const *list, char letter) {
  for (; list && *list; list++)
    if ((*list)->letter == letter) return *list;
  return NULL;
}

/* The option that was typed, "--name", "--name=value" or "-l"; NULL: nobody's. */
static const rnl_option *find(const rnl_option *const *const *known, const char *typed) {
  const rnl_option *const *const own[] = {everywhere, without_command, NULL};
  bool is_long = typed[1] == '-';
  if (!is_long && typed[2]) return NULL;
  const char *name = typed + 2;
  size_t length = is_long ? strcspn(name, "=") : 0;
  for (int round = 0; round < 2; round++)
    for (const rnl_option *const *const *list = round ? known : own; list && *list; list++) {
      const rnl_option *o = is_long ? named(*list, name, length) : lettered(*list, typed[1]);
      if (o) return o;
    }
  return NULL;
}

/* A number > 0 with or without a unit, one of `letters`, worth the factor at its place; false where it is none. */
static bool with_unit(const char *text, const char *letters, const double *factors, double *out) {
  const char *end;
  double value;
  if (!rnl_number_parse(text, text + strlen(text), &value, &end)) return false;
  double factor = 1;
  if (*end) {
    const char *unit = strchr(letters, *end);
    if (!unit || end[1]) return false;
    factor = factors[unit - letters];
  }
  *out = value * factor;
  return isfinite(*out) && *out > 0;
}

static rnl_status read_value(rnl_given *given, rnl_error *err) {
  const rnl_option *o = given->option;
  static const double seconds[] = {1, 60, 3600, 86400}, bytes[] = {1024., 1048576., 1073741824.};
  const char *text = given->text, *stop = text ? text + strlen(text) : NULL, *end = text, *wanted = NULL;
  switch (o->kind) {
  case RNL_FLAG: case RNL_TEXT: break;
  case RNL_WHOLE:
    if (!rnl_number_parse(text, stop, &given->number, &end) || *end || given->number < 0 || given->number > 0x1p53 ||
        given->number != floor(given->number))
      wanted = "a whole number, 0 or more";
    break;
  case RNL_REAL:
    if (!rnl_number_parse(text, stop, &given->number, &end) || *end || !isfinite(given->number)) wanted = "a number";
    break;
  case RNL_SECONDS:
    if (!with_unit(text, "smhd", seconds, &given->number)) wanted = "a time, such as 90, 30s, 5m or 2h";
    break;
  case RNL_BYTES:
    if (!with_unit(text, "KMG", bytes, &given->number)) wanted = "a size, such as 500M or 2G";
    break;
  }
  if (wanted) return rnl_fail(err, RNL_ERR_ARG, "--%s takes %s, not '%s'", o->name, wanted, text);
  return RNL_OK;
}

static rnl_status take_option(rnl_args *args, const rnl_option *const *const *known, int argc, char **argv, int *at,
                              rnl_error *err) {
  const char *typed = argv[*at], *equals = typed[1] == '-' ? strchr(typed, '=') : NULL;
  const rnl_option *o = find(known, typed);
  if (!o) {
    if (!args->unknown) {
      args->unknown = typed;
      args->unknown_next = *at + 1 < argc ? argv[*at + 1] : NULL;
    }
    return RNL_OK;
  }
  rnl_given *given = &args->given[args->given_count];
  *given = (rnl_given){.option = o};
  if (o->kind == RNL_FLAG) {
    if (equals) return rnl_fail(err, RNL_ERR_ARG, "--%s takes no value", o->name);
  } else {
    given->text = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    if (!given->text || !*given->text)
      return rnl_fail(err, RNL_ERR_ARG, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    if (o == &rnl_option_seed) return add_setting(args, "seed", given->text, err); /* checked as the parameter it is */
    RNL_TRY(read_value(given, err));
    if (o == &rnl_option_results) args->results = given->text;
  }
  args->given_count++;
  return RNL_OK;
}

/* Two commands may each describe an option of one name and kind in their own words. */
static bool same(const rnl_option *a, const rnl_option *b) {
  return a == b || (a->kind == b->kind && strcmp(a->name, b->name) == 0);
}

const rnl_given *rnl_args_given(const rnl_args *args, const rnl_option *option) {
  for (int i = args->given_count - 1; i >= 0; i--)
    if (same(args->given[i].option, option)) return &args->given[i];
  return NULL;
}

rnl_status rnl_args_parse(rnl_args *out, const rnl_option *const *const *known, int argc, char **argv,
                          rnl_error *err) {
  *out = (rnl_args){.results = "results"};
  out->words = rnl_alloc((size_t)argc + 1, sizeof *out->words);
  out->settings = rnl_alloc((size_t)argc + 1, sizeof *out->settings);
  out->given = rnl_alloc((size_t)argc + 1, sizeof *out->given);
  if (!out->words || !out->settings || !out->given) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  bool plain = false; /* behind "--" */
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (!plain && strcmp(word, "--") == 0) plain = true;
    else if (!plain && word[0] == '-' && word[1]) RNL_TRY(take_option(out, known, argc, argv, &i, err));
    else if (is_setting(word)) RNL_TRY(add_setting(out, word, NULL, err));
    else if (!out->command) out->command = word;
    else out->words[out->word_count++] = word;
  }
  return RNL_OK;
}

void rnl_args_free(rnl_args *args) {
  for (int i = 0; i < args->setting_count; i++) rnl_free(args->settings[i]);
  rnl_free(args->settings);
  rnl_free(args->words);
  rnl_free(args->given);
  *args = (rnl_args){0};
}

/* ---- what a command allows --------------------------------------------------------------------- */

static rnl_status refuse_unknown(const rnl_args *args, const rnl_option *const *allowed, bool settings,
                                 rnl_error *err) {
  const char *names[64], *typed = args->unknown;
  int n = 0;
  for (const rnl_option *const *o = allowed; o && *o; o++)
    if (n < 56) names[n++] = (*o)->name;
  for (const rnl_option *const *o = everywhere; *o; o++) names[n++] = (*o)->name;
  names[n] = NULL;
  bool is_long = typed[1] == '-';
  const char *name = typed + (is_long ? 2 : 1), *equals = strchr(name, '=');
  char key[LONGEST + 1];
  snprintf(key, sizeof key, "%.*s", (int)(equals ? equals - name : LONGEST), name);
  const char *near = is_long ? rnl_nearest(key, names) : NULL;
  if (near) return rnl_fail(err, RNL_ERR_ARG, "no option %s; did you mean --%s?", typed, near);
  if (settings && is_long) {
    for (char *c = key; *c; c++)
      if (*c == '-') *c = '_';
    if (equals) return rnl_fail(err, RNL_ERR_ARG, "no option %s; write %s=%s", typed, key, equals + 1);
    const char *value = args->unknown_next;
    if (value && value[0] != '-' && !is_setting(value))
      return rnl_fail(err, RNL_ERR_ARG, "no option %s; write %s=%s", typed, key, value);
    return rnl_fail(err, RNL_ERR_ARG, "no option %s; a parameter is set by %s=VALUE", typed, key);
  }
  return rnl_fail(err, RNL_ERR_ARG, "no option %s; rnnlab %s --help lists them", typed,
                  args->command ? args->command : "");
}

static bool in(const rnl_option *const *list, const rnl_option *option) {
  for (; list && *list; list++)
    if (same(*list, option)) return true;
  return false;
}

rnl_status rnl_args_check(const rnl_args *args, const rnl_option *const *allowed, bool settings, rnl_error *err) {
  if (args->unknown) return refuse_unknown(args, allowed, settings, err);
  for (int i = 0; i < args->given_count; i++) {
    const rnl_option *o = args->given[i].option;
    if (!in(allowed, o) && !in(everywhere, o))
      return rnl_fail(err, RNL_ERR_ARG, "%s takes no --%s; rnnlab %s --help lists its options", args->command, o->name,
                      args->command);
  }
  if (!settings && args->setting_count)
    return rnl_fail(err, RNL_ERR_ARG, "%s takes no key=value; '%s' was given", args->command,
                    args->settings[0]);
  return RNL_OK;
}

static void describe(rnl_buffer *out, const rnl_option *const *options, int width) {
  for (; options && *options; options++) {
    const rnl_option *o = *options;
    char left[64], letter[8] = "";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    rnl_buffer_printf(out, "  %-*s  %s\n", width, left, o->help);
  }
}

static int width_of(const rnl_option *const *options) {
  int width = 15;
  for (; options && *options; options++) {
    int own = 2 + (int)strlen((*options)->name) + ((*options)->letter ? 4 : 0) +
              ((*options)->value ? 1 + (int)strlen((*options)->value) : 0);
    if (own > width) width = own;
  }
  return width;
}

void rnl_args_describe(rnl_buffer *out, const rnl_option *const *options) {
  int width = width_of(options);
  rnl_buffer_text(out, "Options:\n");
  describe(out, options, width);
  describe(out, everywhere, width);
}
