/* plot/write.c: figures into files; see write.h. */
#include "plot/write.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "plot/gnuplot.h"
#include "plot/script.h"

static const char *const format_names[] = {"svg", "png", "pdf"};
enum { FORMATS = 3 };

#define PART ".part" /* a picture while gnuplot writes it */

const char *rnl_format_name(unsigned format) {
  for (unsigned i = 0; i < FORMATS; i++)
    if (format == 1u << i) return format_names[i];
  return NULL;
}

unsigned rnl_format_by_name(const char *name) {
  for (unsigned i = 0; i < FORMATS; i++)
    if (strcmp(name, format_names[i]) == 0) return 1u << i;
  return 0;
}

/* "folder/name.ending" into `path`, whose memory is used again and again. */
static const char *path_of(rnl_buffer *path, const char *folder, const char *name, const char *ending,
                           const char *suffix) {
  rnl_buffer_clear(path);
  rnl_buffer_printf(path, "%s/%s.%s%s", folder, name, ending, suffix);
  return rnl_buffer_string(path);
}

static rnl_status write_sources(const rnl_figure *figure, const char *folder, unsigned formats,
                                rnl_buffer *path, rnl_error *err) {
  rnl_buffer gp = {0}, dat = {0};
  rnl_status status = rnl_script_write(figure, formats, &gp, &dat, err);
  const rnl_buffer *texts[] = {&dat, &gp};
  static const char *const endings[] = {"dat", "gp"};
  for (int i = 0; i < 2 && status == RNL_OK; i++) {
    path_of(path, folder, figure->name, endings[i], "");
    status = rnl_buffer_check(path, "a path", err);
    if (status == RNL_OK)
      status = rnl_file_write(path->data, texts[i]->data, texts[i]->length, RNL_QUICK, err);
  }
  rnl_buffer_free(&gp);
  rnl_buffer_free(&dat);
  return status;
}

/* Does the file end as its format does? gnuplot does not notice a full disk. */
static bool is_whole(const char *path, unsigned format) {
  static const char *const ends[] = {"</svg>", "IEND", "%%EOF"};
  char tail[32];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  off_t size = lseek(fd, 0, SEEK_END);
  off_t from = size > (off_t)sizeof tail ? size - (off_t)sizeof tail : 0;
  ssize_t n = size > 0 ? pread(fd, tail, sizeof tail, from) : 0;
  close(fd);
  return n > 0 && memmem(tail, (size_t)n, ends[format], strlen(ends[format])) != NULL;
}

/* Rename the whole pictures of a figure into place; the bits of those there were. A part that gnuplot
 * was stopped in the middle of (`whole` false) goes. */
static unsigned take_pictures(const rnl_figure *figure, const char *folder, unsigned formats, bool whole,
                              rnl_buffer *part, rnl_buffer *path) {
  unsigned taken = 0;
  for (unsigned i = 0; i < FORMATS; i++) {
    if (!(formats & 1u << i)) continue;
    path_of(part, folder, figure->name, format_names[i], PART);
    path_of(path, folder, figure->name, format_names[i], "");
    if (part->failed || path->failed) continue;
    if (whole && is_whole(part->data, i) && rename(part->data, path->data) == 0)
      taken |= 1u << i;
    else
      unlink(part->data);
  }
  return taken;
}

/* The message about formats that gnuplot could not draw. */
static rnl_status missing_terminals(const char *said, unsigned missing, const char *folder, rnl_error *err) {
  char names[64] = "", formats[32] = "";
  for (unsigned i = 0; i < FORMATS; i++) {
    if (!(missing & 1u << i)) continue;
    size_t used = strlen(names), used_formats = strlen(formats);
    snprintf(names + used, sizeof names - used, "%s%s%s", used ? ", " : "", format_names[i],
             i ? "cairo" : "");
    snprintf(formats + used_formats, sizeof formats - used_formats, "%s%s", used ? ", " : "",
             format_names[i]);
  }
  if (strstr(said, RNL_SCRIPT_MISSING))
    return rnl_fail(err, RNL_ERR_NOT_FOUND,
                    "this gnuplot lacks the terminal %s, so no %s was drawn; install gnuplot-nox "
                    "(Debian, Ubuntu) or a gnuplot built with cairo",
                    names, formats);
  return rnl_fail(err, RNL_ERR_IO, "gnuplot wrote no whole %s in %s; is the disk full?", formats, folder);
}

static rnl_status draw(rnl_figure *const *figures, size_t count, const char *folder, unsigned formats,
                       double timeout_s, const char *program, unsigned *drawn, rnl_error *err) {
  /* gnuplot -d -e "SUFFIX = '.part'" a.gp b.gp: our own names only, nothing through a shell or stdin. */
  char **arguments = rnl_alloc(count + 3, sizeof *arguments);
  rnl_buffer names = {0}, said = {0}, part = {0}, path = {0};
  bool ok = arguments != NULL;
  size_t longest = RNL_FIGURE_NAME_MAX + 8;
  ok = ok && rnl_buffer_reserve(&names, (count + 1) * longest); /* so that it does not move */
  rnl_status status;
  if (ok) {
    arguments[0] = (char *)"-e";
    arguments[1] = (char *)"SUFFIX = '" PART "'";
    for (size_t i = 0; i < count; i++) {
      arguments[2 + i] = names.data + names.length;
      rnl_buffer_printf(&names, "%s.gp", figures[i]->name);
      rnl_buffer_char(&names, '\0');
      take_pictures(figures[i], folder, formats, false, &part, &path); /* what an earlier crash left */
    }
    status = rnl_gnuplot_run(program, folder, (const char *const *)arguments, timeout_s, &said, err);
    unsigned missing = 0;
    for (size_t i = 0; i < count; i++) {
      unsigned taken = take_pictures(figures[i], folder, formats, status == RNL_OK, &part, &path);
      if (drawn) drawn[i] |= taken;
      missing |= formats & ~taken;
    }
    if (status == RNL_OK && missing)
      status = missing_terminals(rnl_buffer_string(&said), missing, folder, err);
  } else {
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory while drawing %zu figures", count);
  }
  rnl_free(arguments);
  rnl_buffer_free(&names);
  rnl_buffer_free(&said);
  rnl_buffer_free(&part);
  rnl_buffer_free(&path);
  return status;
}

rnl_status rnl_figures_write(rnl_figure *const *figures, size_t count, const char *folder,
                             const rnl_plot_options *options, unsigned *drawn, rnl_error *err) {
  unsigned formats = options && options->formats ? options->formats : RNL_FORMAT_ALL;
  double timeout_s = options && options->timeout_s > 0 ? options->timeout_s : 60;
  if (drawn) memset(drawn, 0, count * sizeof *drawn);
  if (formats & ~(unsigned)RNL_FORMAT_ALL)
    return rnl_fail(err, RNL_ERR_ARG, "there is no figure format number %u; svg, png and pdf are known",
                    formats);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      if (strcmp(figures[i]->name, figures[j]->name) == 0)
        return rnl_fail(err, RNL_ERR_ARG, "two figures are called \"%s\"; names must differ",
                        figures[i]->name);
  if (count == 0) return RNL_OK;
  RNL_TRY(rnl_folder_make(folder, err));
  rnl_buffer path = {0};
  rnl_status status = RNL_OK;
  for (size_t i = 0; i < count && status == RNL_OK; i++) {
    status = write_sources(figures[i], folder, formats, &path, err);
    if (status == RNL_OK && drawn) drawn[i] = RNL_FORMAT_SOURCES;
  }
  rnl_buffer_free(&path);
  char *program = NULL;
  if (status == RNL_OK) status = rnl_gnuplot_find(&program, err);
  if (status == RNL_OK) status = draw(figures, count, folder, formats, timeout_s, program, drawn, err);
  rnl_free(program);
  return status;
}
