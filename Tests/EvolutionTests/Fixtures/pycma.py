"""Evaluations that pycma needs to reach 1e-8, the measure for Tests/EvolutionTests.

    python pycma.py 24              all four functions in 24 dimensions, 200 seeds, into pycma-24.json beside this file
    python pycma.py 96 sphere       one of them; what the file has already is kept
    SEEDS=60 python pycma.py 96 rastrigin       fewer seeds, where a run takes minutes

Every run has pycma's own defaults, stops included; only the population of Rastrigin, which has 11^d local optima, is
larger. One run counts as successful when it reaches the target before pycma stops by itself. Its evaluations are counted
up to and including the first point at the target.
"""

import json
import os
import platform
import sys
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
warnings.simplefilter("ignore")
import cma  # noqa: E402
import numpy as np  # noqa: E402

TARGET = 1e-8
SEEDS = int(os.environ.get("SEEDS", 200))
RASTRIGIN_POPULATION = {3: 60, 5: 120, 24: 400, 96: 800}


def sphere(x):
    return (x * x).sum(axis=1)


def ellipsoid(x):
    return (x * x) @ (1e6 ** (np.arange(x.shape[1]) / (x.shape[1] - 1)))


def rosenbrock(x):
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(axis=1)


def rastrigin(x):
    return (10 + x * x - 10 * np.cos(2 * np.pi * x)).sum(axis=1)


# function, start of every coordinate, first step size
PROBLEMS = {
    "sphere": (sphere, 1.0, 0.5),
    "ellipsoid": (ellipsoid, 1.0, 0.5),
    "rosenbrock": (rosenbrock, 0.0, 0.2),
    "rastrigin": (rastrigin, 2.5, 2.0),
}


def evaluations(problem, dimension, seed):
    """Evaluations up to the target, or None where pycma stopped before."""
    function, start, sigma = PROBLEMS[problem]
    options = {"seed": seed, "verbose": -9, "verb_log": 0}
    if problem == "rastrigin":
        options["popsize"] = RASTRIGIN_POPULATION[dimension]
    es = cma.CMAEvolutionStrategy(np.full(dimension, start), sigma, options)
    told = 0
    while not es.stop():
        points = es.ask()
        values = function(np.asarray(points))
        hits = np.flatnonzero(values <= TARGET)
        if len(hits):
            return told + int(hits[0]) + 1
        told += len(points)
        es.tell(points, list(values))
    return None


def main():
    dimension = int(sys.argv[1])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"pycma-{dimension}.json")
    result = {"runs": {problem: [] for problem in PROBLEMS}}
    if os.path.exists(path):
        with open(path) as file:
            result = json.load(file)
    result["versions"] = {"python": platform.python_version(), "cma": cma.__version__, "numpy": np.__version__}
    result["target"] = TARGET
    result["rastrigin_population"] = RASTRIGIN_POPULATION[dimension]
    for seed in range(1, SEEDS + 1):
        for problem in sys.argv[2:] or PROBLEMS:
            runs = result["runs"][problem]
            if len(runs) < seed:
                runs.append(evaluations(problem, dimension, seed))
        with open(path + ".part", "w") as file:
            file.write(json.dumps(result, sort_keys=True).replace("], ", "],\n") + "\n")
        os.replace(path + ".part", path)


if __name__ == "__main__":
    main()
