/* base/number.c: doubles as text and back.
 *
 * Writing is Grisu2 (Florian Loitsch, "Printing floating-point numbers quickly and accurately with
 * integers", PLDI 2010): metrics.csv holds three numbers an epoch, and printf with a trial read back
 * would take longer than the training of a small network. */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- writing -------------------------------------------------------------------------------- */

typedef struct scaled { /* f * 2^e */
  uint64_t f;
  int e;
} scaled;

enum { FIRST_POWER = -348, POWER_STEP = 8, POWERS = 87 };

/* 10^(FIRST_POWER + POWER_STEP * i), rounded to 64 bits. */
static const struct { uint64_t f; int16_t e; } powers_of_ten[POWERS] = {
  { 0xfa8fd5a0081c0288ULL, -1220 }, { 0xbaaee17fa23ebf76ULL, -1193 }, { 0x8b16fb203055ac76ULL, -1166 },
  { 0xcf42894a5dce35eaULL, -1140 }, { 0x9a6bb0aa55653b2dULL, -1113 }, { 0xe61acf033d1a45dfULL, -1087 },
  { 0xab70fe17c79ac6caULL, -1060 }, { 0xff77b1fcbebcdc4fULL, -1034 }, { 0xbe5691ef416bd60cULL, -1007 },
  { 0x8dd01fad907ffc3cULL, -980 }, { 0xd3515c2831559a83ULL, -954 }, { 0x9d71ac8fada6c9b5ULL, -927 },
  { 0xea9c227723ee8bcbULL, -901 }, { 0xaecc49914078536dULL, -874 }, { 0x823c12795db6ce57ULL, -847 },
  { 0xc21094364dfb5637ULL, -821 }, { 0x9096ea6f3848984fULL, -794 }, { 0xd77485cb25823ac7ULL, -768 },
  { 0xa086cfcd97bf97f4ULL, -741 }, { 0xef340a98172aace5ULL, -715 }, { 0xb23867fb2a35b28eULL, -688 },
  { 0x84c8d4dfd2c63f3bULL, -661 }, { 0xc5dd44271ad3cdbaULL, -635 }, { 0x936b9fcebb25c996ULL, -608 },
  { 0xdbac6c247d62a584ULL, -582 }, { 0xa3ab66580d5fdaf6ULL, -555 }, { 0xf3e2f893dec3f126ULL, -529 },
  { 0xb5b5ada8aaff80b8ULL, -502 }, { 0x87625f056c7c4a8bULL, -475 }, { 0xc9bcff6034c13053ULL, -449 },
  { 0x964e858c91ba2655ULL, -422 }, { 0xdff9772470297ebdULL, -396 }, { 0xa6dfbd9fb8e5b88fULL, -369 },
  { 0xf8a95fcf88747d94ULL, -343 }, { 0xb94470938fa89bcfULL, -316 }, { 0x8a08f0f8bf0f156bULL, -289 },
  { 0xcdb02555653131b6ULL, -263 }, { 0x993fe2c6d07b7facULL, -236 }, { 0xe45c10c42a2b3b06ULL, -210 },
  { 0xaa242499697392d3ULL, -183 }, { 0xfd87b5f28300ca0eULL, -157 }, { 0xbce5086492111aebULL, -130 },
  { 0x8cbccc096f5088ccULL, -103 }, { 0xd1b71758e219652cULL, -77 }, { 0x9c40000000000000ULL, -50 },
  { 0xe8d4a51000000000ULL, -24 }, { 0xad78ebc5ac620000ULL, 3 }, { 0x813f3978f8940984ULL, 30 },
  { 0xc097ce7bc90715b3ULL, 56 }, { 0x8f7e32ce7bea5c70ULL, 83 }, { 0xd5d238a4abe98068ULL, 109 },
  { 0x9f4f2726179a2245ULL, 136 }, { 0xed63a231d4c4fb27ULL, 162 }, { 0xb0de65388cc8ada8ULL, 189 },
  { 0x83c7088e1aab65dbULL, 216 }, { 0xc45d1df942711d9aULL, 242 }, { 0x924d692ca61be758ULL, 269 },
  { 0xda01ee641a708deaULL, 295 }, { 0xa26da3999aef774aULL, 322 }, { 0xf209787bb47d6b85ULL, 348 },
  { 0xb454e4a179dd1877ULL, 375 }, { 0x865b86925b9bc5c2ULL, 402 }, { 0xc83553c5c8965d3dULL, 428 },
  { 0x952ab45cfa97a0b3ULL, 455 }, { 0xde469fbd99a05fe3ULL, 481 }, { 0xa59bc234db398c25ULL, 508 },
  { 0xf6c69a72a3989f5cULL, 534 }, { 0xb7dcbf5354e9beceULL, 561 }, { 0x88fcf317f22241e2ULL, 588 },
  { 0xcc20ce9bd35c78a5ULL, 614 }, { 0x98165af37b2153dfULL, 641 }, { 0xe2a0b5dc971f303aULL, 667 },
  { 0xa8d9d1535ce3b396ULL, 694 }, { 0xfb9b7cd9a4a7443cULL, 720 }, { 0xbb764c4ca7a44410ULL, 747 },
  { 0x8bab8eefb6409c1aULL, 774 }, { 0xd01fef10a657842cULL, 800 }, { 0x9b10a4e5e9913129ULL, 827 },
  { 0xe7109bfba19c0c9dULL, 853 }, { 0xac2820d9623bf429ULL, 880 }, { 0x80444b5e7aa7cf85ULL, 907 },
  { 0xbf21e44003acdd2dULL, 933 }, { 0x8e679c2f5e44ff8fULL, 960 }, { 0xd433179d9c8cb841ULL, 986 },
  { 0x9e19db92b4e31ba9ULL, 1013 }, { 0xeb96bf6ebadf77d9ULL, 1039 }, { 0xaf87023b9bf0ee6bULL, 1066 },
};

static const uint64_t tens[] = { 1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL,
                                 10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL,
                                 100000000000ULL, 1000000000000ULL, 10000000000000ULL,
                                 100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL,
                                 100000000000000000ULL, 1000000000000000000ULL,
                                 10000000000000000000ULL };

static scaled multiply(scaled a, scaled b) {
  unsigned __int128 product = (unsigned __int128)a.f * b.f;
  uint64_t high = (uint64_t)(product >> 64);
  if ((uint64_t)product >> 63) high++;
  return (scaled){ high, a.e + b.e + 64 };
}

static scaled normalise(scaled x) {
  int shift = __builtin_clzll(x.f);
  return (scaled){ x.f << shift, x.e - shift };
}

/* Step the last digit down while that brings the text nearer to the value. */
static void round_last_digit(char *digits, int length, uint64_t delta, uint64_t rest,
                             uint64_t unit, uint64_t distance) {
  while (rest < distance && delta - rest >= unit &&
         (rest + unit < distance || distance - rest > rest + unit - distance)) {
    digits[length - 1]--;
    rest += unit;
  }
}

static int count_digits(uint32_t n) {
  int count = 1;
  while (n >= 10) {
    n /= 10;
    count++;
  }
  return count;
}

/* The shortest digits between high - delta and high, nearest to w; *exponent grows by the digits cut. */
static int generate_digits(scaled w, scaled high, uint64_t delta, char *digits, int *exponent) {
  int shift = -high.e;
  uint64_t one = 1ULL << shift, distance = high.f - w.f;
  uint32_t whole = (uint32_t)(high.f >> shift);
  uint64_t part = high.f & (one - 1);
  int kappa = count_digits(whole), length = 0;
  while (kappa > 0) {
    uint32_t unit = (uint32_t)tens[kappa - 1], digit = whole / unit;
    whole %= unit;
    if (digit || length) digits[length++] = (char)('0' + digit);
    kappa--;
    uint64_t rest = ((uint64_t)whole << shift) + part;
    if (rest <= delta) {
      *exponent += kappa;
      round_last_digit(digits, length, delta, rest, tens[kappa] << shift, distance);
      return length;
    }
  }
  for (;;) {
    part *= 10;
    delta *= 10;
    int digit = (int)(part >> shift);
    if (digit || length) digits[length++] = (char)('0' + digit);
    part &= one - 1;
    kappa--;
    if (part < delta) {
      *exponent += kappa;
      uint64_t scale = -kappa < 20 ? tens[-kappa] : 0;
      round_last_digit(digits, length, delta, part, one, distance * scale);
      return length;
    }
  }
}

/* value > 0 and finite: value = digits * 10^exponent. */
static int shortest_digits(double value, char *digits, int *exponent) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint64_t hidden = 1ULL << 52;
  int biased = (int)(bits >> 52);
  uint64_t fraction = bits & (hidden - 1);
  scaled v = biased ? (scaled){ fraction | hidden, biased - 1075 } : (scaled){ fraction, -1074 };
  /* The halves to the neighbours: whatever lies between reads back as value. */
  scaled high = normalise((scaled){ (v.f << 1) + 1, v.e - 1 });
  scaled low = v.f == hidden ? (scaled){ (v.f << 2) - 1, v.e - 2 } : (scaled){ (v.f << 1) - 1, v.e - 1 };
  low.f <<= low.e - high.e;
  low.e = high.e;

  /* A power of ten that brings the exponent of the product to -60 .. -32. */
  int k = (int)ceil((-61 - high.e) * 0.30102999566398114 - FIRST_POWER - 1);
  int index = (k >> 3) + 1;
  *exponent = -(FIRST_POWER + index * POWER_STEP);
  scaled power = { powers_of_ten[index].f, powers_of_ten[index].e };
  scaled w = multiply(normalise(v), power);
  scaled w_high = multiply(high, power), w_low = multiply(low, power);
  w_low.f++; /* the product is off by at most one: stay inside */
  w_high.f--;
  return generate_digits(w, w_high, w_high.f - w_low.f, digits, exponent);
}

size_t rnl_number_format(char out[RNL_NUMBER_TEXT], double value) {
  char *p = out;
  if (isnan(value)) {
    memcpy(out, "nan", 4);
    return 3;
  }
  if (signbit(value)) {
    *p++ = '-';
    value = -value;
  }
  if (isinf(value) || value == 0) {
    memcpy(p, value == 0 ? "0" : "inf", value == 0 ? 2 : 4);
    return (size_t)(p - out) + (value == 0 ? 1 : 3);
  }
  char digits[24];
  int exponent, length = shortest_digits(value, digits, &exponent);
  int point = length + exponent; /* digits before the decimal point */
  if (0 < point && point <= 17) {
    if (length <= point) {
      memcpy(p, digits, (size_t)length);
      memset(p + length, '0', (size_t)(point - length));
      p += point;
    } else {
      memcpy(p, digits, (size_t)point);
      p += point;
      *p++ = '.';
      memcpy(p, digits + point, (size_t)(length - point));
      p += length - point;
    }
  } else if (-4 < point && point <= 0) {
    *p++ = '0';
    *p++ = '.';
    memset(p, '0', (size_t)-point);
    p += -point;
    memcpy(p, digits, (size_t)length);
    p += length;
  } else {
    *p++ = digits[0];
    if (length > 1) {
      *p++ = '.';
      memcpy(p, digits + 1, (size_t)(length - 1));
      p += length - 1;
    }
    int power = point - 1;
    *p++ = 'e';
    *p++ = power < 0 ? '-' : '+';
    if (power < 0) power = -power;
    if (power >= 100) *p++ = (char)('0' + power / 100);
    *p++ = (char)('0' + power / 10 % 10);
    *p++ = (char)('0' + power % 10);
  }
  *p = '\0';
  return (size_t)(p - out);
}

/* ---- reading -------------------------------------------------------------------------------- */

enum { MAX_NUMBER_LENGTH = 1024 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool match_word(const char *p, const char *end, const char *word, const char **after) {
  size_t n = strlen(word);
  if ((size_t)(end - p) < n || strncasecmp(p, word, n) != 0) return false;
  *after = p + n;
  return true;
}

/* strtod, whatever decimal point the host program's locale has. */
static double parse_slowly(const char *text, size_t length) {
  char copy[MAX_NUMBER_LENGTH + 8];
  memcpy(copy, text, length);
  copy[length] = '\0';
  char *dot = strchr(copy, '.');
  const char *point = localeconv()->decimal_point;
  if (dot && point[0] && !point[1]) *dot = point[0];
  return strtod(copy, NULL);
}

bool rnl_number_parse(const char *text, const char *end, double *value, const char **after) {
  static const double exact_tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
  const char *p = text;
  bool negative = false;
  if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
  if (match_word(p, end, "nan", after)) {
    *value = NAN;
    return true;
  }
  if (match_word(p, end, "infinity", after) || match_word(p, end, "inf", after)) {
    *value = negative ? -INFINITY : INFINITY;
    return true;
  }
  uint64_t mantissa = 0;
  int digits = 0, significant = 0, scale = 0;
  bool fraction = false;
  for (; p < end; p++) {
    if (*p == '.' && !fraction) {
      fraction = true;
      continue;
    }
    if (!is_digit(*p)) break;
    if (p - text > MAX_NUMBER_LENGTH) return false;
    digits++;
    if (significant > 0 || *p != '0') significant++;
    if (significant <= 19) {
      mantissa = mantissa * 10 + (uint64_t)(*p - '0');
      if (fraction) scale--;
    }
  }
  if (digits == 0) return false;
  const char *mark = p;
  if (p < end && (*p == 'e' || *p == 'E')) {
    const char *q = p + 1;
    bool minus = false;
    if (q < end && (*q == '-' || *q == '+')) minus = *q++ == '-';
    if (q < end && is_digit(*q)) {
      int power = 0;
      for (; q < end && is_digit(*q); q++) {
        if (power < 100000) power = power * 10 + (*q - '0');
      }
      scale += minus ? -power : power;
      mark = q;
    }
  }
  if ((size_t)(mark - text) > MAX_NUMBER_LENGTH) return false;
  *after = mark;
  /* Clinger's fast path: both factors are exact doubles, so one rounding gives the right answer. */
  if (significant <= 19 && mantissa <= 1ULL << 53 && scale >= -22 && scale <= 22) {
    double x = (double)mantissa;
    x = scale < 0 ? x / exact_tens[-scale] : x * exact_tens[scale];
    *value = negative ? -x : x;
  } else {
    *value = parse_slowly(text, (size_t)(mark - text));
  }
  return true;
}

/* ---- missing values ------------------------------------------------------------------------- */

static const uint64_t MISSING_BITS = 0x7ff80000000007a2ULL; /* a quiet NaN whose payload is 1954, as R's */

double rnl_missing(void) {
  double value;
  memcpy(&value, &MISSING_BITS, sizeof value);
  return value;
}

bool rnl_is_missing(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits == MISSING_BITS;
}
