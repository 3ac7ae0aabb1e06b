"""Utility, similarity and fitness of given weights through `primed bench --weights` against the peer's own search.

usage: python scores-parity.py --primed .build/release/primed --peer prime_peer.py --models DIR --sharers DIR --tasks DIR [--budget 15] READY.json...

Each READY.json is {"user", "sharers", "profile_text", "golds"}, its name begins with the task's and a hyphen. The peer searches
with both merges; every weight vector of its trace, and the base, is scored here. The peer writes fitness with six digits; equal
means within 1e-6. Exit 0 when everything is equal. The peer needs torch, transformers, peft, nevergrad and is started in its folder.
"""
import argparse, json, pathlib, subprocess, sys, tempfile


def arguments():
    p = argparse.ArgumentParser()
    for name in ("primed", "peer", "models", "sharers", "tasks"): p.add_argument(f"--{name}", required=True)
    p.add_argument("--base", default="debian-llama-4m"); p.add_argument("--budget", type=int, default=15); p.add_argument("--python", default=sys.executable)
    p.add_argument("ready", nargs="+")
    return p.parse_args()


def searched(a, path, task, merge, folder):
    script, out = pathlib.Path(a.peer).resolve(), f"{folder}/peer.json"
    subprocess.run([a.python, script.name, "--work", str(path.resolve()), "--task", task, "--merge", merge, "--alpha", "0.1", "--budget", str(a.budget),
                    "--apply", "fold", "--sort", "--threads", "1", "--out", out], cwd=script.parent, check=True, capture_output=True)
    return json.loads(pathlib.Path(out).read_text())["users"][0]


def scored(a, ready, task, merge, points, folder):
    root = pathlib.Path(folder)
    (root / "primed.json5").write_text(json.dumps({k: str(pathlib.Path(v).resolve()) for k, v in dict(models=a.models, pools=a.sharers, tasks=a.tasks).items()} | dict(histories=folder)))
    (root / "manifest.json").write_text(json.dumps(dict(
        job="personalize", id="parity", base=a.base, task=task, privacy=dict(alpha=0.1), evolve=dict(merge=merge, hold_out=0),
        sharers=[dict(id=str(s), adapter=f"{task}/user_{s}") for s in ready["sharers"]],
        targets=[dict(user="target", history=ready["user"]["profile"], queries=[])])))
    weights = [x for point in points for x in ("--weights", ",".join(map(str, point)))]
    done = subprocess.run([a.primed, "bench", str(root / "manifest.json"), "--config", str(root / "primed.json5"), "--json", *weights], capture_output=True, text=True)
    if done.returncode: sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    a = arguments(); wrong = 0
    for path in map(pathlib.Path, a.ready):
        task, ready = path.name.split("-")[0], json.loads(path.read_text())
        for merge, name in (("delta", "delta"), ("factor", "factors")):
            with tempfile.TemporaryDirectory() as folder:
                peer = searched(a, path, task, merge, folder)
                found = scored(a, ready, task, name, [x for x, _ in peer["trace"]] + [[0] * len(ready["sharers"])], folder)
            base = {k: v for k, v in peer["base"].items() if k not in ("loss", "likeness")}
            off = [abs(loss + scores["fitness"]) for (_, loss), scores in zip(peer["trace"], found)]
            off += [abs(sum(base.values()) - found[-1]["utility"]), abs(peer["base"]["likeness"] - sum(found[-1]["similarities"]) / len(found[-1]["similarities"]))]
            wrong += sum(not x <= 1e-6 for x in off)  # a NaN is wrong, too
            print(f"{path.stem} {name}: {len(off)} scores, largest difference {max(off):.1e}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
