#!/usr/bin/env python3
"""Golden vectors of looking inside: eigenvalues, principal components, fixed points and Lyapunov exponents, by NumPy."""
import numpy as np

from complex_step import dyadic, write

rng = np.random.default_rng(23)


def by_modulus(values):
    """The largest modulus first, then the largest real and imaginary part."""
    return np.array(sorted(values, key=lambda v: (-round(abs(v), 10), -round(v.real, 10), -v.imag)))


def spectrum_and_pca():
    W = dyadic(rng, 7, 7)
    values = by_modulus(np.linalg.eigvals(W))
    states = dyadic(rng, 3, 11, 4) * np.array([1, 3, .5, 2]) + np.array([1, -2, 0, .5])
    rows = states.reshape(-1, 4)
    mean = rows.mean(0)
    _, s, components = np.linalg.svd(rows - mean, full_matrices=False)
    components *= np.sign(components[np.arange(4), np.abs(components).argmax(1)])[:, None]
    variance = s ** 2 / (len(rows) - 1)
    write("analysis_spectrum_pca", "eigenvalues of W (re, im), the largest modulus first; principal components of states "
          "(rows over batch and time) by a singular value decomposition, variance over rows - 1, each component's largest "
          "entry positive.", {}, {"W": W, "states": states}, {},
          {"re": values.real, "im": values.imag, "mean": mean, "components": components, "variance": variance,
           "ratio": variance / variance.sum(), "projections": (states - mean) @ components.T}, {})


def jacobian(W, h_next):
    """d h' / d h of h' = tanh(h W + ...): rows are h'."""
    return (1 - h_next ** 2)[:, None] * W.T


def dynamics():
    """An Elman network of three units: every fixed point at a constant input, by Newton's method from a fine grid; and its
    Lyapunov exponents along a given input, by QR of the product of Jacobians."""
    n = 3
    W = np.array([[2.0, -.5, .25], [.75, 1.75, -.5], [-.25, .5, 1.5]])
    U, b = dyadic(rng, 2, n), dyadic(rng, n, scale=.25)
    u = np.array([.25, -.125])
    points = []
    for start in np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * n), -1).reshape(-1, n):
        h = start
        for _ in range(200):
            f = np.tanh(u @ U + h @ W + b)
            step = np.linalg.solve(jacobian(W, f) - np.eye(n), h - f)
            h = h + step * min(1, .5 / (np.linalg.norm(step) + 1e-300))
        if np.linalg.norm(np.tanh(u @ U + h @ W + b) - h) < 1e-13 and all(np.linalg.norm(h - p) > 1e-6 for p in points):
            points.append(h)
    points = np.array(sorted(points, key=lambda p: tuple(np.round(p, 8))))
    unstable, radius = [], []
    for p in points:
        values = np.linalg.eigvals(jacobian(W, np.tanh(u @ U + p @ W + b)))
        unstable.append(int((np.abs(values) >= 1).sum()))
        radius.append(np.abs(values).max())
    T, washout = 400, 50
    x, h0, gain = dyadic(rng, T, 2, scale=2), dyadic(rng, n), 1.5
    h, Q, sums = h0, np.eye(n), np.zeros(n)
    for t in range(T):
        h = np.tanh(x[t] @ U + h @ (gain * W) + b)
        Q, R = np.linalg.qr(jacobian(gain * W, h) @ Q)
        if t >= washout:
            sums += np.log(np.abs(np.diag(R)))
    write("analysis_dynamics", dynamics.__doc__ + " The exponents are of gain * weight_hh, over the steps after washout.",
          {"gain": gain, "washout": washout}, {"u": u, "x": x, "h0": h0}, {"weight_ih": U, "weight_hh": W, "bias": b},
          {"points": points, "unstable": np.array(unstable), "radius": np.array(radius),
           "exponents": sums / (T - washout), "h_n": h}, {}, integers=("unstable",))
    print(len(points), unstable, sums / (T - washout))


spectrum_and_pca()
dynamics()
