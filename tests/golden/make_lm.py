#!/usr/bin/env python3
"""Levenberg-Marquardt and L-BFGS on a small Elman network, in plain NumPy float64.

    python3 tests/golden/make_lm.py        writes lm_elman.json, lm_elman_masked.json and lbfgs_elman.json beside itself

h(t) = tanh(x(t) weight_ih + h(t-1) weight_hh + bias), h(0) = 0, y(t) = h(t) weight_ho + bias_o.
loss = mean of (y - target)^2 weighted by the mask (1 without), summed over outputs (sse) or their mean too (mse).

lm: r = sqrt(mask) (y - target), E = r'r, J = dr/dp by backpropagation, a row at a time. An epoch takes J at p, then tries
    p - step, step the least-squares solution of [J; sqrt(mu) I] step = [r; 0] by singular values; where E falls, mu /=
    down and the epoch is done, else mu *= up. loss[i] is that before epoch i, `damping` mu after it.
lbfgs: H is kept as a dense matrix, from the last `history` pairs by the BFGS update of (s'y / y'y) I, the newest pair's;
    the line search is algorithms 3.5 and 3.6 of Nocedal & Wright (2006), c1 = 1e-4, c2 = .9: begun with 1, without pairs
    min(1, 1/sum|g|), doubled until bracketed; then the minimum of the cubic (3.59), or the middle of the bracket where
    that lies in an outer tenth of it.
"""
import json
import pathlib

import numpy as np

NAMES = ["weight_ih", "weight_hh", "bias", "weight_ho", "bias_o"]


def rounded(rng, *shape):
    return np.round(rng.uniform(-1, 1, shape) * 1024) / 1024


class Net:
    def __init__(self, rng, batch, steps, n_in, n_hidden, n_out):
        self.shapes = {"weight_ih": (n_in, n_hidden), "weight_hh": (n_hidden, n_hidden), "bias": (n_hidden,),
                       "weight_ho": (n_hidden, n_out), "bias_o": (n_out,)}
        self.x, self.target = rounded(rng, batch, steps, n_in), 2 * rounded(rng, batch, steps, n_out)
        self.mask, self.mean = np.ones((batch, steps)), False
        self.start = np.concatenate([rounded(rng, *shape).reshape(-1) for shape in self.shapes.values()])

    def parts(self, p):
        out, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            out[name], at = p[at:at + size].reshape(shape), at + size
        return out

    def forward(self, p):
        q, h, states, outputs = self.parts(p), np.zeros((len(self.x), self.shapes["bias"][0])), [], []
        states.append(h)
        for t in range(self.x.shape[1]):
            h = np.tanh(self.x[:, t] @ q["weight_ih"] + h @ q["weight_hh"] + q["bias"])
            states.append(h)
            outputs.append(h @ q["weight_ho"] + q["bias_o"])
        return states, np.stack(outputs, 1)

    def backward(self, p, states, dy):
        """sum of dy * y, differentiated by p."""
        q, g = self.parts(p), {name: np.zeros(shape) for name, shape in self.shapes.items()}
        da = np.zeros_like(states[0])
        for t in reversed(range(self.x.shape[1])):
            da = (dy[:, t] @ q["weight_ho"].T + da @ q["weight_hh"].T) * (1 - states[t + 1] ** 2)
            g["weight_ho"] += states[t + 1].T @ dy[:, t]
            g["bias_o"] += dy[:, t].sum(0)
            g["weight_ih"] += self.x[:, t].T @ da
            g["weight_hh"] += states[t].T @ da
            g["bias"] += da.sum(0)
        return np.concatenate([g[name].reshape(-1) for name in NAMES])

    def residuals(self, p):
        return (np.sqrt(self.mask)[:, :, None] * (self.forward(p)[1] - self.target)).reshape(-1)

    def jacobian(self, p):
        states, y = self.forward(p)
        rows, root = [], np.sqrt(self.mask)
        for index in np.ndindex(y.shape):
            dy = np.zeros_like(y)
            dy[index] = root[index[:2]]
            rows.append(self.backward(p, states, dy))
        return np.array(rows)

    def scale(self):
        return 1 / self.mask.sum() / (self.target.shape[2] if self.mean else 1)

    def loss(self, p):
        return self.scale() * np.sum(self.residuals(p) ** 2)

    def gradient(self, p):
        states, y = self.forward(p)
        return self.backward(p, states, 2 * self.scale() * self.mask[:, :, None] * (y - self.target))

    def check(self):
        p, d = self.start, 1e-6
        steps = np.eye(len(p)) * d
        numeric = np.array([(self.residuals(p + s) - self.residuals(p - s)) / (2 * d) for s in steps]).T
        assert np.abs(numeric - self.jacobian(p)).max() < 1e-7
        numeric = np.array([(self.loss(p + s) - self.loss(p - s)) / (2 * d) for s in steps])
        assert np.abs(numeric - self.gradient(p)).max() < 1e-7


def lm(net, epochs, mu, up, down):
    p, losses, dampings, tries = net.start, [], [], 0
    for _ in range(epochs):
        losses.append(net.loss(p))
        r, j = net.residuals(p), net.jacobian(p)
        while True:
            tries += 1
            stacked = np.vstack([j, np.sqrt(mu) * np.eye(len(p))])
            step = np.linalg.lstsq(stacked, np.concatenate([r, np.zeros(len(p))]), rcond=None)[0]
            if np.sum(net.residuals(p - step) ** 2) < np.sum(r ** 2):
                p, mu = p - step, mu / down
                break
            mu *= up
        dampings.append(mu)
    assert tries > epochs + 2, "some tries must fail"
    return p, losses, {"damping": dampings}


def cubic(lo, hi):
    (a, fa, da), (b, fb, db) = lo, hi
    with np.errstate(invalid="ignore"):
        d1 = da + db - 3 * (fa - fb) / (a - b)
        d2 = np.sign(b - a) * np.sqrt(d1 * d1 - da * db)
        at = b - (b - a) * (db + d2 - d1) / (db - da + 2 * d2)
    part = (at - a) / (b - a)
    return at if .1 <= part <= .9 else a + (b - a) / 2


def search(net, p, d, step):
    """A step that satisfies the strong Wolfe conditions."""
    def at(a):
        return a, net.loss(p + a * d), net.gradient(p + a * d) @ d

    _, f0, slope = at(0.)

    def high(q, low):
        return q[1] > f0 + 1e-4 * q[0] * slope or q[1] >= low[1]

    def flat(q):
        return abs(q[2]) <= -.9 * slope

    def zoom(lo, hi):
        while True:
            q = at(cubic(lo, hi))
            if high(q, lo):
                hi = q
            elif flat(q):
                return q[0]
            else:
                if q[2] * (hi[0] - lo[0]) >= 0:
                    hi = lo
                lo = q
    before, q = (0., f0, slope), at(step)
    if q[1] > f0 + 1e-4 * q[0] * slope:
        return zoom(before, q)
    while not flat(q):
        if q[2] >= 0:
            return zoom(q, before)
        before, q = q, at(2 * q[0])
        if high(q, before):
            return zoom(before, q)
    return q[0]


def lbfgs(net, epochs, history):
    p, losses, pairs, steps, eye = net.start, [], [], [], np.eye(len(net.start))
    for _ in range(epochs):
        losses.append(net.loss(p))
        g, h = net.gradient(p), eye
        if pairs:
            s, y = pairs[-1]
            h = (s @ y) / (y @ y) * eye
        for s, y in pairs:
            rho = 1 / (y @ s)
            v = eye - rho * np.outer(y, s)
            h = v.T @ h @ v + rho * np.outer(s, s)
        d = -h @ g
        a = search(net, p, d, 1. if pairs else min(1., 1 / np.abs(g).sum()))
        steps.append(a)
        pairs = (pairs + [(a * d, net.gradient(p + a * d) - g)])[-history:]
        p = p + a * d
    assert len(set(steps)) > 3, "the line search must have had something to do"
    return p, losses, {"steps": steps}


def tensor(values):
    values = np.asarray(values, dtype=np.float64)
    return {"shape": list(values.shape), "data": [float(v) for v in values.reshape(-1)]}


def write(case, net, result, options):
    p, losses, more = result
    expected = {"loss": tensor(losses), "final_loss": tensor(net.loss(p))}
    expected.update({"final_" + name: tensor(value) for name, value in net.parts(p).items()})
    expected.update({name: tensor(value) for name, value in more.items()})
    record = {"format": "rnnlab-reference/1", "case": case, "dtype": "float64", "note": __doc__,
              "options": dict(options, epochs=len(losses), loss="mse" if net.mean else "sse"),
              "inputs": {"x": tensor(net.x), "target": tensor(net.target), "mask": tensor(net.mask)},
              "params": {name: tensor(value) for name, value in net.parts(net.start).items()}, "expected": expected}
    (pathlib.Path(__file__).parent / (case + ".json")).write_text(json.dumps(record) + "\n")
    print(case, losses[0], "->", net.loss(p), more)


def main():
    net = Net(np.random.default_rng(21), 3, 8, 2, 3, 2)
    net.check()
    options = {"damping": .01, "up": 4, "down": 10}
    write("lm_elman", net, lm(net, 12, .01, 4, 10), options)

    masked = Net(np.random.default_rng(22), 4, 7, 3, 4, 2)
    masked.mean = True
    masked.mask = np.round(np.random.default_rng(23).uniform(0, 2, (4, 7)) * 4) / 4
    masked.mask[1, 5:] = 0
    masked.check()
    options = {"damping": 10, "up": 3, "down": 5}
    write("lm_elman_masked", masked, lm(masked, 12, 10, 3, 5), options)

    write("lbfgs_elman", net, lbfgs(net, 25, 4), {"history": 4})


main()
