/* app/columns.c: see columns.h. */
#include "app/columns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "app/table.h"
#include "base/alloc.h"
#include "store/json.h"
#include "store/query.h"

enum { MOST = RNL_TABLE_COLUMNS, NAME_BYTES = 128 };

typedef struct column {
  char name[NAME_BYTES]; /* of the field */
  int rank;              /* the highest goes first where there is no room; 0: stays */
  int width;
  bool right, left_out;
} column;

typedef struct columns {
  int count;
  column items[MOST];
} columns;

static bool has(const columns *c, const char *name) {
  for (int i = 0; i < c->count; i++)
    if (strcmp(c->items[i].name, name) == 0) return true;
  return false;
}

static void add(columns *c, const char *name, int rank) {
  if (c->count == MOST || has(c, name)) return;
  column *item = &c->items[c->count++];
  *item = (column){.rank = rank};
  snprintf(item->name, sizeof item->name, "%s", name);
}

/* ---- cells ---------------------------------------------------------------------------------------- */

static bool is_any(const char *name, const char *const *list) {
  for (; *list; list++)
    if (strcmp(name, *list) == 0) return true;
  return false;
}

static void list_text(rnl_buffer *out, const json_t *list) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    rnl_buffer_printf(out, "%s%s", i ? " " : "", text ? text : "");
  }
}

/* "12/40" of a sweep; "-" of a run. */
static void trials_text(rnl_buffer *out, const json_t *summary) {
  const json_t *trials = json_object_get(summary, "trials");
  json_int_t total = json_integer_value(json_object_get(trials, "total"));
  json_int_t planned = json_integer_value(json_object_get(summary, "planned"));
  if (!json_object_get(summary, "sweep")) rnl_buffer_text(out, "-");
  else if (planned > total) rnl_buffer_printf(out, "%lld/%lld", (long long)total, (long long)planned);
  else rnl_buffer_printf(out, "%lld", (long long)total);
}

static void cell_text(rnl_buffer *out, const json_t *summary, const char *name) {
  static const char *const seconds[] = {"wall_s", "train_s", "time", NULL}, *const times[] = {"started", "ended", NULL};
  char text[RNL_HUMAN_TEXT];
  double number;
  json_t *value = rnl_field(summary, name);
  if (strcmp(name, "trials") == 0) trials_text(out, summary);
  else if (!value) rnl_buffer_text(out, "-");
  else if (is_any(name, seconds)) rnl_buffer_text(out, rnl_human_seconds(text, value));
  else if (is_any(name, times)) rnl_buffer_text(out, rnl_human_time(text, value));
  else if (json_is_boolean(value)) rnl_buffer_text(out, json_is_true(value) ? "true" : "false");
  else if (rnl_json_number(value, &number)) rnl_buffer_text(out, rnl_human_number(text, value));
  else if (json_is_string(value)) rnl_buffer_text(out, json_string_value(value));
  else if (json_is_array(value)) list_text(out, value);
  else rnl_json_write(out, value, 0);
  json_decref(value);
}

/* RUN for what rnnlab keeps of every run, the name itself for parameters and metrics. */
static void head_text(char out[NAME_BYTES], const char *name) {
  if (strcmp(name, "wall_s") == 0) name = "time";
  if (strcmp(name, "name") == 0) name = "run";
  bool own = !is_any(name, rnl_field_names) && strcmp(name, "time") != 0 && strcmp(name, "run") != 0 &&
             strcmp(name, "tags") != 0;
  snprintf(out, NAME_BYTES, "%s", name);
  for (char *c = out; !own && *c; c++) *c = (char)toupper((unsigned char)*c);
}

static int characters(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
  return n;
}

/* ---- which ---------------------------------------------------------------------------------------- */

/* Does the parameter differ between two runs of one experiment? */
static bool differs(const json_t *list, const char *name) {
  json_t *seen = json_object(); /* experiment -> value */
  bool found = false;
  for (size_t i = 0; !found && i < json_array_size(list); i++) {
    const json_t *run = json_array_get(list, i);
    const json_t *value = json_object_get(json_object_get(run, "params"), name);
    const char *experiment = json_string_value(json_object_get(run, "experiment"));
    if (!value) continue;
    if (!experiment) experiment = "";
    const json_t *before = json_object_get(seen, experiment);
    if (before) found = !json_equal((json_t *)before, (json_t *)value);
    else json_object_set(seen, experiment, (json_t *)value);
  }
  json_decref(seen);
  return found;
}

static void add_changed_parameters(columns *c, const json_t *list) {
  static const char *const never[] = {"show", "threads", "data_seed", NULL};
  json_t *looked_at = json_object();
  for (size_t i = json_array_size(list); i > 0; i--) {
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(json_array_get(list, i - 1), "params"), name, value) {
      if (json_object_get(looked_at, name)) continue;
      json_object_set_new(looked_at, name, json_true());
      if (c->count < MOST - 12 && !is_any(name, never) && !is_any(name, rnl_field_names) && differs(list, name))
        add(c, name, 20 + c->count);
    }
    if (i + 200 < json_array_size(list)) break; /* the latest tell what matters */
  }
  json_decref(looked_at);
}

static bool any_has(const json_t *list, const char *name) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    json_t *value = rnl_field(json_array_get(list, i), name);
    bool there = value && !(json_is_array(value) && json_array_size(value) == 0);
    json_decref(value);
    if (there) return true;
  }
  return false;
}

static bool seeds_differ(const json_t *list) { return differs(list, "seed"); }

static void choose(columns *c, const json_t *list, const rnl_columns_wanted *wanted) {
  static const char *const losses[] = {"loss", "val_loss", "val_accuracy", NULL};
  add_changed_parameters(c, list);
  if (seeds_differ(list)) add(c, "seed", 60);
  for (const char *const *name = wanted->asked; name && *name; name++)
    if (!is_any(*name, losses)) add(c, *name, 5);
  add(c, "started", 80);
  if (any_has(list, "trials")) add(c, "trials", 10);
  if (any_has(list, "epochs")) add(c, "epochs", 70);
  for (const char *const *name = losses; *name; name++)
    if (any_has(list, *name) || is_any(*name, wanted->asked ? wanted->asked : losses + 3)) add(c, *name, 6);
  for (size_t i = 0; i < json_array_size(list); i++) { /* what sweeps were after */
    const json_t *objective = json_object_get(json_array_get(list, i), "objective");
    const char *name = json_string_value(json_is_array(objective) ? json_array_get(objective, 0) : objective);
    if (name && (strncmp(name, "min:", 4) == 0 || strncmp(name, "max:", 4) == 0)) name += 4;
    if (name) add(c, name, 7);
  }
  add(c, "wall_s", 50);
  if (any_has(list, "tags")) add(c, "tags", 40);
}

static rnl_status take_named(columns *c, const char *names, rnl_error *err) {
  for (const char *p = names;;) {
    size_t n = strcspn(p, ",");
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)n, p);
    if (!name[0]) return rnl_fail(err, RNL_ERR_ARG, "--columns %s: a name is empty", names);
    add(c, strcmp(name, "run") == 0 || strcmp(name, "sweep") == 0 ? "name" : name, 0);
    if (!p[n]) return RNL_OK;
    p += n + 1;
  }
}

/* ---- what fits ------------------------------------------------------------------------------------- */

static void measure(columns *c, const json_t *list) {
  for (int k = 0; k < c->count; k++) {
    column *item = &c->items[k];
    char head[NAME_BYTES];
    head_text(head, item->name);
    item->width = characters(head);
    item->right = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
      rnl_buffer text = {0};
      const char *cell;
      cell_text(&text, json_array_get(list, i), item->name);
      cell = rnl_buffer_string(&text);
      if (characters(cell) > item->width) item->width = characters(cell);
      if (!isdigit((unsigned char)cell[0]) && cell[0] != '-' && strcmp(cell, "nan") != 0 && strcmp(cell, "inf") != 0)
        item->right = false;
      rnl_buffer_free(&text);
    }
    if (strcmp(item->name, "started") == 0 || strcmp(item->name, "ended") == 0 || strcmp(item->name, "name") == 0)
      item->right = false;
  }
}

static void leave_out(columns *c, int width) {
  for (;;) {
    int total = -2, worst = -1;
    for (int k = 0; k < c->count; k++) {
      const column *item = &c->items[k];
      if (item->left_out) continue;
      total += item->width + 2;
      if (item->rank > 0 && (worst < 0 || item->rank > c->items[worst].rank)) worst = k;
    }
    if (total <= width || worst < 0) return;
    c->items[worst].left_out = true;
  }
}

static void write_table(rnl_buffer *out, const columns *c, const json_t *list, bool color, int width) {
  char align[MOST + 1], head[NAME_BYTES];
  int n = 0;
  rnl_table table;
  for (int k = 0; k < c->count; k++)
    if (!c->items[k].left_out) align[n++] = c->items[k].right ? 'r' : 'l';
  align[n] = '\0';
  rnl_table_begin(&table, n, align);
  table.flexible = n > 3 && strcmp(c->items[c->count - 1].name, "tags") == 0 ? n - 1 : 0;
  for (int k = 0; k < c->count; k++) {
    if (c->items[k].left_out) continue;
    head_text(head, c->items[k].name);
    rnl_table_cell(&table, RNL_FAINT, "%s", head);
  }
  for (size_t i = 0; i < json_array_size(list); i++)
    for (int k = 0; k < c->count; k++) {
      rnl_buffer text = {0};
      if (c->items[k].left_out) continue;
      cell_text(&text, json_array_get(list, i), c->items[k].name);
      bool is_status = strcmp(c->items[k].name, "status") == 0;
      rnl_table_cell(&table, is_status ? rnl_status_tone(rnl_buffer_string(&text)) : RNL_PLAIN, "%s",
                     rnl_buffer_string(&text));
      rnl_buffer_free(&text);
    }
  rnl_table_write(&table, out, color, width);
  rnl_table_free(&table);
}

static void name_the_rest(rnl_buffer *out, const columns *c, bool color) {
  rnl_buffer text = {0};
  for (int k = 0; k < c->count; k++)
    if (c->items[k].left_out)
      rnl_buffer_printf(&text, "%s%s", text.length ? ", " : "no room for: ", c->items[k].name);
  if (text.length) {
    rnl_toned(out, color, RNL_FAINT, text.data);
    rnl_buffer_char(out, '\n');
  }
  rnl_buffer_free(&text);
}

rnl_status rnl_columns_write(rnl_buffer *out, const json_t *list, const rnl_columns_wanted *wanted, bool color,
                             int width, rnl_error *err) {
  columns *c = rnl_alloc(1, sizeof *c);
  if (!c) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory");
  add(c, "name", 0);
  add(c, "status", 0);
  rnl_status status = RNL_OK;
  if (wanted->columns) status = take_named(c, wanted->columns, err);
  else choose(c, list, wanted);
  if (status == RNL_OK) {
    measure(c, list);
    if (width > 0) leave_out(c, width);
    write_table(out, c, list, color, width);
    name_the_rest(out, c, color);
    status = rnl_buffer_check(out, "the list", err);
  }
  rnl_free(c);
  return status;
}
