"""A whole LaMP-shape benchmark through `primed run`: pooled accuracy and F1 on the queries, likeness and history score.

usage: python whole-benchmark.py --primed .build/release/primed --users user_test_100.json --labels user_test_100_label.json
           [--embeddings embeddings.safetensors] --models DIR --pools DIR --tasks DIR --pool package_section
           [--alphas 0 0.1] [--seeds 0 1 2] [--first N | --only ID...] [--evolve JSON] [--peer RESULT.json...]

`--embeddings` has a tensor "test" whose rows are the users in the order of the metadata's "test". `--peer` takes results of
other programs on the same users, whole or in parts: {"summary": {"settings": {"alpha", "seed"}}, "users": [{"user_id", "answers", "base_answers",
"final": {metric: x, "likeness"}}]}. Scores are scikit-learn's over the pooled answers, macro F1 over the pool's labels.
"""
import argparse, collections, json, pathlib, statistics, subprocess, sys, tempfile
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.metrics import accuracy_score, f1_score


def arguments():
    p = argparse.ArgumentParser()
    for name in ("primed", "users", "labels", "models", "pools", "tasks", "pool"): p.add_argument(f"--{name}", required=True)
    p.add_argument("--embeddings", help="without it the base encodes the histories")
    p.add_argument("--base", default="debian-llama-4m"); p.add_argument("--task"); p.add_argument("--budget", type=int, default=30)
    p.add_argument("--alphas", type=float, nargs="+", default=[0.0, 0.1]); p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--first", type=int); p.add_argument("--only", type=int, nargs="*"); p.add_argument("--evolve", default="{}")
    p.add_argument("--threads", type=int, default=1); p.add_argument("--peer", nargs="*", default=[])
    return p.parse_args()


def chosen_users(a):
    users = json.loads(pathlib.Path(a.users).read_text())
    if a.only: users = [u for u in users if u["user_id"] in a.only]
    return users[: a.first]


def embeddings(a):
    with safe_open(a.embeddings, "np") as file:
        return {str(user): row for user, row in zip(json.loads(file.metadata()["test"]), file.get_tensor("test"))}


def run(a, users, alpha, seed):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "users.json").write_text(json.dumps(users))
        targets = dict(users="users.json")
        if a.embeddings:
            save_file(embeddings(a), root / "embeddings.safetensors"); targets["embeddings"] = "embeddings.safetensors"
        (root / "primed.json5").write_text(json.dumps(dict(
            models=str(pathlib.Path(a.models).resolve()), pools=str(pathlib.Path(a.pools).resolve()), tasks=str(pathlib.Path(a.tasks).resolve()),
            histories=folder, outbox="outbox", work="work", inbox="inbox", threads=a.threads)))
        (root / "manifest.json").write_text(json.dumps(dict(
            job="personalize", id="benchmark", base=a.base, task=a.task or a.pool, sharers=dict(pool=a.pool, top_k=3), targets=targets,
            evolve=dict(dict(budget=a.budget, seed=seed), **json.loads(a.evolve)), privacy=dict(alpha=alpha))))
        done = subprocess.run([a.primed, "run", str(root / "manifest.json"), "--config", str(root / "primed.json5"), "--outbox", str(root / "outbox")],
                              capture_output=True, text=True)
        if done.returncode: sys.exit(done.stderr)
        out = root / "outbox/benchmark"
        rows = []
        for target in json.loads((out / "result.json").read_text())["targets"]:
            answers = map(json.loads, (out / str(target["user"]) / "predictions.jsonl").read_text().splitlines())
            rows.append(dict(user=int(target["user"]), answers={x["id"]: x["output"] for x in answers}, likeness=target["similarity"]["mean"],
                             history=target["utility"]["merged"], kept=target["status"] == "base"))
        return rows


def peer_rows(path, users):
    run = json.loads(pathlib.Path(path).read_text()); wanted = {u["user_id"] for u in users}
    rows = [dict(user=u["user_id"], answers=u["answers"], likeness=u["final"]["likeness"], kept=u["reverted"],
                 history=sum(v for k, v in u["final"].items() if k != "likeness")) for u in run["users"] if u["user_id"] in wanted]
    base = [dict(user=u["user_id"], answers=u["base_answers"], likeness=u["base"]["likeness"], kept=True,
                 history=sum(v for k, v in u["base"].items() if k not in ("loss", "likeness"))) for u in run["users"] if u["user_id"] in wanted]
    return run["summary"]["settings"], rows, base


def scores(rows, gold, labels):
    ids = [i for r in rows for i in r["answers"]]; answers = {i: x for r in rows for i, x in r["answers"].items()}
    place = {label: n for n, label in enumerate(labels)}
    found, right = [place.get(answers[i], -1) for i in ids], [place.get(gold[i], -1) for i in ids]
    mean = lambda key: statistics.fmean(float(r[key]) for r in rows)
    return dict(users=len(rows), queries=len(ids), accuracy=accuracy_score(right, found), likeness=mean("likeness"), history=mean("history"),
                kept=mean("kept"), f1=f1_score(right, found, labels=list(range(len(labels))), average="macro", zero_division=0))


def main():
    a = arguments(); users = chosen_users(a)
    gold = {g["id"]: g["output"] for g in json.loads(pathlib.Path(a.labels).read_text())["golds"]}
    definition = json.loads(pathlib.Path(a.tasks, f"{a.task or a.pool}.json").read_text())
    labels = definition["labels"]
    table = collections.defaultdict(list)
    parts = collections.defaultdict(lambda: ([], []))
    for path in a.peer:
        settings, rows, base = peer_rows(path, users)
        for whole, part in zip(parts[settings["alpha"], settings["seed"]], (rows, base)): whole.extend(part)
    for (alpha, seed), (rows, base) in sorted(parts.items()):
        table["peer", alpha].append((seed, scores(rows, gold, labels)))
        if not table["base", 0.0]: table["base", 0.0].append((0, scores(base, gold, labels)))
    columns = ("accuracy", "f1", "likeness", "history", "kept")
    print(f"{'program':8} {'alpha':>5} {'seed':>5} {'users':>5} {'queries':>7} " + " ".join(f"{c:>9}" for c in columns))
    show = lambda name, alpha, seed, s: print(f"{name:8} {alpha:5} {seed:>5} {s['users']:5} {s['queries']:7} " + " ".join(f"{s[c]:9.4f}" for c in columns), flush=True)
    for (name, alpha), runs in sorted(table.items()):
        for seed, s in runs: show(name, alpha, seed, s)
    for alpha in a.alphas:
        for seed in a.seeds:
            s = scores(run(a, users, alpha, seed), gold, labels)
            table["primed", alpha].append((seed, s)); show("primed", alpha, seed, s)
    for (name, alpha), runs in sorted(table.items()):
        if len(runs) > 1:
            show(name, alpha, "mean", dict(runs[0][1], **{c: statistics.fmean(s[c] for _, s in runs) for c in columns}))
            show(name, alpha, "sd", dict(runs[0][1], **{c: statistics.stdev(s[c] for _, s in runs) for c in columns}))


if __name__ == "__main__":
    main()
