#!/usr/bin/env python3
"""Golden vectors of cells PyTorch does not have: the leaky network with its mask and Dale's principle, the echo-state
network with feedback, and the LSTM of 1997 with gates that feed gates, its gradient whole and truncated."""
import numpy as np

from complex_step import absolute, check, dyadic, gradient, sigmoid, stop, write


def run(case, note, options, inputs, params, step, states, true_gradient=True):
    """step(p, x_t, i, states) -> y, states; the loss is the sum over steps, sequences and outputs of (y - target)^2, plus
    each final state's product with its cotangent."""
    inputs, params = dict(inputs), dict(params)

    def forward(a):
        now = {s: a[s + "0"] for s in states}
        ys, hs = [], []
        for t in range(a["x"].shape[1]):
            y, now, h = step(a, t, now)
            ys.append(y)
            hs.append(h)
        return np.stack(ys, 1), np.stack(hs, 1), now

    def loss(a):
        y, _, now = forward(a)
        return ((y - a["target"]) ** 2).sum() + sum((now[s] * a["cot_%s_n" % s]).sum() for s in states)

    arrays = {**inputs, **params}
    grads = {}
    for name in list(params) + ["x"] + [s + "0" for s in states]:
        grads[name] = gradient(loss, arrays, name)
        if true_gradient:
            check(loss, arrays, name, grads[name])
    complexes = {k: v.astype(complex) for k, v in arrays.items()}
    y, h, last = forward(complexes)
    expected = {"y": y, "h": h, "loss": loss(complexes), **{s + "_n": last[s] for s in states}}
    write(case, note, options, inputs, params, expected, grads)


rng = np.random.default_rng(5)
B, T, N, H, O = 2, 6, 3, 5, 2
common = {"x": dyadic(rng, B, T, N), "target": dyadic(rng, B, T, O)}
read_out = {"weight_ho": dyadic(rng, H, O), "bias_o": dyadic(rng, O)}


def ctrnn():
    tau, dt = 4.0, 1.0
    alpha = dt / tau

    def step(a, t, s):
        h = np.tanh(s["v"])
        drive = a["x"][:, t] @ a["weight_ih"] + h @ a["weight_hh"] + a["bias"]
        v = (1 - alpha) * s["v"] + alpha * drive + a["noise"][:, t]
        h = np.tanh(v)
        return h @ a["weight_ho"] + a["bias_o"], {"v": v}, h

    inputs = {**common, "noise": dyadic(rng, B, T, H, scale=.25), "v0": dyadic(rng, B, H),
              "cot_v_n": dyadic(rng, B, H)}
    params = {"weight_ih": dyadic(rng, N, H), "weight_hh": dyadic(rng, H, H), "bias": dyadic(rng, H), **read_out}
    run("ctrnn", "v = (1-alpha) v + alpha (x weight_ih + tanh(v) weight_hh + bias) + noise, h = tanh(v), alpha = dt/tau; "
        "y = h weight_ho + bias_o; loss = sum (y - target)^2 + sum cot_v_n v_n.",
        {"hidden_size": H, "tau": tau, "dt": dt}, inputs, params, step, ["v"])


def ctrnn_dale():
    alpha, signs = .25, np.array([1, 1, 1, -1, -1.])
    mask = (rng.uniform(size=(H, H)) < .7).astype(float)
    mask_in = (rng.uniform(size=(N, H)) < .7).astype(float)

    def step(a, t, s):
        W = a["mask"] * a["signs"][:, None] * absolute(a["weight_hh"])
        U = a["mask_in"] * a["weight_ih"]
        h = sigmoid(s["v"])
        v = (1 - alpha) * s["v"] + alpha * (a["x"][:, t] @ U + h @ W + a["bias"])
        h = sigmoid(v)
        return h @ a["weight_ho"] + a["bias_o"], {"v": v}, h

    inputs = {**common, "v0": dyadic(rng, B, H), "cot_v_n": dyadic(rng, B, H), "mask": mask, "mask_in": mask_in,
              "signs": signs}
    weight_hh = dyadic(rng, H, H) + 1 / 8192  # no weight is 0, where |w| has a corner
    weight_hh = np.abs(weight_hh) * signs[:, None]
    params = {"weight_ih": dyadic(rng, N, H), "weight_hh": weight_hh, "bias": dyadic(rng, H), **read_out}
    run("ctrnn_dale", "the leaky network with sigmoid, W_eff = mask * diag(signs) |weight_hh| (rows send) and U_eff = "
        "mask_in * weight_ih (Song, Yang & Wang 2016).", {"hidden_size": H, "alpha": alpha}, inputs, params, step, ["v"])


def esn():
    leak = .375

    def step(a, t, s):
        u = np.tanh(a["x"][:, t] @ a["weight_ih"] + s["h"] @ a["weight_hh"] + s["y"] @ a["weight_oh"] + a["bias"])
        h = (1 - leak) * s["h"] + leak * u
        y = h @ a["weight_ho"] + a["x"][:, t] @ a["weight_io"] + a["bias_o"]
        return y, {"h": h, "y": y}, h

    inputs = {**common, "h0": dyadic(rng, B, H), "y0": dyadic(rng, B, O), "cot_h_n": dyadic(rng, B, H),
              "cot_y_n": dyadic(rng, B, O)}
    params = {"weight_ih": dyadic(rng, N, H), "weight_hh": dyadic(rng, H, H), "weight_oh": dyadic(rng, O, H),
              "bias": dyadic(rng, H), "weight_io": dyadic(rng, N, O), **read_out}
    run("esn", "h = (1-leak) h + leak tanh(x weight_ih + h weight_hh + y weight_oh + bias), y = h weight_ho + x weight_io + "
        "bias_o; y is fed back (Jaeger 2001).", {"hidden_size": H, "leak": leak}, inputs, params, step, ["h", "y"])


def lstm97(case, truncated):
    cells, size = 4, 2
    blocks = cells // size
    columns = cells + 2 * blocks
    back = stop if truncated else (lambda v: v)
    expand = np.kron(np.eye(blocks), np.ones((1, size)))

    def step(a, t, s):
        z = (a["x"][:, t] @ a["weight_ih"] + back(s["h"]) @ a["weight_hh"] + back(s["in"]) @ a["weight_ig"]
             + back(s["out"]) @ a["weight_og"] + a["bias"])
        gate_in, gate_out = sigmoid(z[:, :blocks]), sigmoid(z[:, blocks + cells:])
        g = 4 * sigmoid(z[:, blocks:blocks + cells]) - 2
        c = s["c"] + (gate_in @ expand) * g
        h = (gate_out @ expand) * (2 * sigmoid(c) - 1)
        return h @ a["weight_ho"] + a["bias_o"], {"h": h, "c": c, "in": gate_in, "out": gate_out}, h

    r = np.random.default_rng(7)
    sizes = {"h": cells, "c": cells, "in": blocks, "out": blocks}
    inputs = dict(common)
    for name, n in sizes.items():
        inputs[name + "0"], inputs["cot_%s_n" % name] = dyadic(r, B, n), dyadic(r, B, n)
    params = {"weight_ih": dyadic(r, N, columns), "weight_hh": dyadic(r, cells, columns),
              "weight_ig": dyadic(r, blocks, columns), "weight_og": dyadic(r, blocks, columns),
              "bias": dyadic(r, columns), "weight_ho": dyadic(r, cells, O), "bias_o": dyadic(r, O)}
    run(case, "the LSTM of 1997 in blocks of 2 cells, columns in|cell|out, whose gates of t-1 feed gates and cells: a += "
        "in(t-1) weight_ig + out(t-1) weight_og" + ("; no gradient passes back through h, in and out of t-1, only "
        "along c" if truncated else "") + " (Hochreiter & Schmidhuber 1997).",
        {"hidden_size": cells, "cells_per_block": size, "gates_feed_gates": 1, "truncated": int(truncated)}, inputs, params,
        step, ["h", "c", "in", "out"], not truncated)


ctrnn()
ctrnn_dale()
esn()
lstm97("lstm97_gates_feed_gates", False)
lstm97("lstm97_gates_feed_gates_truncated", True)
