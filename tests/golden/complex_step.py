"""What the programs that make golden vectors share: gradients by complex steps, and the files' form.

df/dx = Im f(x + i h) / h with h = 1e-30 has no rounding from a difference (Squire & Trapp 1998): the gradients are
exact to the last digits, and no backward pass had to be written. A function must be made of analytic parts; a constant
through which no gradient passes is stop(v).
"""
import json
import os

import numpy as np

STEP = 1e-30


def stop(v):
    return np.real(v).astype(complex)


def absolute(v):
    return v * np.sign(np.real(v))


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def gradient(f, arrays, name):
    """d f(arrays) / d arrays[name]"""
    out = np.zeros(arrays[name].shape)
    for i in np.ndindex(*arrays[name].shape):
        moved = {k: v.astype(complex) for k, v in arrays.items()}
        moved[name][i] += 1j * STEP
        out[i] = np.imag(f(moved)) / STEP
    return out


def check(f, arrays, name, grad, tolerance=1e-6):
    """The same by central differences, for a true gradient."""
    for i in np.ndindex(*arrays[name].shape):
        both = []
        for sign in (1, -1):
            moved = {k: v.astype(complex) for k, v in arrays.items()}
            moved[name][i] += sign * 1e-6
            both.append(np.real(f(moved)))
        difference = (both[0] - both[1]) / 2e-6
        assert abs(difference - grad[i]) <= tolerance * (1 + abs(difference)), (name, i, difference, grad[i])


def dyadic(rng, *shape, scale=1.0):
    """Multiples of 2^-12: exact in float32 as well."""
    return np.round(rng.uniform(-scale, scale, shape) * 4096) / 4096


def tensor(a, integer=False):
    a = np.asarray(a)
    entry = {"shape": list(a.shape)}
    if integer:
        entry["dtype"] = "int64"
    entry["data"] = [int(v) if integer else float(v) for v in a.ravel()]
    return entry


def write(case, note, options, inputs, params, expected, grads, integers=()):
    groups = {"inputs": inputs, "params": params, "expected": expected, "grads": grads}
    out = {"format": "rnnlab-reference/1", "case": case, "dtype": "float64", "note": note, "options": options}
    for group, arrays in groups.items():
        out[group] = {k: tensor(np.real(v), k in integers) for k, v in arrays.items()}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), case + ".json")
    with open(path, "w") as file:
        json.dump(out, file, indent=None, separators=(",", ":"))
        file.write("\n")
    print(path)
