/* store/names.c: the folders in a results folder, in the order a person counts. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/private.h"

/* Natural order: runs of digits compare as numbers. */
static int compare_names(const void *left, const void *right) {
  const char *a = *(char *const *)left, *b = *(char *const *)right;
  while (*a && *b) {
    if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
      a += strspn(a, "0");
      b += strspn(b, "0");
      size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
      if (na != nb) return na < nb ? -1 : 1;
      int order = strncmp(a, b, na);
      if (order != 0) return order;
      a += na;
      b += nb;
    } else {
      if (*a != *b) return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
      a++;
      b++;
    }
  }
  if (*a || *b) return *a ? 1 : -1;
  return strcmp(*(char *const *)left, *(char *const *)right); /* "a-01" and "a-1" */
}

void rnl_names_free(rnl_names *names) {
  for (size_t i = 0; i < names->count; i++) rnl_free(names->items[i]);
  rnl_free(names->items);
  *names = (rnl_names){ 0 };
}

static bool is_folder(const char *results_dir, const struct dirent *entry) {
  if (entry->d_name[0] == '.') return false;
#ifdef DT_DIR
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
#endif
  char *path = rnl_path_join(results_dir, entry->d_name);
  bool folder = path && rnl_path_is_folder(path);
  rnl_free(path);
  return folder;
}

bool rnl_names_add(rnl_names *names, const char *name) {
  if (names->count == names->capacity) {
    size_t capacity = names->capacity ? 2 * names->capacity : 64;
    char **grown = rnl_realloc(names->items, names->count, capacity, sizeof *grown);
    if (!grown) return false;
    names->items = grown;
    names->capacity = capacity;
  }
  char *copy = rnl_strdup(name);
  if (copy) names->items[names->count++] = copy;
  return copy != NULL;
}

rnl_status rnl_names_of_folders(rnl_names *out, const char *results_dir, rnl_error *err) {
  *out = (rnl_names){ 0 };
  DIR *folder = opendir(results_dir);
  if (!folder) {
    if (errno == ENOENT) return RNL_OK;
    return rnl_fail(err, RNL_ERR_IO, "%s: cannot read the folder: %s", results_dir, strerror(errno));
  }
  rnl_status status = RNL_OK;
  for (struct dirent *entry; status == RNL_OK && (entry = readdir(folder));) {
    if (is_folder(results_dir, entry) && !rnl_names_add(out, entry->d_name))
      status = rnl_fail(err, RNL_ERR_MEMORY, "%s: out of memory", results_dir);
  }
  closedir(folder);
  if (status != RNL_OK) rnl_names_free(out);
  else if (out->count > 1) qsort(out->items, out->count, sizeof *out->items, compare_names);
  return status;
}
