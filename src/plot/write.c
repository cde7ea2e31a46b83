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
#include "plot/latex.h"
#include "plot/script.h"

static const char *const format_names[] = {"svg", "png", "pdf", "tex"};
enum { FORMATS = 4, TEX = 3, FILE_MOST = 256 << 20 };

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

typedef struct job { /* what the functions below share */
  rnl_figure *const *figures;
  size_t count;
  const char *folder;
  unsigned formats;
  double timeout_s;
  const char *program;
  rnl_script_size *sizes; /* one a figure */
  unsigned *taken;        /* one a figure: the formats that are drawn */
  rnl_buffer part, path;  /* paths, whose memory is used again and again */
} job;

/* "folder/name<ending>" into `path`. */
static const char *path_of(rnl_buffer *path, const char *folder, const char *name, const char *ending) {
  rnl_buffer_clear(path);
  rnl_buffer_printf(path, "%s/%s%s", folder, name, ending);
  return rnl_buffer_string(path);
}

static rnl_status write_sources(job *j, size_t i, rnl_error *err) {
  const rnl_figure *figure = j->figures[i];
  rnl_buffer gp = {0}, dat = {0};
  rnl_status status = rnl_script_write(figure, j->formats, &gp, &dat, &j->sizes[i], err);
  const rnl_buffer *texts[] = {&dat, &gp};
  static const char *const endings[] = {".dat", ".gp"};
  for (int k = 0; k < 2 && status == RNL_OK; k++) {
    path_of(&j->path, j->folder, figure->name, endings[k]);
    status = rnl_buffer_check(&j->path, "a path", err);
    if (status == RNL_OK) status = rnl_file_write(j->path.data, texts[k]->data, texts[k]->length, RNL_QUICK, err);
  }
  rnl_buffer_free(&gp);
  rnl_buffer_free(&dat);
  return status;
}

/* ---- what gnuplot has drawn ---------------------------------------------------------------------- */

/* Does the file end as its format does? gnuplot does not notice a full disk. */
static bool is_whole(const char *path, unsigned format) {
  static const char *const ends[] = {"</svg>", "IEND", "%%EOF", "\\endgroup"};
  char tail[32];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  off_t size = lseek(fd, 0, SEEK_END);
  off_t from = size > (off_t)sizeof tail ? size - (off_t)sizeof tail : 0;
  ssize_t n = size > 0 ? pread(fd, tail, sizeof tail, from) : 0;
  close(fd);
  return n > 0 && memmem(tail, (size_t)n, ends[format], strlen(ends[format])) != NULL;
}

/* The day a pdf was made is overwritten by a fixed one of the same length, so that the same figure is the same file. */
static bool take_date(const char *path) {
  static const char key[] = "/CreationDate (D:", fixed[] = "20000101000000";
  rnl_buffer file = {0};
  rnl_error err;
  bool ok = rnl_file_read(path, FILE_MOST, &file, &err) == RNL_OK;
  char *at = ok ? memmem(file.data, file.length, key, sizeof key - 1) : NULL;
  if (at && (size_t)(at - file.data) + sizeof key + sizeof fixed < file.length) {
    off_t offset = at - file.data + (off_t)(sizeof key - 1);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ok = fd >= 0 && pwrite(fd, fixed, sizeof fixed - 1, offset) == (ssize_t)(sizeof fixed - 1);
    if (fd >= 0) ok = close(fd) == 0 && ok;
  }
  rnl_buffer_free(&file);
  return ok;
}

/* Viewers smooth a small picture that is drawn large; the cells of a heat map are to stay sharp. */
static bool sharpen_images(const char *path) {
  static const char key[] = "<image ", style[] = "style='image-rendering:pixelated' ";
  rnl_buffer file = {0}, out = {0};
  rnl_error err;
  bool ok = rnl_file_read(path, FILE_MOST, &file, &err) == RNL_OK;
  if (ok && file.length > 0 && memmem(file.data, file.length, key, sizeof key - 1)) {
    const char *at = file.data;
    for (const char *found; (found = strstr(at, key)); at = found + sizeof key - 1) {
      rnl_buffer_append(&out, at, (size_t)(found - at) + sizeof key - 1);
      rnl_buffer_text(&out, style);
    }
    rnl_buffer_text(&out, at);
    ok = !out.failed && rnl_file_write(path, out.data, out.length, RNL_QUICK, &err) == RNL_OK;
  }
  rnl_buffer_free(&file);
  rnl_buffer_free(&out);
  return ok;
}

/* What is left to do to a picture of a format. */
static bool finish(const char *path, unsigned format) {
  if (1u << format == RNL_FORMAT_SVG) return sharpen_images(path);
  return 1u << format == RNL_FORMAT_PDF ? take_date(path) : true;
}

/* NAME-tex.part.tex and .pdf become NAME.tex and NAME-tex.pdf. The parts go in any case. */
static bool take_latex(job *j, size_t i) {
  const char *name = j->figures[i]->name;
  rnl_buffer drawn = {0}, framed = {0}, graphic = {0}, part = {0};
  rnl_error err;
  path_of(&j->part, j->folder, name, "-tex" PART ".tex");
  bool ok = !j->part.failed && is_whole(j->part.data, TEX) &&
            rnl_file_read(j->part.data, FILE_MOST, &drawn, &err) == RNL_OK;
  if (!j->part.failed) unlink(j->part.data);
  path_of(&j->part, j->folder, name, "-tex" PART ".pdf");
  path_of(&j->path, j->folder, name, "-tex.pdf");
  ok = ok && !j->part.failed && !j->path.failed && is_whole(j->part.data, 2) && take_date(j->part.data) &&
       rename(j->part.data, j->path.data) == 0;
  if (!ok && !j->part.failed) unlink(j->part.data);
  if (ok) {
    rnl_buffer_printf(&graphic, "%s-tex", name);
    rnl_buffer_printf(&part, "%s-tex%s", name, PART);
    rnl_latex_frame(&framed, name, rnl_buffer_string(&graphic), rnl_buffer_string(&part), rnl_buffer_string(&drawn),
                    j->sizes[i].width, j->sizes[i].height);
    path_of(&j->path, j->folder, name, ".tex");
    ok = !framed.failed && !j->path.failed && !graphic.failed && !part.failed &&
         rnl_file_write(j->path.data, framed.data, framed.length, RNL_QUICK, &err) == RNL_OK;
  }
  rnl_buffer_free(&drawn);
  rnl_buffer_free(&framed);
  rnl_buffer_free(&graphic);
  rnl_buffer_free(&part);
  return ok;
}

/* Rename the whole pictures of a figure into place and note which there were. A part that gnuplot was stopped in the
 * middle of goes. */
static void take_pictures(job *j, size_t i) {
  const char *name = j->figures[i]->name;
  for (unsigned k = 0; k < TEX; k++) {
    if (!(j->formats & 1u << k)) continue;
    char ending[32];
    snprintf(ending, sizeof ending, ".%s" PART, format_names[k]);
    path_of(&j->part, j->folder, name, ending);
    snprintf(ending, sizeof ending, ".%s", format_names[k]);
    path_of(&j->path, j->folder, name, ending);
    if (j->part.failed || j->path.failed) continue;
    if (is_whole(j->part.data, k) && finish(j->part.data, k) && rename(j->part.data, j->path.data) == 0)
      j->taken[i] |= 1u << k;
    else
      unlink(j->part.data);
  }
  if ((j->formats & RNL_FORMAT_TEX) && take_latex(j, i)) j->taken[i] |= RNL_FORMAT_TEX;
}

/* Remove what an earlier crash left, so that it is not taken for ours. */
static void clear_parts(job *j, size_t i) {
  static const char *const endings[] = {".svg" PART, ".png" PART, ".pdf" PART, "-tex" PART ".tex", "-tex" PART ".pdf"};
  for (size_t k = 0; k < sizeof endings / sizeof *endings; k++) {
    path_of(&j->part, j->folder, j->figures[i]->name, endings[k]);
    if (!j->part.failed) unlink(j->part.data);
  }
}

/* ---- drawing ------------------------------------------------------------------------------------- */

/* The message about formats that gnuplot could not draw. */
static rnl_status missing_terminals(const char *said, unsigned missing, const char *folder, rnl_error *err) {
  static const char *const terminals[] = {"svg", "pngcairo", "pdfcairo", "cairolatex"};
  char names[64] = "", formats[32] = "";
  for (unsigned i = 0; i < FORMATS; i++) {
    if (!(missing & 1u << i)) continue;
    size_t used = strlen(names), used_formats = strlen(formats);
    snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", terminals[i]);
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

/* Did its script come to its end? A gnuplot that fails closes its files as if they were whole. */
static bool was_drawn(const job *j, size_t i, const char *said) {
  const char *name = j->figures[i]->name;
  size_t n = strlen(name), key = sizeof RNL_SCRIPT_DRAWN - 1;
  for (const char *at = said; (at = strstr(at, RNL_SCRIPT_DRAWN)); at += key)
    if (strncmp(at + key, name, n) == 0 && at[key + n] == '\n') return true;
  return false;
}

/* One gnuplot draws figures first .. first + count - 1; what it drew is taken. */
static rnl_status draw(job *j, size_t first, size_t count, rnl_error *err) {
  /* gnuplot -d -e "SUFFIX = '.part'" a.gp b.gp: our own names only, nothing through a shell or stdin. */
  char **arguments = rnl_alloc(count + 3, sizeof *arguments);
  rnl_buffer names = {0}, said = {0};
  bool ok = arguments != NULL;
  size_t longest = RNL_FIGURE_NAME_MAX + 8;
  ok = ok && rnl_buffer_reserve(&names, (count + 1) * longest); /* so that it does not move */
  rnl_status status;
  if (ok) {
    arguments[0] = (char *)"-e";
    arguments[1] = (char *)"SUFFIX = '" PART "'";
    for (size_t i = 0; i < count; i++) {
      arguments[2 + i] = names.data + names.length;
      rnl_buffer_printf(&names, "%s.gp", j->figures[first + i]->name);
      rnl_buffer_char(&names, '\0');
      clear_parts(j, first + i);
    }
    status = rnl_gnuplot_run(j->program, j->folder, (const char *const *)arguments, j->timeout_s, &said, err);
    unsigned missing = 0;
    for (size_t i = first; i < first + count; i++) {
      if (status == RNL_OK || was_drawn(j, i, rnl_buffer_string(&said))) take_pictures(j, i);
      else clear_parts(j, i);
      missing |= j->formats & ~j->taken[i];
    }
    if (status == RNL_OK && missing)
      status = missing_terminals(rnl_buffer_string(&said), missing, j->folder, err);
  } else {
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory while drawing %zu figures", count);
  }
  rnl_free(arguments);
  rnl_buffer_free(&names);
  rnl_buffer_free(&said);
  return status;
}

/* All at once; where gnuplot stumbles, the figures it has not drawn one by one, so that one does not take the others
 * with it. The error is that of the first that cannot be drawn, and names it. */
static rnl_status draw_all(job *j, rnl_error *err) {
  rnl_status status = draw(j, 0, j->count, err);
  if (status != RNL_ERR_IO) return status;
  rnl_error own;
  rnl_status first = RNL_OK;
  for (size_t i = 0; i < j->count; i++) {
    if (j->taken[i] == j->formats) continue;
    rnl_status again = j->count > 1 ? draw(j, i, 1, &own) : status;
    if (j->count == 1) own = *err;
    if (again == RNL_OK || first != RNL_OK) continue;
    first = rnl_fail(err, again, "figure \"%s\": %s", j->figures[i]->name, own.text);
  }
  return first;
}

rnl_status rnl_figures_write(rnl_figure *const *figures, size_t count, const char *folder,
                             const rnl_plot_options *options, unsigned *drawn, rnl_error *err) {
  unsigned formats = options && options->formats ? options->formats : RNL_FORMAT_ALL;
  double timeout_s = options && options->timeout_s > 0 ? options->timeout_s : 60;
  if (drawn) memset(drawn, 0, count * sizeof *drawn);
  if (formats & ~(unsigned)RNL_FORMAT_KNOWN)
    return rnl_fail(err, RNL_ERR_ARG, "there is no figure format number %u; svg, png, pdf and tex are known",
                    formats);
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < i; k++)
      if (strcmp(figures[i]->name, figures[k]->name) == 0)
        return rnl_fail(err, RNL_ERR_ARG, "two figures are called \"%s\"; names must differ",
                        figures[i]->name);
  if (count == 0) return RNL_OK;
  RNL_TRY(rnl_folder_make(folder, err));
  job j = {.figures = figures, .count = count, .folder = folder, .formats = formats, .timeout_s = timeout_s};
  j.sizes = rnl_alloc(count, sizeof *j.sizes);
  j.taken = rnl_alloc(count, sizeof *j.taken);
  rnl_status status = j.sizes && j.taken ? RNL_OK : rnl_fail(err, RNL_ERR_MEMORY, "out of memory while drawing");
  size_t written = 0;
  while (written < count && status == RNL_OK) {
    status = write_sources(&j, written, err);
    if (status == RNL_OK) written++;
  }
  char *program = NULL;
  if (status == RNL_OK) status = rnl_gnuplot_find(&program, err);
  j.program = program;
  if (status == RNL_OK) status = draw_all(&j, err);
  for (size_t i = 0; drawn && i < written; i++) drawn[i] = j.taken[i] | RNL_FORMAT_SOURCES;
  rnl_free(program);
  rnl_free(j.sizes);
  rnl_free(j.taken);
  rnl_buffer_free(&j.part);
  rnl_buffer_free(&j.path);
  return status;
}
