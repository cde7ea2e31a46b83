#!/usr/bin/env python3
"""Truncated backpropagation through time with k1 != k2 (Williams & Peng 1990, BPTT(h; h')), in plain NumPy float64.

    python3 tests/golden/make_tbptt.py        writes tbptt_k1_k2.json and tbptt_k1_k2_odd.json beside itself

An Elman network: h(t) = tanh(x(t) weight_ih + h(t-1) weight_hh + bias), y(t) = h(t) weight_ho + bias_o, h(0) = h0.

The weights are updated every k1 steps by a gradient that goes back k2 >= k1 steps. For update j = 0, 1, ...
    end   = min((j+1) k1, T)                 the steps j k1 + 1 .. end are new: no earlier update counted them
    start = max((j+1) k1 - k2, 0)            the chunk is the steps start + 1 .. end
    the chunk begins from h(start): h0 where start = 0; else the state after step `start` as update
        i = j - floor(k2/k1) computed it, with the weights of that time (its new steps contain `start`). It is a constant.
    loss  = mean over sequences and the new steps of the sum over outputs of (y - target)^2
    every weight p -= lr dloss/dp
"""
import json
import pathlib

import numpy as np

NAMES = ["weight_ih", "weight_hh", "bias", "weight_ho", "bias_o"]


def rounded(rng, *shape):
    return np.round(rng.uniform(-1, 1, shape) * 1024) / 1024


def forward(p, x, h):
    """States (chunk + 1, batch, hidden), the first the one given; outputs (chunk, batch, output)."""
    states, outputs = [h], []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ p["weight_ih"] + h @ p["weight_hh"] + p["bias"])
        states.append(h)
        outputs.append(h @ p["weight_ho"] + p["bias_o"])
    return states, outputs


def gradients(p, x, target, h, new):
    """Loss over the last `new` steps, gradients by weight, states."""
    states, outputs = forward(p, x, h)
    steps, scale = x.shape[1], 1.0 / (x.shape[0] * new)
    g = {name: np.zeros_like(p[name]) for name in NAMES}
    loss, dh = 0.0, np.zeros_like(h)
    for t in reversed(range(steps)):
        if t >= steps - new:
            error = outputs[t] - target[:, t]
            loss += scale * np.sum(error ** 2)
            dy = 2 * scale * error
            g["weight_ho"] += states[t + 1].T @ dy
            g["bias_o"] += dy.sum(0)
            dh = dh + dy @ p["weight_ho"].T
        da = dh * (1 - states[t + 1] ** 2)
        g["weight_ih"] += x[:, t].T @ da
        g["weight_hh"] += states[t].T @ da
        g["bias"] += da.sum(0)
        dh = da @ p["weight_hh"].T
    return loss, g, states


def check(p, x, target, h, new):
    """The gradients above against central differences."""
    _, g, _ = gradients(p, x, target, h, new)
    for name in NAMES:
        for index in np.ndindex(p[name].shape):
            values = []
            for d in (1e-6, -1e-6):
                q = {key: value.copy() for key, value in p.items()}
                q[name][index] += d
                values.append(gradients(q, x, target, h, new)[0])
            assert abs((values[0] - values[1]) / 2e-6 - g[name][index]) < 1e-7, (name, index)


def tensor(values):
    values = np.asarray(values, dtype=np.float64)
    data = [float(v) for v in values.reshape(-1)]
    return {"shape": list(values.shape), "data": data}


def make(case, seed, batch, steps, sizes, k1, k2, lr):
    rng = np.random.default_rng(seed)
    n_in, n_hidden, n_out = sizes
    x, target, h0 = rounded(rng, batch, steps, n_in), rounded(rng, batch, steps, n_out), rounded(rng, batch, n_hidden)
    p = {"weight_ih": rounded(rng, n_in, n_hidden), "weight_hh": rounded(rng, n_hidden, n_hidden),
         "bias": rounded(rng, n_hidden), "weight_ho": rounded(rng, n_hidden, n_out), "bias_o": rounded(rng, n_out)}
    params = {name: tensor(p[name]) for name in NAMES}
    saved = {0: h0}  # step -> the state after it, as first computed
    losses, begins, stacked, after = [], [], {name: [] for name in NAMES}, {name: [] for name in NAMES}
    for j in range((steps + k1 - 1) // k1):
        end, start = min((j + 1) * k1, steps), max((j + 1) * k1 - k2, 0)
        new = end - j * k1
        begin = saved[start]
        if j in (0, 3):
            check(p, x[:, start:end], target[:, start:end], begin, new)
        loss, g, states = gradients(p, x[:, start:end], target[:, start:end], begin, new)
        for t in range(j * k1 + 1, end + 1):
            saved[t] = states[t - start]
        losses.append(loss)
        begins.append(begin)
        for name in NAMES:
            stacked[name].append(g[name])
            p[name] = p[name] - lr * g[name]
            after[name].append(p[name])
    expected = {"loss": tensor(losses), "h_start": tensor(begins)}
    expected.update({"after_" + name: tensor(after[name]) for name in NAMES})
    file = pathlib.Path(__file__).parent / (case + ".json")
    record = {"format": "rnnlab-reference/1", "case": case, "dtype": "float64", "seed": seed, "note": __doc__,
              "options": {"cell": "elman", "activation": "tanh", "update": "sgd", "time": steps, "k1": k1, "k2": k2,
                          "chunks": len(losses), "batch": batch, "lr": lr},
              "inputs": {"x": tensor(x), "target": tensor(target), "h0": tensor(h0)}, "params": params,
              "expected": expected, "grads": {name: tensor(stacked[name]) for name in NAMES}}
    file.write_text(json.dumps(record) + "\n")
    print(file.name)


make("tbptt_k1_k2", 11, 3, 22, (2, 5, 2), 4, 12, 0.05)      # 22 is no multiple of 4
make("tbptt_k1_k2_odd", 12, 2, 21, (3, 4, 1), 3, 8, 0.05)   # 8 is no multiple of 3
