"""Greedy tokens and likelihoods of `primed predict` against transformers and PEFT, in float32.

usage: python greedy-parity.py --primed .build/release/primed --model DIR --pool DIR --users users.json --form prompt.json [--count 200]

`--users` is a LaMP users file (profiles with "description"), `--form` the prompts' templates by task. Compared are the base,
each of three sharers, two mixtures merged both ways, and, with --adapter, a published adapter as PEFT loads it. Exit 0 when
at least 99.5% of all sequences have identical tokens and every likelihood agrees to 1e-4. Needs torch, transformers, peft.
"""
import argparse, json, pathlib, subprocess, sys
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--primed", required=True); p.add_argument("--model", required=True); p.add_argument("--pool", required=True)
    p.add_argument("--users", required=True); p.add_argument("--form", required=True); p.add_argument("--task", default="package_section")
    p.add_argument("--sharers", nargs=3, default=["user_207", "user_210", "user_197"]); p.add_argument("--adapter", help="a folder under outbox/ID/USER/adapter")
    p.add_argument("--count", type=int, default=200); p.add_argument("--new", type=int, default=8)
    return p.parse_args()


def prompts_of(a):
    form = json.loads(pathlib.Path(a.form).read_text())[a.task]; rows = []
    for user in json.loads(pathlib.Path(a.users).read_text()):
        for item in user["profile"]:
            prompt, full = form["OPPU_input"].format(**item), form["OPPU_full"].format(**item)
            rows.append(dict(id=f"{user['user_id']}-{item['id']}", prompt=prompt, answer=full[len(prompt):]))
    return rows[:: max(1, len(rows) // a.count)][: a.count]


def predicted(a, rows, extra):
    out = subprocess.run([a.primed, "predict", "--model", a.model, "--max-new-tokens", str(a.new), *extra], text=True, capture_output=True,
                         input="".join(json.dumps(r) + "\n" for r in rows))
    if out.returncode: sys.exit(f"primed predict {' '.join(extra)}: exit {out.returncode}\n{out.stderr}")
    found = {r["id"]: r for r in map(json.loads, out.stdout.splitlines())}
    return [found[r["id"]] for r in rows]


@torch.inference_mode()
def expected(model, tok, rows, new):
    out = []
    for r in rows:
        ids = tok(r["prompt"], return_tensors="pt")["input_ids"]
        y = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, pad_token_id=tok.pad_token_id)[0, ids.shape[1]:].tolist()
        y = y[: y.index(tok.eos_token_id)] if tok.eos_token_id in y else y
        answer = tok(r["answer"], add_special_tokens=False)["input_ids"]
        logits = model(torch.tensor([ids[0].tolist() + answer])).logits[0].double().log_softmax(-1)
        out.append((y, float(sum(logits[ids.shape[1] - 1 + i, t] for i, t in enumerate(answer))) if answer else None))
    return out


def fold(base, factors, weights, merge):
    state = {k: v.clone() for k, v in base.items()}
    for module in factors[0]:
        pairs = [(w, f[module]) for w, f in zip(weights, factors)]
        delta = sum(w * (b @ a) for w, (a, b) in pairs) if merge == "delta" else sum(w * b for w, (_, b) in pairs) @ sum(w * a for w, (a, _) in pairs)
        state[module + ".weight"] += delta.float()
    return state


def main():
    a = arguments(); rows = prompts_of(a); tok = AutoTokenizer.from_pretrained(a.model)
    model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32).eval(); base = {k: v.clone() for k, v in model.state_dict().items()}
    folders, factors = [f"{a.pool}/{s}" for s in a.sharers], []
    for f in folders:
        c = json.loads(pathlib.Path(f"{f}/adapter_config.json").read_text()); w = {k.removeprefix("base_model.model."): v.double() for k, v in load_file(f"{f}/adapter_model.safetensors").items()}
        factors.append({k.removesuffix(".lora_A.weight"): (v, c["lora_alpha"] / c["r"] * w[k.replace("lora_A", "lora_B")]) for k, v in w.items() if "lora_A" in k})
    cases = [("base", [], "delta")] + [(s, [float(i == j) for j in range(3)], "delta") for i, s in enumerate(a.sharers)]
    cases += [(f"{m} {w}", w, m) for w in ([0.8, -0.5, 0.6], [-1.2, 0.9, 0.3]) for m in ("delta", "factors")]
    total = same = 0; worst = 0.0
    def compare(name, extra, want):
        nonlocal total, same, worst
        got = predicted(a, rows, extra); equal = sum(g["tokens"] == y for g, (y, _) in zip(got, want))
        off = max((abs(g["logprob"] - l) / max(1.0, abs(l)) for g, (_, l) in zip(got, want) if l is not None and g.get("logprob") is not None), default=0.0)
        total += len(rows); same += equal; worst = max(worst, off)
        print(f"{name:36} {equal}/{len(rows)} identical, likelihood within {off:.1e}", flush=True)
    for name, weights, merge in cases:
        if any(weights): model.load_state_dict(fold(base, factors, weights, merge))
        else: model.load_state_dict(base)
        extra = [x for f, w in zip(folders, weights) for x in ("--adapter", f"{f}={w}")] + ["--merge", merge]
        compare(name, extra, expected(model, tok, rows, a.new))
    if a.adapter:
        model.load_state_dict(base); loaded = PeftModel.from_pretrained(model, a.adapter).eval()
        compare("published adapter in PEFT", ["--adapter", f"{a.adapter}=1"], expected(loaded, tok, rows, a.new))
    print(f"all: {same}/{total} identical, likelihood within {worst:.1e}")
    return 0 if same >= 0.995 * total and worst < 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
