/* rnn/cells.h owns the built-in cells as cell programs (program.h). Row vectors; the read-out, where output_size is
 * not 0, is y(t) = sigma(h(t) weight_ho + bias_o). Gates lie side by side in a weight's columns.
 *
 *   elman           h = phi(x weight_ih + h(t-1) weight_hh + bias)                                  (Elman 1990)
 *   jordan          h = phi(x weight_ih + y(t-1) weight_oh + bias); y is the state                  (Jordan 1986)
 *   lstm            a = x weight_ih + h(t-1) weight_hh + bias, columns i|f|g|o;  i, f, o = sigmoid, g = tanh;
 *                   c = f c(t-1) + i g,  h = o tanh(c)                    (Gers, Schmidhuber & Cummins 2000)
 *   lstm_peephole   the same with i += c(t-1) peephole_i, f += c(t-1) peephole_f and o += c peephole_o before
 *                   their sigmoids                                        (Gers, Schraudolph & Schmidhuber 2002)
 *   lstm_layernorm  a = LN(x weight_ih) gain_ih + LN(h(t-1) weight_hh) gain_hh + bias,
 *                   h = o tanh(LN(c) gain_c + bias_c),  LN(u) = (u - mean) / sqrt(var + 1e-5)
 *                                                                         (Ba, Kiros & Hinton 2016)
 *   lstm97          blocks of `block_size` cells share an input and an output gate; no forget gate:
 *                   columns in|cell|out;  c = c(t-1) + in g(a_cell),  h = out s(c),  g = 4 sigmoid - 2,
 *                   s = 2 sigmoid - 1; `gates_feed_gates`: a += in(t-1) weight_ig + out(t-1) weight_og;
 *                   `truncated`: no gradient through what is fed back but along c  (Hochreiter & Schmidhuber 1997)
 *   gru             zx = x weight_ih + bias_ih, zh = h(t-1) weight_hh + bias_hh, columns r|z|n;
 *                   r, z = sigmoid(zx + zh), n = tanh(zx_n + r zh_n), h = (1-z) n + z h(t-1)
 *                                                                         (PyTorch's and cuDNN's form)
 *   gru_original    r, z = sigmoid(x weight_ih + h(t-1) weight_hh + bias), weight_hh's columns r|z,
 *                   n = tanh(x weight_ih + (r h(t-1)) weight_hn + bias), h = (1-z) n + z h(t-1)    (Cho et al. 2014)
 *   ctrnn           v = (1-alpha) v(t-1) + alpha (x weight_ih + h(t-1) weight_hh + bias) + noise(t), h = phi(v);
 *                   v is the state and h(t-1) = phi(v(t-1))               (leaky, continuous time with alpha = dt/tau;
 *                   Song, Yang & Wang 2016)
 *   esn             h = (1-alpha) h(t-1) + alpha phi(x weight_ih + h(t-1) weight_hh + bias) + noise(t); `feedback`:
 *                   also y(t-1) weight_oh within phi, and y is a state; `direct`: also x weight_io in y; alpha: leak
 *                                                                         (Jaeger 2001; Jaeger et al. 2007)
 */
#ifndef RNL_RNN_CELLS_H
#define RNL_RNN_CELLS_H

#include "rnn/program.h"

typedef enum rnl_cell_kind {
  RNL_KIND_ELMAN = 0,
  RNL_KIND_JORDAN,
  RNL_KIND_LSTM,
  RNL_KIND_LSTM_PEEPHOLE,
  RNL_KIND_LSTM_LAYERNORM,
  RNL_KIND_LSTM97,
  RNL_KIND_GRU,
  RNL_KIND_GRU_ORIGINAL,
  RNL_KIND_CTRNN,
  RNL_KIND_ESN,
  RNL_KIND_COUNT
} rnl_cell_kind;

typedef struct rnl_cell_options {
  rnl_cell_kind kind;
  int64_t input_size, hidden_size, output_size; /* output_size 0: no read-out (jordan needs one) */
  rnl_activation activation, output_activation; /* phi: elman, jordan, ctrnn, esn; sigma */
  int64_t block_size;                           /* lstm97: cells a block; hidden_size is a multiple of it; 0: 1 */
  bool gates_feed_gates, truncated;             /* lstm97 */
  double alpha;                                 /* ctrnn, esn: 0 < alpha <= 1 */
  bool noise;                                   /* ctrnn, esn: the next input sequence is noise(t), (hidden) */
  bool feedback, direct;                        /* esn */
  /* jordan, esn with feedback: the next input sequence is what is fed back in place of y, (output); with `blended` the
   * one after, (1), says how much of it: m forced + (1-m) y */
  bool forced, blended;
  bool dropout, recurrent_dropout; /* x and h(t-1) times a row each, (input) and (hidden), the same at all steps */
  /* Outputs: "y" if there is a read-out, and "h" unless `lean` (then only where there is no read-out); with
   * `states` every state; with `inspected` every state and "gates" where the cell has some. */
  bool lean, states, inspected;
} rnl_cell_options;

/* A finished program. ERR_ARG or ERR_SHAPE names what cannot be. The weights' order is that of the formulas, the
 * read-out's last. A weight named "expand" is a constant: (blocks, hidden), 1 where the cell is in the block. */
rnl_status rnl_cell_program(rnl_program **out, const rnl_cell_options *options, rnl_error *err);

/* "lstm" -> kind. ERR_ARG lists what there is. */
rnl_status rnl_cell_kind_from_name(const char *name, rnl_cell_kind *out, rnl_error *err);

#endif
