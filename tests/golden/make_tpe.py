#!/usr/bin/env python3
"""The tree-structured Parzen estimator and PED-ANOVA on fixed histories, in plain NumPy float64.

    python3 tests/golden/make_tpe.py        writes tpe.json and ped_anova.json beside itself

TPE (Bergstra et al. 2011, with the rules of Optuna's TPESampler, version 5):
    n           trials finished or pruned
    below       the best min(ceil(n/10), 25): finished by value, then pruned by (last step falling, value there)
    above       all other finished, pruned and running ones; both in the order of trial numbers
    weights     m observations: 1 for m < 25, else linspace(1/m, 1, m-25) and 25 ones; the prior's 1 at the end; / sum
    number      Gaussians cut off at the bounds, in log x if log, bounds wider by half a step if stepped
    sigma       larger gap to the neighbours, bounds being neighbours; the end ones of two or more: the inner gap;
                clipped to [(high-low)/min(100, 2+m), high-low]; the prior N((low+high)/2, high-low)
    choice      (onehot + 1/(m+1)) / sum; the prior uniform
PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255): see importance() below.
"""
import json
import math
import pathlib

import numpy as np


def phi(z):
    return 0.5 * math.erfc(-z / math.sqrt(2))


def mass(a, b):
    """P(a < Z < b); in the tail where it has digits."""
    if a > 0:
        return phi(-a) - phi(-b)
    return phi(b) - phi(a)


# ---- TPE --------------------------------------------------------------------------------------

def split(trials):
    done = [t for t in trials if t["state"] in ("finished", "pruned")]
    finished = sorted((t for t in done if t["state"] == "finished"), key=lambda t: (t["value"], t["number"]))

    def progress(t):
        if not t["steps"]:
            return (1, 0, 0.0, t["number"])
        step, value = t["steps"][-1]
        return (0, -step, math.inf if value is None else value, t["number"])

    pruned = sorted((t for t in done if t["state"] == "pruned"), key=progress)
    n_below = min(math.ceil(len(done) / 10), 25)
    below = (finished + pruned)[:n_below]
    names = {t["number"] for t in below}
    above = [t for t in trials if t["state"] != "failed" and t["number"] not in names]
    return sorted(below, key=lambda t: t["number"]), sorted(above, key=lambda t: t["number"])


def weights(m):
    w = np.ones(m) if m < 25 else np.concatenate([np.linspace(1 / m, 1, m - 25), np.ones(25)])
    w = np.append(w, 1.0)
    return w / w.sum()


def kernels(dim, x):
    """(mu, sigma) of the observations and the prior; low, high."""
    low, high = dim["low"] - dim["step"] / 2, dim["high"] + dim["step"] / 2
    x = np.array(x, dtype=float)
    if dim["log"]:
        low, high, x = math.log(low), math.log(high), np.log(x)
    m = len(x)
    order = np.argsort(x, kind="stable")
    ends = np.concatenate([[low], x[order], [high]])
    sigma = np.zeros(m)
    for place, k in enumerate(order):
        left, right = ends[place + 1] - ends[place], ends[place + 2] - ends[place + 1]
        s = max(left, right)
        if m >= 2 and place == 0:
            s = right
        if m >= 2 and place == m - 1:
            s = left
        sigma[k] = min(max(s, (high - low) / min(100.0, 2.0 + m)), high - low)
    return np.append(x, (low + high) / 2), np.append(sigma, high - low), low, high


def log_kernels(dim, x, at):
    """log K_k(at) of every kernel."""
    if dim["kind"] == "categorical":
        m, c = len(x), dim["choices"]
        table = np.full((m + 1, c), 1.0 / (m + 1))
        table[np.arange(m), np.array(x, dtype=int)] += 1
        table /= table.sum(axis=1, keepdims=True)
        return np.log(table[:, int(at)])
    mu, sigma, low, high = kernels(dim, x)
    out = []
    for u, s in zip(mu, sigma):
        whole = mass((low - u) / s, (high - u) / s)
        if dim["step"] > 0:
            a, b = at - dim["step"] / 2, at + dim["step"] / 2
            if dim["log"]:
                a, b = math.log(a), math.log(b)
            here = mass((a - u) / s, (b - u) / s)
            out.append(math.log(here) - math.log(whole) if here > 0 else -math.inf)
        else:
            z = ((math.log(at) if dim["log"] else at) - u) / s
            out.append(-0.5 * z * z - math.log(s * math.sqrt(2 * math.pi)) - math.log(whole))
    return np.array(out)


def log_density(space, dims, points, at):
    total = np.log(weights(len(points)))
    for d in dims:
        total = total + log_kernels(space[d], [p[d] for p in points], at[d])
    most = total.max()
    return float(most + math.log(np.exp(total - most).sum()))


# ---- PED-ANOVA --------------------------------------------------------------------------------

def grid_of(dim, x):
    """Grid points of the values, and how many points the grid has."""
    if dim["kind"] == "categorical":
        return np.array(x, dtype=int), dim["choices"]
    size = 50
    if dim["log"] and dim["step"] > 0:
        size = min(size, math.ceil(math.log2(dim["high"] - dim["low"] + 1)) + 1)
    elif dim["step"] > 0:
        size = min(size, round((dim["high"] - dim["low"]) / dim["step"]) + 1)
    low, high, x = dim["low"], dim["high"], np.array(x, dtype=float)
    if dim["log"]:
        low, high, x = math.log(low), math.log(high), np.log(x)
    at = np.ceil((x - low) / (high - low) * (size - 1) - 0.5).astype(int)
    return np.clip(at, 0, size - 1), size


def grid_density(dim, x):
    at, size = grid_of(dim, x)
    places, counts = np.unique(at, return_counts=True)
    n = counts.sum()
    w = np.append(counts, 1.0) / (n + 1.0)
    p = np.full(size, 1e-12)
    if dim["kind"] == "categorical":
        table = np.full((len(places) + 1, size), 1.0 / (len(places) + 1))
        table[np.arange(len(places)), places] += 1
        table /= table.sum(axis=1, keepdims=True)
        return p + w @ table
    mean = (places * counts).sum() / n
    sd = math.sqrt((counts * (places - mean) ** 2).sum() / max(1, n - 1))
    cumulated = np.cumsum(counts)
    first = places[np.searchsorted(cumulated, n // 4, side="left")]
    third = places[min(len(places) - 1, np.searchsorted(cumulated, 3 * n // 4, side="right"))]
    sigma = max(1.059 * min((third - first) / 1.34, sd) * n ** -0.2, 0.5 / 1.64)
    for place, weight, s in zip(np.append(places, (size - 1) / 2), w, [sigma] * len(places) + [float(size)]):
        whole = mass((-0.5 - place) / s, (size - 0.5 - place) / s)
        p += weight * np.array([mass((g - 0.5 - place) / s, (g + 0.5 - place) / s) / whole for g in range(size)])
    return p


def importance(space, trials):
    """Pearson's divergence of the best tenth from all, by dimension; shares of their sum."""
    finished = [t for t in trials if t["state"] == "finished"]
    cutoff = sorted(t["value"] for t in finished)[math.ceil(0.1 * len(finished)) - 1]
    best = [t for t in finished if t["value"] <= cutoff]
    out = []
    for d, dim in enumerate(space):
        top = [t["values"][d] for t in best if t["values"][d] is not None]
        every = [t["values"][d] for t in finished if t["values"][d] is not None]
        if not top:
            out.append(0.0)
            continue
        p, q = grid_density(dim, top), grid_density(dim, every)
        out.append(float((q * (p / q - 1) ** 2).sum() * (len(top) / len(best)) ** 2 / (len(every) / len(finished))))
    return [v / sum(out) for v in out]


# ---- histories --------------------------------------------------------------------------------

def real(low, high, log=False, step=0.0):
    return {"kind": "real", "low": low, "high": high, "step": step, "log": log, "choices": 0}


def whole(low, high, log=False, step=1.0):
    return {"kind": "int", "low": low, "high": high, "step": step, "log": log, "choices": 0}


def choice(n):
    return {"kind": "categorical", "low": 0.0, "high": n - 1.0, "step": 1.0, "log": False, "choices": n}


SPACE = [real(-3.0, 5.0), real(1e-5, 1e-1, log=True), whole(4.0, 64.0), whole(1.0, 1000.0, log=True),
         real(0.0, 1.0, step=0.125), choice(4)]


def draw(rng, dim):
    if dim["kind"] == "categorical":
        return float(rng.integers(dim["choices"]))
    if dim["log"]:
        x = math.exp(rng.uniform(math.log(dim["low"]), math.log(dim["high"])))
    else:
        x = rng.uniform(dim["low"], dim["high"])
    if dim["step"] > 0:
        x = dim["low"] + round((x - dim["low"]) / dim["step"]) * dim["step"]
    return float(x)


def history(seed, n, space, states=True, inner=None, pruned=False):
    """Trials of every state, with `pruned` most of them pruned; `inner`: that dimension only where dimension 5 is 1 or
    3."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(n):
        values = [draw(rng, dim) for dim in space]
        if inner is not None and values[5] not in (1.0, 3.0):
            values[inner] = None
        value = round(sum((math.log(v) if d["log"] else v) ** 2 * (0.1 + i) / 50 for i, (d, v) in
                          enumerate(zip(space, values)) if v is not None), 2)
        state = "finished"
        if states:
            state = ["finished", "finished", "pruned", "finished", "failed", "finished", "pruned"][number % 7]
            if number >= n - 2:
                state = "running"
        if pruned and number % 18:
            state = "pruned"
        steps = [[1, value + 1.0], [2 + number % 4, value + 0.5]]
        if number % 21 == 2:
            steps = []
        elif number % 21 == 9:
            steps[-1][1] = None
        trials.append({"number": number, "state": state, "values": values, "value": value, "steps": steps})
    return trials


def tpe_case(name, seed, n, space, **options):
    trials = history(seed, n, space, **options)
    below, above = split(trials)
    dims = [d for d in range(len(space)) if d != options.get("inner")]
    rng = np.random.default_rng(seed + 1)
    at = [[draw(rng, dim) for dim in space] for _ in range(12)]
    at[0] = [dim["low"] for dim in space]
    at[1] = [dim["high"] for dim in space]
    out = {"name": name, "space": space, "inner": options.get("inner", -1), "trials": trials,
           "below": [t["number"] for t in below], "above": [t["number"] for t in above], "at": at, "sides": {}}
    for side, chosen in (("below", below), ("above", above)):
        result = {"weights": list(weights(len(chosen))), "dims": []}
        for d in range(len(space)):
            points = [t["values"] for t in chosen if t["values"][d] is not None]
            entry = {"log_density": [log_density(space, [d], points, x) for x in at]}
            if space[d]["kind"] != "categorical":
                mu, sigma, low, high = kernels(space[d], [p[d] for p in points])
                entry.update(mu=list(mu), sigma=list(sigma), low=low, high=high)
            result["dims"].append(entry)
        points = [t["values"] for t in chosen]
        result["log_density"] = [log_density(space, dims, points, x) for x in at]
        out["sides"][side] = result
    return out


def check():
    """Densities are densities: they sum (integrate) to 1."""
    rng = np.random.default_rng(0)
    for dim in SPACE:
        x = [draw(rng, dim) for _ in range(7)]
        if dim["kind"] == "categorical":
            at, width = np.arange(dim["choices"]), 1.0
        elif dim["step"] > 0:
            at, width = np.arange(dim["low"], dim["high"] + dim["step"] / 2, dim["step"]), 1.0
        else:
            low, high = (math.log(dim["low"]), math.log(dim["high"])) if dim["log"] else (dim["low"], dim["high"])
            width = (high - low) / 20000
            at = low + (np.arange(20000) + 0.5) * width
            at = np.exp(at) if dim["log"] else at
        total = sum(math.exp(log_density([dim], [0], [[v] for v in x], [a])) for a in at) * width
        assert abs(total - 1) < 1e-6, (dim, total)


def main():
    here = pathlib.Path(__file__).resolve().parent
    check()
    cases = [tpe_case("few", 1, 12, SPACE), tpe_case("ramp", 2, 70, SPACE),
             tpe_case("inner", 3, 45, SPACE + [real(1.0, 10.0, log=True)], inner=6),
             tpe_case("one_kernel", 4, 10, SPACE, states=False), tpe_case("pruned", 6, 53, SPACE[:2], pruned=True), tpe_case("full", 5, 320, [SPACE[0], SPACE[2]])]
    (here / "tpe.json").write_text(json.dumps({"format": "rnnlab-tpe/1", "cases": cases}) + "\n")
    shares = []
    for name, seed, n, space, options in [("mixed", 11, 200, SPACE, {}), ("small", 12, 15, SPACE, {"states": False}),
                                          ("inner", 13, 150, SPACE + [real(1.0, 10.0, log=True)], {"inner": 6})]:
        trials = history(seed, n, space, **options)
        shares.append({"name": name, "space": space, "inner": options.get("inner", -1), "trials": trials,
                       "share": importance(space, trials)})
    (here / "ped_anova.json").write_text(json.dumps({"format": "rnnlab-ped-anova/1", "cases": shares}) + "\n")


if __name__ == "__main__":
    main()
