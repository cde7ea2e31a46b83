/* app/doctor.c: rnnlab doctor, what rnnlab finds on this machine and how to get what is missing. */
#include <dlfcn.h>
#include <ftw.h>
#include <jansson.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/command.h"
#include "app/output.h"
#include "app/table.h"
#include "base/child.h"
#include "base/file.h"
#include "base/host.h"
#include "kernel/gemm.h"
#include "kernel/kernel.h"
#include "plot/gnuplot.h"

/* One line of the answer. */
typedef struct finding {
  const char *name;
  const char *state; /* "ok", "missing", "slow" */
  bool needed;       /* missing: exit code 1 */
  rnl_buffer detail;
  rnl_buffer hint;   /* how to put it right; empty: nothing to do */
} finding;

enum { MOST = 16 };
typedef struct report {
  finding all[MOST];
  int count;
} report;

static finding *add(report *r, const char *name, bool good, bool needed) {
  finding *f = &r->all[r->count < MOST ? r->count++ : MOST - 1];
  *f = (finding){.name = name, .state = good ? "ok" : "missing", .needed = needed};
  return f;
}

/* ---- how to install ---------------------------------------------------------------------------- */

typedef enum system_kind { DEBIAN, FEDORA, MACOS, UNKNOWN } system_kind;

static system_kind which_system(void) {
#ifdef __APPLE__
  return MACOS;
#endif
  rnl_buffer text = {0};
  rnl_error err;
  system_kind kind = UNKNOWN;
  if (rnl_file_read("/etc/os-release", 1 << 16, &text, &err) == RNL_OK) {
    const char *names = rnl_buffer_string(&text);
    if (strstr(names, "debian") || strstr(names, "ubuntu")) kind = DEBIAN;
    else if (strstr(names, "fedora") || strstr(names, "rhel")) kind = FEDORA;
  }
  rnl_buffer_free(&text);
  return kind;
}

/* The command that installs a package under the names it has in the three systems. */
static void install_hint(finding *f, const char *debian, const char *fedora, const char *brew) {
  system_kind kind = which_system();
  if (kind == DEBIAN || kind == UNKNOWN) rnl_buffer_printf(&f->hint, "apt-get install %s", debian);
  if (kind == UNKNOWN) rnl_buffer_text(&f->hint, "  or  ");
  if (kind == FEDORA || kind == UNKNOWN) rnl_buffer_printf(&f->hint, "dnf install %s", fedora);
  if (kind == UNKNOWN) rnl_buffer_text(&f->hint, "  or  ");
  if (kind == MACOS || kind == UNKNOWN) rnl_buffer_printf(&f->hint, "brew install %s", brew);
}

/* ---- the libraries ------------------------------------------------------------------------------ */

/* What a library that was loaded with the program says of itself: the version that runs, which its headers
 * need not be. */
static void library(report *r, const char *name, const char *function) {
  finding *f = add(r, name, true, true);
  const char *(*version)(void) = NULL;
  void *symbol = dlsym(RTLD_DEFAULT, function);
  memcpy(&version, &symbol, sizeof symbol); /* ISO C has no cast from object to function pointers */
  rnl_buffer_text(&f->detail, version ? version() : "built in");
}

static void check_cpu(report *r) {
  rnl_host host;
  const char *refused;
  rnl_host_describe(&host);
  const char *isa = rnl_kernel_isa(&refused);
  finding *f = add(r, "CPU", true, true);
  rnl_buffer_printf(&f->detail, "%s, %d core%s", host.cpu, host.cores, host.cores == 1 ? "" : "s");
  f = add(r, "kernels", !refused, false);
  rnl_buffer_text(&f->detail, isa);
  if (refused) {
    f->state = "refused";
    rnl_buffer_printf(&f->detail, " (RNNLAB_ISA=%s is not to be had on this CPU)", refused);
    rnl_buffer_text(&f->hint, "unset RNNLAB_ISA");
  }
}

static void check_blas(report *r) {
  rnl_blas_info blas = rnl_gemm_blas(true);
  finding *f = add(r, "OpenBLAS", blas.opened, false);
  if (blas.opened) {
    rnl_buffer_printf(&f->detail, "%s; core %s", blas.config, blas.core);
    if (*blas.asked && strcmp(blas.asked, blas.core) != 0) {
      f->state = "slow";
      rnl_buffer_printf(&f->detail, ", though %s was asked for", blas.asked);
    }
  } else {
    rnl_buffer_printf(&f->detail, "%s; only the benchmark compares with it", blas.problem);
    install_hint(f, "libopenblas0-pthread", "openblas-openmp", "openblas");
  }
}

/* ---- figures ------------------------------------------------------------------------------------ */

static int is_font(const char *path, const struct stat *what, int kind, struct FTW *where) {
  (void)what;
  (void)where;
  const char *dot = strrchr(path, '.');
  return kind == FTW_F && dot &&
         (!strcmp(dot, ".ttf") || !strcmp(dot, ".otf") || !strcmp(dot, ".ttc") || !strcmp(dot, ".pfb"));
}

static void check_fonts(report *r) {
  static const char *const folders[] = {"/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts",
                                        NULL};
  const char *home = getenv("HOME"), *found = NULL;
  char own[2][512] = {"", ""};
  if (home && *home) {
    snprintf(own[0], sizeof own[0], "%s/.fonts", home);
    snprintf(own[1], sizeof own[1], "%s/.local/share/fonts", home);
  }
  for (int i = 0; folders[i] && !found; i++)
    if (nftw(folders[i], is_font, 8, FTW_PHYS) == 1) found = folders[i];
  for (int i = 0; i < 2 && !found; i++)
    if (*own[i] && nftw(own[i], is_font, 8, FTW_PHYS) == 1) found = own[i];
  finding *f = add(r, "fonts", found != NULL, false);
  if (found) {
    rnl_buffer_printf(&f->detail, "in %s", found);
  } else {
    rnl_buffer_text(&f->detail, "no font was found; png and pdf figures have no letters without one");
    install_hint(f, "fonts-dejavu-core", "dejavu-sans-fonts", "font-dejavu");
  }
}

static void check_gnuplot(report *r) {
  rnl_gnuplot_info info;
  rnl_error err;
  if (rnl_gnuplot_info_get(&info, &err) != RNL_OK) {
    finding *f = add(r, "gnuplot", false, true);
    rnl_buffer_printf(&f->detail, "%s; runs succeed, their figures have to wait", err.text);
    install_hint(f, "gnuplot-nox", "gnuplot", "gnuplot");
    return;
  }
  finding *f = add(r, "gnuplot", true, true);
  rnl_buffer_printf(&f->detail, "%s, %s", info.version, info.path);
  const struct {
    const char *name;
    bool has;
  } terminals[] = {{"svg", info.svg}, {"pngcairo", info.pngcairo}, {"pdfcairo", info.pdfcairo}};
  for (int i = 0; i < 3; i++) {
    f = add(r, terminals[i].name, terminals[i].has, true);
    rnl_buffer_text(&f->detail, terminals[i].has ? "gnuplot draws it" : "this gnuplot was built without it");
    if (!terminals[i].has) install_hint(f, "gnuplot-nox", "gnuplot", "gnuplot");
  }
  rnl_gnuplot_info_free(&info);
}

/* LuaLaTeX makes the reports that are PDFs; nothing else asks for it. */
static void check_latex(report *r) {
  rnl_buffer said = {0};
  rnl_child child = {.arguments = (const char *const[]){"lualatex", "--version", NULL}, .timeout_s = 10};
  int code = -1;
  bool good = rnl_child_run(&child, &said, &code, NULL) == RNL_OK && code == 0;
  finding *f = add(r, "LuaLaTeX", good, false);
  if (good) {
    const char *text = rnl_buffer_string(&said);
    rnl_buffer_append(&f->detail, text, strcspn(text, "\n"));
  } else {
    rnl_buffer_text(&f->detail, "only reports as PDF need it");
    install_hint(f, "texlive-luatex texlive-latex-recommended fonts-lmodern",
                 "texlive-luatex texlive-collection-latexrecommended texlive-lm", "--cask mactex-no-gui");
  }
  rnl_buffer_free(&said);
}

static void check_results(report *r, const char *folder) {
  bool good = rnl_path_is_writable(folder);
  finding *f = add(r, "results", good, true);
  rnl_buffer_printf(&f->detail, "%s %s", folder, good ? "can be written" : "cannot be written");
  if (!good) rnl_buffer_text(&f->hint, "choose another folder: --results DIR");
}

/* ---- the answer --------------------------------------------------------------------------------- */

static int print_json(const report *r, bool good) {
  json_t *checks = json_array(), *object;
  for (int i = 0; i < r->count; i++) {
    const finding *f = &r->all[i];
    json_t *one = json_pack("{s:s, s:s, s:b, s:s}", "name", f->name, "state", f->state, "needed", f->needed,
                            "detail", rnl_buffer_string(&f->detail));
    if (one && f->hint.length) json_object_set_new(one, "hint", json_string(rnl_buffer_string(&f->hint)));
    json_array_append_new(checks, one);
  }
  object = json_pack("{s:s, s:b, s:o}", "rnnlab", RNNLAB_VERSION, "ok", good, "checks", checks);
  int code = rnl_put_json(object);
  json_decref(object);
  return code;
}

static void print_table(const report *r, bool good) {
  rnl_table table;
  rnl_buffer text = {0};
  rnl_table_begin(&table, 3, "lll");
  table.indent = "  ";
  rnl_buffer_text(&text, "rnnlab " RNNLAB_VERSION "\n");
  for (int i = 0; i < r->count; i++) {
    const finding *f = &r->all[i];
    rnl_tone tone = strcmp(f->state, "ok") == 0 ? RNL_GOOD : f->needed ? RNL_BAD : RNL_BOLD;
    rnl_table_cell(&table, tone, "%s", f->state);
    rnl_table_cell(&table, RNL_PLAIN, "%s", f->name);
    rnl_table_cell(&table, RNL_PLAIN, "%s", rnl_buffer_string(&f->detail));
    if (!f->hint.length) continue;
    rnl_table_cell(&table, RNL_PLAIN, "%s", "");
    rnl_table_cell(&table, RNL_PLAIN, "%s", "");
    rnl_table_cell(&table, RNL_PLAIN, "-> %s", rnl_buffer_string(&f->hint));
  }
  rnl_table_write(&table, &text, rnl_color(1), 0);
  rnl_table_free(&table);
  rnl_buffer_text(&text, good ? "Everything needed is here.\n" : "Something needed is missing.\n");
  rnl_put(&text);
  rnl_buffer_free(&text);
}

static int call(const rnl_args *args) {
  report r = {0};
  finding *f = add(&r, "Lua", true, true);
  rnl_buffer_text(&f->detail, LUA_RELEASE + strlen("Lua "));
  library(&r, "SQLite", "sqlite3_libversion");
  library(&r, "Jansson", "jansson_version_str");
  library(&r, "libzip", "zip_libzip_version");
  check_cpu(&r);
  check_blas(&r);
  check_gnuplot(&r);
  check_fonts(&r);
  check_latex(&r);
  check_results(&r, args->results);
  bool good = true;
  for (int i = 0; i < r.count; i++)
    if (r.all[i].needed && strcmp(r.all[i].state, "missing") == 0) good = false;
  int code = RNL_EXIT_OK;
  if (rnl_args_has(args, &rnl_option_json)) code = print_json(&r, good);
  else print_table(&r, good);
  for (int i = 0; i < r.count; i++) {
    rnl_buffer_free(&r.all[i].detail);
    rnl_buffer_free(&r.all[i].hint);
  }
  return good ? code : RNL_EXIT_FAILED;
}

const rnl_command rnl_command_doctor = {
  .name = "doctor",
  .usage = "[options]",
  .summary = "what is installed, what is missing, how to get it",
  .about =
    "Looks at the libraries rnnlab runs with, the CPU and the kernels chosen for it, OpenBLAS and the\n"
    "core it runs on, gnuplot and the formats it can write, fonts, LuaLaTeX, and whether results can be\n"
    "written.",
  .examples = "  rnnlab doctor\n  rnnlab doctor --json",
  .exits = "  0      everything needed is here\n"
           "  1      something needed is missing\n"
           "  2      the command line is wrong",
  .call = call,
};
