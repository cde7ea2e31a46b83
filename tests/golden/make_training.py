#!/usr/bin/env python3
"""Golden vectors of training that PyTorch 1.13's vectors leave out: Rprop, the negative log-likelihood of a Gaussian, and
ridge regression of a reservoir's read-out."""
import numpy as np

from complex_step import check, dyadic, gradient, write


def rprop():
    """Riedmiller & Braun 1993 in the form PyTorch has: where the sign of an element's gradient changes, its step shrinks
    and the gradient counts as 0 for this step and in the next comparison."""
    rng = np.random.default_rng(11)
    shapes, steps = {"a": (3, 4), "b": (5,)}, 12
    lr, minus, plus, least, most = .01, .5, 1.2, 1e-3, .03
    params = {k: dyadic(rng, *s) for k, s in shapes.items()}
    p = {k: v.copy() for k, v in params.items()}
    size = {k: np.full(s, lr) for k, s in shapes.items()}
    before = {k: np.zeros(s) for k, s in shapes.items()}
    inputs, expected = {}, {}
    for k, s in shapes.items():
        g_all = dyadic(rng, steps, *s)
        g_all[rng.uniform(size=g_all.shape) < .1] = 0
        trajectory = []
        for g in g_all:
            g = g.copy()
            sign = np.sign(g * before[k])
            size[k] = np.where(sign > 0, np.minimum(size[k] * plus, most),
                               np.where(sign < 0, np.maximum(size[k] * minus, least), size[k]))
            g[sign < 0] = 0
            p[k] = p[k] - np.sign(g) * size[k]
            before[k] = g
            trajectory.append(p[k].copy())
        inputs["grad_" + k] = g_all
        expected[k] = np.stack(trajectory)
    write("optim_rprop", rprop.__doc__ + " grad_NAME[t] is the gradient of step t, NAME[t] the parameter after it.",
          {"lr": lr, "eta_minus": minus, "eta_plus": plus, "step_min": least, "step_max": most}, inputs, params, expected,
          {})


def gaussian_nll():
    """The mean over sequences, steps and outputs of .5 (log 2 pi + s + (target - m)^2 exp(-s)); y holds the means m, then
    the log variances s."""
    rng = np.random.default_rng(13)
    y, target = dyadic(rng, 2, 5, 6, scale=2), dyadic(rng, 2, 5, 3, scale=2)

    def loss(a):
        m, s = a["y"][..., :3], a["y"][..., 3:]
        return np.mean(.5 * (np.log(2 * np.pi) + s + (a["target"] - m) ** 2 * np.exp(-s)))

    arrays = {"y": y, "target": target}
    grad = gradient(loss, arrays, "y")
    check(loss, arrays, "y", grad)
    write("loss_gaussian_nll", gaussian_nll.__doc__, {}, arrays, {}, {"loss": loss(arrays)}, {"y": grad})


def ridge():
    """B that minimises sum of w |target - f B|^2 + lambda |V|^2 and S = the same with lambda = 0, of least norm; f = [h, x,
    1], the last not penalised, h the states of h = (1-leak) h + leak tanh(x weight_ih + h weight_hh + bias) from zero;
    the first `washout` steps and those past a sequence's length do not count."""
    rng = np.random.default_rng(17)
    B, T, N, H, O, leak, lam, washout = 3, 40, 2, 7, 2, .625, .0078125, 5
    p = {"weight_ih": dyadic(rng, N, H), "weight_hh": dyadic(rng, H, H, scale=.5), "bias": dyadic(rng, H)}
    x, target, lengths = dyadic(rng, B, T, N), dyadic(rng, B, T, O), np.array([T, 31, 12])
    h, states = np.zeros((B, H)), []
    for t in range(T):
        h = (1 - leak) * h + leak * np.tanh(x[:, t] @ p["weight_ih"] + h @ p["weight_hh"] + p["bias"])
        states.append(h)
    states = np.stack(states, 1)
    f = np.concatenate([states, x, np.ones((B, T, 1))], 2)
    counts = (np.arange(T)[None] >= washout) & (np.arange(T)[None] < lengths[:, None])
    F, Y = f[counts], target[counts]
    # The penalty as rows of its own: a QR factorisation of the stacked system, not the normal equations.
    penalty = np.sqrt(lam) * np.eye(H + N + 1)[:-1]
    solution = np.linalg.lstsq(np.vstack([F, penalty]), np.vstack([Y, np.zeros((H + N, O))]), rcond=None)[0]
    plain = np.linalg.lstsq(F, Y, rcond=None)[0]
    expected = {}
    for suffix, b in (("", solution), ("_plain", plain)):
        expected["weight_ho" + suffix], expected["weight_io" + suffix] = b[:H], b[H:H + N]
        expected["bias_o" + suffix] = b[-1]
    write("ridge", ridge.__doc__, {"leak": leak, "lambda": lam, "washout": washout, "hidden_size": H},
          {"x": x, "target": target, "lengths": lengths}, p, expected, {}, integers=("lengths",))


rprop()
gaussian_nll()
ridge()
