/* train_setup.h: a small network with random data for tests of the loop. */
#ifndef RNL_TEST_TRAIN_SETUP_H
#define RNL_TEST_TRAIN_SETUP_H

#include "tutorial_net.h"

#include "base/rng.h"
#include "rnn/init.h"

enum { SEQUENCES = 21, STEPS = 9, INPUTS = 3, HIDDEN = 5, OUTPUTS = 2 };

typedef struct setup {
  net n;
  rnl_tensor x, y, val_x, val_y;
  rnl_trainer_options options;
} setup;

static inline rnl_tensor random_tensor(uint32_t index, int ndim, const int64_t *size, double scale) {
  rnl_tensor t = {0};
  rnl_rng rng;
  rnl_rng_init(&rng, 7, RNL_RNG_DATA, index);
  rnl_init how = {.kind = RNL_INIT_UNIFORM, .a = -scale, .b = scale};
  OK(rnl_tensor_new(&t, RNL_F32, ndim, size, err));
  OK(rnl_init_fill(&how, &t, &rng, err));
  return t;
}

/* Data of so many sequences and steps. */
static inline void begin_with(setup *s, int64_t sequences, int64_t steps) {
  memset(s, 0, sizeof *s);
  s->n.attrs = (rnl_recurrent_attrs){.cell = RNL_CELL_ELMAN, .phi = RNL_ACT_TANH, .name = "rnn"};
  const int64_t sizes[NET_PARAMETERS][2] = {{INPUTS, HIDDEN}, {HIDDEN, HIDDEN}, {HIDDEN}, {HIDDEN, OUTPUTS}, {OUTPUTS}};
  const int ndims[NET_PARAMETERS] = {2, 2, 1, 2, 1};
  for (int i = 0; i < NET_PARAMETERS; i++) {
    rnl_tensor value = random_tensor(100u + (uint32_t)i, ndims[i], sizes[i], 0.5);
    s->n.parameters[i] = rnl_var_new(&value, true);
  }
  s->x = random_tensor(1, 3, (int64_t[]){sequences, steps, INPUTS}, 1);
  s->y = random_tensor(2, 3, (int64_t[]){sequences, steps, OUTPUTS}, 1);
  s->val_x = random_tensor(3, 3, (int64_t[]){4, steps, INPUTS}, 1);
  s->val_y = random_tensor(4, 3, (int64_t[]){4, steps, OUTPUTS}, 1);
  s->options = (rnl_trainer_options){.record = net_record, .context = &s->n, .n_parameters = NET_PARAMETERS,
                                     .parameters = s->n.parameters, .seed = 3};
  OK(rnl_optimizer_from_name("adam", &s->options.optimizer, err));
}

static inline void begin(setup *s) { begin_with(s, SEQUENCES, STEPS); }

static inline void end(setup *s) {
  net_release(&s->n);
  rnl_tensor *all[] = {&s->x, &s->y, &s->val_x, &s->val_y};
  for (size_t i = 0; i < 4; i++) rnl_tensor_release(all[i]);
}

/* With a validation set, unless `alone`. */
static inline rnl_trainer *trainer_with(setup *s, bool alone) {
  rnl_trainer *t = NULL;
  rnl_set set = set_of(&s->x, &s->y), val = set_of(&s->val_x, &s->val_y);
  OK(rnl_trainer_new(&t, &s->options, &set, alone ? NULL : &val, err));
  rnl_set_release(&set);
  rnl_set_release(&val);
  return t;
}
static inline rnl_trainer *trainer_of(setup *s) { return trainer_with(s, false); }

/* Every parameter's elements, one behind the other. */
enum { WEIGHTS = INPUTS * HIDDEN + HIDDEN * HIDDEN + HIDDEN + HIDDEN * OUTPUTS + OUTPUTS };
static inline void weights_of(const setup *s, double out[WEIGHTS]) {
  int at = 0;
  for (int p = 0; p < NET_PARAMETERS; p++)
    for (int64_t i = 0; i < rnl_tensor_numel(rnl_value(s->n.parameters[p])); i++)
      out[at++] = rnl_tensor_at(rnl_value(s->n.parameters[p]), i);
  assert_int_equal(at, WEIGHTS);
}

#endif
