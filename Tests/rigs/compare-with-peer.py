#!/usr/bin/env python3
"""One user's whole job, `primed bench` and the peer in turn on the same machine, and the ratio of each phase.

usage: compare-with-peer.py --primed .build/release/primed --peer prime_peer.py --python python --work ready/USER.json
                            --config etc/primed.json5 --pool package_section [--rounds 3] [--threads 2] [--reference-decode]

Both get the same user, sharers and queries from --work: {"user", "sharers", "profile_text", "golds"}.

The peer needs torch, transformers, peft, nevergrad, rank-bm25, rouge-score and scikit-learn; it is started in its own folder.
Both are timed by their own clocks, loading left out. The median of the rounds counts.
"""
import argparse, json, os, pathlib, statistics, subprocess, sys, tempfile

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}  # the peer's own advice
# The peer's phases, by the names that `primed bench` gives the same work. Its base's answers to the queries and the winner's
# own history score are no part of the method and left out.
PHASES = {"prepare": ["prepare"], "references": ["base_eval", "sharer_eval"], "search": ["search"], "queries": ["predict"]}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--primed", required=True); p.add_argument("--peer", required=True); p.add_argument("--python", default=sys.executable)
    p.add_argument("--work", required=True); p.add_argument("--rounds", type=int, default=3); p.add_argument("--threads", type=int, default=2)
    p.add_argument("--budget", type=int, default=30); p.add_argument("--alpha", type=float, default=0.1)
    p.add_argument("--reference-decode", action="store_true"); p.add_argument("--config", required=True)
    p.add_argument("--pool", required=True, help="the sharers' folder below the pools"); p.add_argument("--base", default="debian-llama-4m")
    return p.parse_args()


def peer(a):
    script = pathlib.Path(a.peer).resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.json"
        command = [a.python, script.name, "--work", str(pathlib.Path(a.work).resolve()), "--merge", "delta", "--alpha", str(a.alpha), "--budget", str(a.budget),
                   "--apply", "fold", "--sort", "--threads", str(a.threads), "--out", out] + (["--reference-decode"] if a.reference_decode else [])
        subprocess.run(command, cwd=script.parent, env={**os.environ, **ALLOCATOR}, check=True, capture_output=True)
        user = json.loads(pathlib.Path(out).read_text())["users"][0]
    times = {phase: sum(user["seconds"][part] for part in parts) for phase, parts in PHASES.items()}
    return {**times, "total": sum(times.values())}


def primed(a):
    ready = json.loads(pathlib.Path(a.work).read_text())
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "users.json").write_text(json.dumps([{**ready["user"], "profile_text": ready["profile_text"]}]))
        (root / "manifest.json").write_text(json.dumps(dict(
            job="personalize", id="compare", base=a.base, task=a.pool, targets="users.json", privacy=dict(alpha=a.alpha),
            sharers=[dict(id=str(s), adapter=f"{a.pool}/user_{s}") for s in ready["sharers"]], evolve=dict(budget=a.budget, merge="delta"))))
        out = subprocess.run([a.primed, "bench", "--json", "--rounds", "1", "--threads", str(a.threads), "--config", a.config, str(root / "manifest.json")],
                             check=True, capture_output=True, text=True)
    seconds = json.loads(out.stdout)["seconds"]
    return {phase: seconds[phase] for phase in [*PHASES, "total"]}


def main():
    a = arguments(); ours, theirs = [], []
    for n in range(a.rounds):
        ours.append(primed(a)); theirs.append(peer(a))
        print(f"round {n + 1}: primed {ours[-1]['total']:.2f} s, peer {theirs[-1]['total']:.2f} s", flush=True)
    median = lambda runs: {k: statistics.median(r[k] for r in runs) for k in runs[0]}
    x, y = median(ours), median(theirs)
    print(f"{'phase':12} {'primed':>9} {'peer':>9} {'ratio':>7}")
    for phase in x: print(f"{phase:12} {x[phase]:9.3f} {y[phase]:9.3f} {y[phase] / x[phase]:7.1f}")


if __name__ == "__main__":
    main()
