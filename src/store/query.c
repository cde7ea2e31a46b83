/* store/query.c: see query.h. */
#include "store/query.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/number.h"
#include "store/json.h"

const char *const rnl_field_names[] = {
  "name",  "kind",    "status",  "experiment", "script", "seed",  "started", "ended", "epochs", "wall_s",
  "train_s", "network", "weights", "dir",      "error",  "tag",   "note",    "trials", "best",  "objective", NULL,
};

/* ---- fields ---------------------------------------------------------------------------------------- */

static json_t *shared(const json_t *value) {
  return value && !json_is_null(value) ? json_incref((json_t *)value) : NULL;
}

static json_t *note_texts(const json_t *notes) {
  if (json_array_size(notes) == 0) return NULL;
  json_t *texts = json_array();
  for (size_t i = 0; i < json_array_size(notes); i++)
    json_array_append(texts, json_object_get(json_array_get(notes, i), "text"));
  return texts;
}

/* "max:accuracy" is called accuracy. */
static bool objective_is(const json_t *objective, const char *name) {
  const char *text = json_string_value(json_is_array(objective) ? json_array_get(objective, 0) : objective);
  if (text && (strncmp(text, "min:", 4) == 0 || strncmp(text, "max:", 4) == 0)) text += 4;
  return text && strcmp(text, name) == 0;
}

static json_t *sweep_field(const json_t *summary, const char *name) {
  const json_t *best = json_object_get(json_object_get(summary, "best"), "value");
  if (strcmp(name, "trials") == 0)
    return shared(json_object_get(json_object_get(summary, "trials"), "total"));
  if (strcmp(name, "best") == 0 || objective_is(json_object_get(summary, "objective"), name)) return shared(best);
  return NULL;
}

bool rnl_field_is_own(const json_t *summary, const char *name) {
  if (strncmp(name, "params.", 7) == 0) return json_object_get(json_object_get(summary, "params"), name + 7);
  if (strncmp(name, "metrics.", 8) == 0) return json_object_get(json_object_get(summary, "metrics"), name + 8);
  return json_object_get(json_object_get(summary, "params"), name) ||
         json_object_get(json_object_get(summary, "metrics"), name) ||
         objective_is(json_object_get(summary, "objective"), name);
}

json_t *rnl_field(const json_t *summary, const char *name) {
  const json_t *sweep = json_object_get(summary, "sweep");
  if (strncmp(name, "params.", 7) == 0) return shared(json_object_get(json_object_get(summary, "params"), name + 7));
  if (strncmp(name, "metrics.", 8) == 0) return shared(json_object_get(json_object_get(summary, "metrics"), name + 8));
  if (strcmp(name, "name") == 0 || strcmp(name, "run") == 0 || strcmp(name, "sweep") == 0)
    return shared(sweep ? sweep : json_object_get(summary, "run"));
  if (strcmp(name, "kind") == 0) return json_string(sweep ? "sweep" : "run");
  if (strcmp(name, "tag") == 0) name = "tags";
  if (strcmp(name, "time") == 0) name = "wall_s";
  if (strcmp(name, "note") == 0 || strcmp(name, "notes") == 0) return note_texts(json_object_get(summary, "notes"));
  json_t *found = sweep ? sweep_field(summary, name) : NULL;
  const json_t *value = json_object_get(summary, name);
  if (!found && !json_is_object(value)) found = shared(value);
  if (!found) found = shared(json_object_get(json_object_get(summary, "params"), name));
  if (!found) found = shared(json_object_get(json_object_get(summary, "metrics"), name));
  return found;
}

/* ---- filters --------------------------------------------------------------------------------------- */

static const struct { const char *sign; rnl_filter_op op; } operators[] = { /* longer ones first */
  { "<=", RNL_AT_MOST }, { ">=", RNL_AT_LEAST }, { "!=", RNL_IS_NOT }, { "==", RNL_IS }, { "!~", RNL_HAS_NOT },
  { "<", RNL_LESS }, { ">", RNL_MORE }, { "=", RNL_IS }, { "~", RNL_HAS },
};

static bool compares(rnl_filter_op op) { return op <= RNL_AT_LEAST; }

static bool is_date(const char *name) { return strcmp(name, "started") == 0 || strcmp(name, "ended") == 0; }

static char *piece(const char *from, size_t length) {
  while (length > 0 && isspace((unsigned char)*from)) from++, length--;
  while (length > 0 && isspace((unsigned char)from[length - 1])) length--;
  char *copy = rnl_alloc(length + 1, 1);
  if (copy) memcpy(copy, from, length);
  return copy;
}

static bool number_of(const char *text, double *out) {
  const char *end = text + strlen(text), *after;
  return rnl_number_parse(text, end, out, &after) && after == end;
}

static rnl_status check(rnl_filter *filter, const char *text, rnl_error *err) {
  if (!filter->name || !filter->value) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  if (!filter->name[0] || !filter->value[0])
    return rnl_fail(err, RNL_ERR_ARG, "'%.200s' is no filter; write NAME=VALUE, 'NAME<VALUE', NAME~TEXT or the like",
                    text);
  filter->number = NAN;
  bool number = number_of(filter->value, &filter->number);
  if (compares(filter->op) && !number && !is_date(filter->name))
    return rnl_fail(err, RNL_ERR_ARG, "'%.200s': %.80s is compared with a number, and '%.80s' is none", text,
                    filter->name, filter->value);
  return RNL_OK;
}

rnl_status rnl_filter_parse(rnl_filter *out, const char *text, rnl_error *err) {
  size_t at = strcspn(text, "<>=!~");
  *out = (rnl_filter){ .op = RNL_BEGINS };
  const char *value = text;
  if (!text[at]) {
    out->name = rnl_strdup("name");
  } else {
    size_t i = 0, n = sizeof operators / sizeof *operators;
    while (i < n && strncmp(text + at, operators[i].sign, strlen(operators[i].sign)) != 0) i++;
    if (i == n) return rnl_fail(err, RNL_ERR_ARG, "'%.200s' is no filter: after '!' comes '=' or '~'", text);
    out->op = operators[i].op;
    out->name = piece(text, at);
    value = text + at + strlen(operators[i].sign);
  }
  out->value = piece(value, strlen(value));
  rnl_status status = check(out, text, err);
  if (status != RNL_OK) rnl_filter_free(out);
  return status;
}

void rnl_filter_free(rnl_filter *filter) {
  rnl_free(filter->name);
  rnl_free(filter->value);
  *filter = (rnl_filter){ 0 };
}

/* A scalar as a person types it. */
static const char *text_of(const json_t *value, char buffer[RNL_NUMBER_TEXT]) {
  if (json_is_string(value)) return json_string_value(value);
  if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
  double number;
  if (!rnl_json_number(value, &number)) return "";
  rnl_number_format(buffer, number);
  return buffer;
}

/* Is `value` one of the alternatives, as a number or as text? */
static bool equals(const json_t *value, const char *wanted) {
  char buffer[RNL_NUMBER_TEXT];
  const char *text = text_of(value, buffer);
  if (strcmp(text, wanted) == 0) return true;
  double own, number;
  bool has_number = rnl_json_number(value, &own);
  for (const char *p = wanted;;) {
    size_t n = strcspn(p, ",");
    const char *after;
    if (strlen(text) == n && strncmp(text, p, n) == 0) return true;
    if (has_number && rnl_number_parse(p, p + n, &number, &after) && after == p + n &&
        (own == number || (isnan(own) && isnan(number))))
      return true;
    if (!p[n]) return false;
    p += n + 1;
  }
}

static bool holds(const rnl_filter *filter, const json_t *value) {
  char buffer[RNL_NUMBER_TEXT];
  double number;
  if (compares(filter->op)) {
    int order;
    if (is_date(filter->name)) {
      order = strcmp(text_of(value, buffer), filter->value);
    } else {
      if (!rnl_json_number(value, &number) || isnan(number)) return false;
      order = number < filter->number ? -1 : number > filter->number;
      if (isnan(filter->number)) return false;
    }
    switch (filter->op) {
      case RNL_LESS: return order < 0;
      case RNL_AT_MOST: return order <= 0;
      case RNL_MORE: return order > 0;
      default: return order >= 0;
    }
  }
  const char *text = text_of(value, buffer);
  if (filter->op == RNL_BEGINS) return strncmp(text, filter->value, strlen(filter->value)) == 0;
  if (filter->op == RNL_IS || filter->op == RNL_IS_NOT) return equals(value, filter->value);
  return strcasestr(text, filter->value) != NULL;
}

bool rnl_filter_matches(const rnl_filter *filter, const json_t *summary) {
  bool negated = filter->op == RNL_IS_NOT || filter->op == RNL_HAS_NOT, found = false;
  json_t *value = rnl_field(summary, filter->name);
  if (json_is_array(value)) {
    for (size_t i = 0; !found && i < json_array_size(value); i++) found = holds(filter, json_array_get(value, i));
  } else if (value) {
    found = holds(filter, value);
  }
  json_decref(value);
  return found != negated;
}

/* ---- ordering ---------------------------------------------------------------------------------------- */

typedef struct item {
  json_t *summary, *value;
  size_t place;
  double number;
  int group; /* 0: a finite number, 1: text, 2: nothing to rank by */
  bool descending;
} item;

static int compare_items(const void *left, const void *right) {
  const item *a = left, *b = right;
  if (a->group != b->group) return a->group - b->group;
  int order = 0;
  if (a->group == 0) order = a->number < b->number ? -1 : a->number > b->number;
  if (a->group == 1) {
    char x[RNL_NUMBER_TEXT], y[RNL_NUMBER_TEXT];
    order = strverscmp(text_of(a->value, x), text_of(b->value, y)); /* a-2 before a-10 */
  }
  if (order != 0) return a->descending ? -order : order;
  return a->place < b->place ? -1 : a->place > b->place;
}

json_t *rnl_sorted(const json_t *list, const char *name, bool descending) {
  size_t n = json_array_size(list);
  item *items = rnl_alloc(n, sizeof *items);
  json_t *out = json_array();
  bool good = items && out;
  for (size_t i = 0; good && i < n; i++) {
    json_t *summary = json_array_get(list, i), *value = rnl_field(summary, name);
    if (json_is_array(value)) { /* the first of the tags */
      json_t *first = shared(json_array_get(value, 0));
      json_decref(value);
      value = first;
    }
    items[i] = (item){ .summary = summary, .value = value, .place = i, .group = 2, .descending = descending };
    if (rnl_json_number(value, &items[i].number)) items[i].group = isfinite(items[i].number) ? 0 : 2;
    else if (json_is_string(value) || json_is_boolean(value)) items[i].group = 1;
  }
  if (good && n > 1) qsort(items, n, sizeof *items, compare_items);
  for (size_t i = 0; good && i < n; i++) good = !json_array_append(out, items[i].summary);
  for (size_t i = 0; items && i < n; i++) json_decref(items[i].value);
  rnl_free(items);
  if (good) return out;
  json_decref(out);
  return NULL;
}
