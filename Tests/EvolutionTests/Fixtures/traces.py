"""What nevergrad's CMA (over pycma) and pycma itself do with given fitness values, for Tests/EvolutionTests/TraceTests.

    python traces.py        writes traces.json beside this file

Of every generation: the points in weight units, their losses, and the distribution and recommendation after it.
"""

import json
import os
import platform
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
warnings.simplefilter("ignore")
import cma  # noqa: E402
import nevergrad  # noqa: E402
import numpy as np  # noqa: E402

# Which of equal losses comes first depends on the processor in numpy; here it is the earlier one.
argsort = np.argsort
np.argsort = lambda values: argsort(values, kind="stable")


def smooth(x):
    return float(((x - 0.4) ** 2).sum() + 0.1 * np.cos(5 * x).sum())


def steps(x):
    """Moves in steps, as an accuracy does, with ties and flat generations."""
    return round(smooth(x) / len(x) * 8) / 8


def numbers(x):
    return [float(value) for value in x]


def prime(dimension, loss, generations, seed):
    """nevergrad's CMA as PriME calls it; pycma works in units of half a weight."""
    parameter = nevergrad.p.Array(init=np.zeros(dimension), lower=-1.5, upper=1.5)
    parameter.random_state.seed(seed)
    optimizer = nevergrad.optimizers.CMA(parameter, budget=1000, num_workers=1)
    trace = []
    before = None
    population = 4 + int(np.log(dimension))
    for _ in range(generations):
        points, losses, restarted = [], [], False
        for index in range(population):
            candidate = optimizer.ask()
            es = optimizer.optim._es if hasattr(optimizer, "optim") else optimizer._es
            if index == 0:
                restarted, before = before is not None and es is not before, es
            points.append(numbers(candidate.value))
            losses.append(loss(candidate.value))
            optimizer.tell(candidate, losses[-1])
        trace.append({
            "points": points, "losses": losses, "restarted": bool(restarted), "mean": numbers(es.mean * 0.5),
            "sigma": float(es.sigma) * 0.5, "scaling": numbers(es.sigma_vec.scaling),
            "recommendation": numbers(optimizer.provide_recommendation().value)})
    return trace


def full(dimension, loss, generations, seed):
    """pycma with its defaults and, unlike them, a covariance that starts as exactly the identity."""
    es = cma.CMAEvolutionStrategy(np.zeros(dimension), 0.5, {"seed": seed, "verbose": -9})
    es.sm.C = np.eye(dimension)
    es.sm.D = np.ones(dimension)
    es.sm.B = np.eye(dimension)
    trace = []
    for _ in range(generations):
        points = es.ask()
        losses = [loss(point) for point in points]
        es.tell(points, losses)
        trace.append({
            "points": [numbers(point) for point in points], "losses": losses, "restarted": False,
            "mean": numbers(es.mean), "sigma": float(es.sigma), "scaling": numbers(np.sqrt(np.diag(es.sm.C))),
            "recommendation": numbers(es.result.xbest)})
    return trace


def main():
    traces = []
    for dimension, generations in (2, 24), (3, 24), (5, 16), (12, 8), (24, 4):
        for loss in smooth, steps:
            traces.append({
                "search": "prime-cma", "loss": loss.__name__, "dimension": dimension,
                "generations": prime(dimension, loss, generations, seed=dimension)})
    for dimension, generations in (2, 12), (3, 24), (5, 16), (24, 5):
        traces.append({
            "search": "cma-es", "loss": "smooth", "dimension": dimension,
            "generations": full(dimension, smooth, generations, seed=dimension)})
    versions = {
        "python": platform.python_version(), "cma": cma.__version__, "nevergrad": nevergrad.__version__,
        "numpy": np.__version__}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traces.json")
    with open(path, "w") as file:
        file.write(json.dumps({"versions": versions, "traces": traces}).replace("}, {", "},\n{") + "\n")


if __name__ == "__main__":
    main()
