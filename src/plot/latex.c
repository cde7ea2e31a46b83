/* plot/latex.c: see latex.h. */
#include "plot/latex.h"

#include <string.h>

#include "plot/text.h"

static const struct sign {
  unsigned code;
  const char *latex;
} signs[] = {
  {'\\', "\\textbackslash{}"}, {'{', "\\{"}, {'}', "\\}"}, {'$', "\\$"}, {'%', "\\char37{}"}, {'&', "\\&"},
  {'#', "\\#"},
  {'_', "\\_"}, {'^', "\\textasciicircum{}"}, {'~', "\\textasciitilde{}"}, {'<', "\\textless{}"},
  {'>', "\\textgreater{}"}, {'|', "\\textbar{}"}, {'"', "{\\char34}"}, {'`', "{\\char96}"}, {'\'', "{\\char39}"},
  {0xA0, "~"}, {0xA7, "\\S{}"}, {0xB0, "\\textdegree{}"}, {0xB1, "\\ensuremath{\\pm}"},
  {0xB2, "\\textsuperscript{2}"}, {0xB3, "\\textsuperscript{3}"}, {0xB5, "\\ensuremath{\\mu}"},
  {0xB7, "\\textperiodcentered{}"}, {0xB9, "\\textsuperscript{1}"}, {0xD7, "\\ensuremath{\\times}"},
  {0xF7, "\\ensuremath{\\div}"}, {0x2013, "\\textendash{}"}, {0x2014, "\\textemdash{}"},
  {0x2018, "\\textquoteleft{}"}, {0x2019, "\\textquoteright{}"}, {0x201C, "\\textquotedblleft{}"},
  {0x201D, "\\textquotedblright{}"}, {0x2022, "\\textbullet{}"}, {0x2026, "\\textellipsis{}"},
  {0x2032, "\\ensuremath{\\prime}"}, {0x2070, "\\textsuperscript{0}"}, {0x207A, "\\textsuperscript{+}"},
  {0x207B, "\\textsuperscript{\\ensuremath{-}}"}, {0x207F, "\\textsuperscript{n}"}, {0x20AC, "\\texteuro{}"},
  {0x2190, "\\ensuremath{\\leftarrow}"}, {0x2192, "\\ensuremath{\\rightarrow}"}, {0x2202, "\\ensuremath{\\partial}"},
  {0x2206, "\\ensuremath{\\Delta}"}, {0x2207, "\\ensuremath{\\nabla}"}, {0x2208, "\\ensuremath{\\in}"},
  {0x2211, "\\ensuremath{\\sum}"}, {0x2212, "\\ensuremath{-}"}, {0x221A, "\\ensuremath{\\surd}"},
  {0x221E, "\\ensuremath{\\infty}"}, {0x2248, "\\ensuremath{\\approx}"}, {0x2260, "\\ensuremath{\\ne}"},
  {0x2264, "\\ensuremath{\\le}"}, {0x2265, "\\ensuremath{\\ge}"}, {0x22C5, "\\ensuremath{\\cdot}"},
};

static const char *const greek_small[] = {
  "alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
  "xi", "o", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega"};
static const char *const greek_large[] = {
  "A", "B", "Gamma", "Delta", "E", "Z", "H", "Theta", "I", "K", "Lambda", "M", "N", "Xi", "O", "Pi", "P", NULL,
  "Sigma", "T", "Upsilon", "Phi", "X", "Psi", "Omega"};

/* Greek letters; false for another character. */
static bool put_greek(rnl_buffer *out, unsigned c) {
  const char *name = c >= 0x3B1 && c <= 0x3C9 ? greek_small[c - 0x3B1]
                     : c >= 0x391 && c <= 0x3A9 ? greek_large[c - 0x391] : NULL;
  if (!name) return false;
  if (name[1]) rnl_buffer_printf(out, "\\ensuremath{\\%s}", name);
  else if (c < 0x3B1) rnl_buffer_printf(out, "\\ensuremath{\\mathrm{%s}}", name);
  else rnl_buffer_printf(out, "\\ensuremath{%s}", name);
  return true;
}

static void put_sign(rnl_buffer *out, unsigned c, const char *start, size_t length) {
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (signs[i].code == c) {
      rnl_buffer_text(out, signs[i].latex);
      return;
    }
  bool latin = c < 0x80 || (c >= 0xC0 && c <= 0x17F && c != 0x149 && c != 0x13F && c != 0x140 && c != 0x17F);
  if (latin || c == 0xA1 || c == 0xBF) rnl_buffer_append(out, start, length);
  else if (c >= 0x2080 && c <= 0x2089) rnl_buffer_printf(out, "\\textsubscript{%u}", c - 0x2080);
  else if (c >= 0x2074 && c <= 0x2079) rnl_buffer_printf(out, "\\textsuperscript{%u}", c - 0x2070);
  else if (!put_greek(out, c)) rnl_buffer_printf(out, "\\rnlchar{%u}{%04X}", c, c);
}

void rnl_latex_text(rnl_buffer *out, const char *text) {
  unsigned before = 0;
  /* gnuplot takes what begins in a bracket or brace for an alignment. */
  if (*text && strchr("[\"`'", *text)) rnl_buffer_text(out, "\\relax{}");
  while (*text) {
    const char *start = text;
    unsigned c = rnl_plot_next_char(&text);
    bool ligature = (c == '-' && before == '-') || (c == ',' && before == ',');
    if (ligature || (c == ' ' && before == ' ')) rnl_buffer_text(out, "{}");
    put_sign(out, c, start, (size_t)(text - start));
    before = c;
  }
}

void rnl_latex_tic(rnl_buffer *out, const char *label) {
  if (!*label) return;
  rnl_buffer_char(out, '$');
  while (*label) {
    const char *start = label;
    unsigned c = rnl_plot_next_char(&label);
    if (c == 0x2009) rnl_buffer_text(out, "\\,");
    else if (c == 0x2212) rnl_buffer_char(out, '-');
    else if (c == 0xD7) rnl_buffer_text(out, "{\\times}");
    else rnl_buffer_append(out, start, (size_t)(label - start));
  }
  rnl_buffer_char(out, '$');
}

/* After \documentclass has run LaTeX makes it the same as \@twoclasseserror: so it tells whether this file is the
 * document or a part of one. */
static const char opening[] =
    "\\begingroup\\expandafter\\let\\expandafter\\rnltwo\\csname @twoclasseserror\\endcsname\n"
    "\\expandafter\\endgroup\\ifx\\documentclass\\rnltwo\n"
    "  \\def\\rnlend{}%%\n"
    "\\else\n"
    "  \\def\\rnlend{\\end{document}}%%\n"
    "  \\documentclass{article}\n"
    "  \\usepackage{graphicx,color}\n"
    "  \\pagestyle{empty}\n"
    "  \\paperwidth=%.2fbp \\paperheight=%.2fbp\n"
    "  \\ifdefined\\pagewidth \\pagewidth=%.2fbp \\pageheight=%.2fbp\n"
    "  \\else \\pdfpagewidth=%.2fbp \\pdfpageheight=%.2fbp \\fi\n"
    "  \\hoffset=-1in \\voffset=-1in \\oddsidemargin=0pt \\topmargin=0pt \\headheight=0pt \\headsep=0pt\n"
    "  \\topskip=0pt \\parindent=0pt \\parskip=0pt \\textwidth=%.2fbp \\textheight=%.2fbp \\footskip=0pt\n"
    "  \\begin{document}%%\n"
    "\\fi\n";

void rnl_latex_frame(rnl_buffer *out, const char *name, const char *graphic, const char *part, const char *body,
                     double width, double height) {
  rnl_buffer_printf(out,
                    "%% %s.tex, drawn by rnnlab: compiles by itself, and in a paper (graphicx, color or xcolor)\n"
                    "%% stands where it is \\input, in the paper's own type. Its graphics are %s.pdf beside it\n"
                    "%% (elsewhere: \\graphicspath).\n",
                    name, graphic);
  rnl_buffer_printf(out, opening, width, height, width, height, width, height, width, height);
  rnl_buffer_text(out,
                  "\\providecommand\\rnlchar[2]{\\ifdefined\\Umathchar\\iffontchar\\font#1\\relax\\char#1\\relax\n"
                  "  \\else U+#2\\fi\\else U+#2\\fi}%\n"
                  "\\providecommand\\rnlboxed[1]{\\begingroup\\fboxsep=1pt\\colorbox{white}{#1}\\endgroup}%\n"
                  "\\providecommand\\rnlsize{\\footnotesize}% the text of a figure; \\renewcommand it at will\n"
                  "\\providecommand\\rnltitle[1]{{\\normalsize #1}}%\n"
                  "\\begingroup\\rnlsize\n");
  size_t n = strlen(part); /* \includegraphics[...]{NAME-tex.part} */
  while (*body) {
    const char *found = strstr(body, part);
    if (!found) break;
    rnl_buffer_append(out, body, (size_t)(found - body));
    rnl_buffer_text(out, graphic);
    body = found + n;
  }
  rnl_buffer_text(out, body);
  rnl_buffer_text(out, "\\endgroup\n\\rnlend\n");
}
