/* plot/latex.h owns text bound for LaTeX: escaping, so that any text is typeset as it is written and runs nothing,
 * and the frame that lets a drawn figure compile by itself and stand in a paper. */
#ifndef RNL_PLOT_LATEX_H
#define RNL_PLOT_LATEX_H

#include "base/buffer.h"
#include "plot/axis.h"

/* Append cleaned text (text.h) as LaTeX without an apostrophe. ASCII's special characters become commands, the signs
 * figures use (Greek, sub- and superscripts, relations) text commands or mathematics, Latin letters stay; any other
 * character is typeset where the font has it, else as U+XXXX. */
void rnl_latex_text(rnl_buffer *out, const char *text);

/* Append a gnuplot tic label of axis.h's ("−2×10^{6}") as mathematics. */
void rnl_latex_tic(rnl_buffer *out, const char *label);

/* Append the figure's file: gnuplot's picture (`body`, its graphics in `graphic`.pdf beside it) in a frame with which
 * it compiles by itself (pdflatex, lualatex, xelatex), and which \input leaves out within a paper. */
void rnl_latex_frame(rnl_buffer *out, const char *name, const char *graphic, const char *part, const char *body,
                     double width, double height);

#endif
