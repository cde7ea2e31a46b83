/* plot/style.c: see style.h. */
#include "plot/style.h"

static const char *const palette[] = {"#2563EB", "#DC2626", "#14B8A6", "#F59E0B", "#9D174D"};
enum { COLORS = sizeof palette / sizeof *palette };

const char *rnl_style_color(int role) {
  if (role == RNL_ROLE_TARGET) return "#111827";
  if (role == RNL_ROLE_PREDICTED) return palette[0];
  if (role == RNL_ROLE_MUTED) return "#9CA3AF";
  return palette[(role - RNL_ROLE_SERIES) % COLORS];
}

int rnl_style_line(int role) {
  if (role == RNL_ROLE_TARGET) return 1;
  if (role == RNL_ROLE_PREDICTED) return 2;
  if (role == RNL_ROLE_MUTED) return 2 + COLORS;
  return 2 + (role - RNL_ROLE_SERIES) % COLORS;
}

bool rnl_style_dashed(int role) { return role >= RNL_ROLE_SERIES && (role - RNL_ROLE_SERIES) / COLORS % 2 == 1; }

void rnl_style_write(rnl_buffer *gp, double scale) {
  /* Sizes are points at the figure's own size; the terminals scale them. */
  double text = 9 * scale, mark = 0.32 * scale;
  rnl_buffer_printf(gp,
                    "set border 3 lc rgb '" RNL_COLOR_BORDER "' lw 0.8\n"
                    "set tics nomirror out scale 0.5,0.3 enhanced textcolor rgb '" RNL_COLOR_TICS "' font ',%.4g'\n"
                    "set key noenhanced noautotitle samplen 2.4 spacing 1.1 textcolor rgb '" RNL_COLOR_LABEL
                    "' font ',%.4g'\n",
                    text, text);
  static const int roles[] = {RNL_ROLE_TARGET,     RNL_ROLE_PREDICTED,  RNL_ROLE_SERIES + 1, RNL_ROLE_SERIES + 2,
                              RNL_ROLE_SERIES + 3, RNL_ROLE_SERIES + 4, RNL_ROLE_MUTED};
  static const char *const what[] = {"target: near black", "prediction, and the first series: blue", "", "", "", "",
                                     "the many behind the one"};
  for (int i = 0; i < COLORS + 2; i++)
    rnl_buffer_printf(gp, "set style line %d lc rgb '%s' lw %g pt 7 ps %.4g*DOT%s%s\n", i + 1,
                      rnl_style_color(roles[i]),
                      i == 0 ? 1.2 : i == COLORS + 1 ? 0.7 : 1.6, mark, what[i][0] ? "   # " : "", what[i]);
  rnl_buffer_text(gp, "set style fill solid 1 noborder\n"
                      "set style textbox opaque noborder fillcolor rgb 'white' margins 0.4,0.4\n");
}

const char *rnl_style_palette(rnl_color_map map) {
  switch (map) {
    case RNL_MAP_DIVERGING: /* blue below zero, red above, grey-white between: told apart by every eye */
      return "defined (0 '#1E3A8A', 1 '#2563EB', 2 '#93B4F5', 3 '#F7F7F5', 4 '#F4A58A', 5 '#D6452B', 6 '#7F1D1D')";
    case RNL_MAP_BLUES:
      return "defined (0 '#FFFFFF', 1 '#DBE7FD', 2 '#93B8F8', 3 '#3B7BEF', 4 '#1D4ED8', 5 '#172F7A')";
    case RNL_MAP_SEQUENTIAL: /* lightness rises all the way, as in viridis */
    case RNL_MAPS: break;
  }
  return "defined (0 '#440154', 1 '#46327E', 2 '#365C8D', 3 '#277F8E', 4 '#1FA187', 5 '#4AC16D', 6 '#A0DA39', "
         "7 '#FDE725')";
}
