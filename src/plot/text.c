/* plot/text.c: see text.h. */
#include "plot/text.h"

#include <string.h>

unsigned rnl_plot_next_char(const char **text) {
  const unsigned char *s = (const unsigned char *)*text;
  unsigned c = s[0];
  int more = c < 0x80 ? 0 : c < 0xC2 || c > 0xF4 ? -1 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
  *text += 1;
  if (more < 0) return 0xFFFD;
  if (more == 0) return c;
  c &= 0x3Fu >> more;
  for (int i = 1; i <= more; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0xFFFD; /* a NUL ends here too */
    c = c << 6 | (s[i] & 0x3Fu);
  }
  static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
  if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return 0xFFFD;
  *text += more;
  return c;
}

static bool is_dropped(unsigned c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

void rnl_plot_clean(rnl_buffer *out, const char *text) {
  while (*text) {
    const char *start = text;
    unsigned c = rnl_plot_next_char(&text);
    if (c == '\n' || c == '\t' || c == '\r') {
      if (c != '\r' || *text != '\n') rnl_buffer_char(out, ' ');
    } else if (is_dropped(c)) {
      continue;
    } else if (c == '\'') {
      rnl_buffer_text(out, "’");
    } else if (c == 0xFFFD || (c & 0xFFFE) == 0xFFFE) {
      rnl_buffer_text(out, "\xEF\xBF\xBD");
    } else {
      rnl_buffer_append(out, start, (size_t)(text - start));
    }
  }
}

char *rnl_plot_clean_copy(const char *text) {
  rnl_buffer out = {0};
  rnl_plot_clean(&out, text);
  if (!out.failed && !out.data) rnl_buffer_append(&out, "", 0);
  char *copy = rnl_buffer_take(&out);
  rnl_buffer_free(&out);
  return copy;
}

size_t rnl_plot_length(const char *text) {
  size_t n = 0;
  for (; *text; n++) rnl_plot_next_char(&text);
  return n;
}

static double char_width(unsigned c) {
  if (c < 0x80 && strchr("iljI.,:;|!' `", (int)c)) return 0.30;
  if (c < 0x80 && strchr("mwMW@%", (int)c)) return 0.88;
  if ((c >= 'A' && c <= 'Z') || c == '_') return 0.68;
  if (c >= 0x1100 && (c <= 0x115F || (c >= 0x2E80 && c <= 0xFFDC) || c >= 0x1F300)) return 1.05;
  return 0.58;
}

double rnl_plot_width(const char *text, double size) {
  double width = 0;
  while (*text) width += char_width(rnl_plot_next_char(&text));
  return width * size;
}

void rnl_plot_fit(rnl_buffer *out, const char *text, double size, double room) {
  if (rnl_plot_width(text, size) <= room) {
    rnl_buffer_text(out, text);
    return;
  }
  double used = size; /* the ellipsis */
  const char *end = text;
  while (*end) {
    const char *next = end;
    used += char_width(rnl_plot_next_char(&next)) * size;
    if (used > room) break;
    end = next;
  }
  while (end > text && end[-1] == ' ') end--;
  rnl_buffer_append(out, text, (size_t)(end - text));
  rnl_buffer_text(out, "…");
}
