/* app/args.c: see args.h. */
#include "app/args.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

typedef struct option {
  const char *name;  /* without the dashes */
  unsigned bit;
  const char *value; /* what its value is called, NULL: it takes none */
  const char *help;
} option;

static const option options[] = {
  {"seed", RNL_OPT_SEED, "N", "the same as seed=N"},
  {"steps", RNL_OPT_STEPS, NULL, "print the intermediate products of every time step"},
  {"no-plot", RNL_OPT_NO_PLOT, NULL, "draw no figures (rnnlab plot draws them later)"},
  {"preview", RNL_OPT_PREVIEW, NULL, "draw the learning curve in the terminal too"},
  {"trust", RNL_OPT_TRUST, NULL, "let the script use os, io, debug: only for scripts you have read"},
  {"quiet", RNL_OPT_QUIET, NULL, "no progress on stderr"},
  {"json", RNL_OPT_JSON, NULL, "print the result as JSON"},
  {"results", RNL_OPT_RESULTS, "DIR", "the results folder (default: results)"},
  {"help", RNL_OPT_HELP, NULL, "print this help"},
  {"version", RNL_OPT_VERSION, NULL, "print the version"},
};
enum { OPTIONS = sizeof options / sizeof *options };

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

static rnl_status take_option(rnl_args *args, int argc, char **argv, int *at, rnl_error *err) {
  const char *typed = argv[*at];
  if (strcmp(typed, "-h") == 0) typed = "--help";
  const char *name = typed + (typed[1] == '-' ? 2 : 1), *equals = strchr(name, '=');
  size_t length = equals ? (size_t)(equals - name) : strlen(name);
  const option *o = NULL;
  for (int i = 0; i < OPTIONS && typed[1] == '-'; i++)
    if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0) o = &options[i];
  if (!o) {
    if (!args->unknown) {
      args->unknown = typed;
      args->unknown_next = *at + 1 < argc ? argv[*at + 1] : NULL;
    }
    return RNL_OK;
  }
  args->given |= o->bit;
  if (!o->value) {
    if (equals) return rnl_fail(err, RNL_ERR_ARG, "--%s takes no value", o->name);
    return RNL_OK;
  }
  const char *value = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
  if (!value || !*value)
    return rnl_fail(err, RNL_ERR_ARG, "--%s needs a value: --%s %s", o->name, o->name, o->value);
  if (o->bit == RNL_OPT_SEED) return add_setting(args, "seed", value, err);
  args->results = value;
  return RNL_OK;
}

rnl_status rnl_args_parse(rnl_args *out, int argc, char **argv, rnl_error *err) {
  *out = (rnl_args){.results = "results"};
  out->words = rnl_alloc((size_t)argc + 1, sizeof *out->words);
  out->settings = rnl_alloc((size_t)argc + 1, sizeof *out->settings);
  if (!out->words || !out->settings) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  bool plain = false; /* behind "--" */
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    if (!plain && strcmp(word, "--") == 0) plain = true;
    else if (!plain && word[0] == '-' && word[1]) RNL_TRY(take_option(out, argc, argv, &i, err));
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
  *args = (rnl_args){0};
}

/* ---- what a command allows --------------------------------------------------------------------- */

static rnl_status refuse_unknown(const rnl_args *args, unsigned allowed, bool settings, rnl_error *err) {
  const char *names[OPTIONS + 1], *typed = args->unknown;
  int n = 0;
  for (int i = 0; i < OPTIONS; i++)
    if (options[i].bit & allowed) names[n++] = options[i].name;
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

rnl_status rnl_args_check(const rnl_args *args, unsigned allowed, bool settings, rnl_error *err) {
  if (args->unknown) return refuse_unknown(args, allowed, settings, err);
  for (int i = 0; i < OPTIONS; i++)
    if (args->given & options[i].bit & ~allowed)
      return rnl_fail(err, RNL_ERR_ARG, "%s takes no --%s; rnnlab %s --help lists its options",
                      args->command, options[i].name, args->command);
  if (!settings && args->setting_count)
    return rnl_fail(err, RNL_ERR_ARG, "%s takes no key=value; '%s' was given", args->command,
                    args->settings[0]);
  return RNL_OK;
}

void rnl_args_describe(rnl_buffer *out, unsigned allowed) {
  rnl_buffer_text(out, "Options:\n");
  for (int i = 0; i < OPTIONS; i++) {
    if (!(options[i].bit & allowed)) continue;
    char left[40];
    snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value ? " " : "",
             options[i].value ? options[i].value : "");
    rnl_buffer_printf(out, "  %-15s  %s\n", left, options[i].help);
  }
}
