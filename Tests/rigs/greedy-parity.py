"""Greedy tokens and likelihoods of `primed predict` against transformers and PEFT.

usage: python greedy-parity.py --primed .build/release/primed --model DIR --pool DIR --users users.json --form prompt.json [--count 200]
                               [--device cuda:0 --dtype bfloat16]

`--users` is a LaMP users file (profiles with "description"), `--form` the prompts' templates by task. Compared are the base,
each of three sharers, two mixtures merged both ways, and, with --adapter, a published adapter as PEFT loads it. Exit 0 when
at least 99.5% of all sequences have identical tokens and every likelihood agrees to 1e-4. Needs torch, transformers, peft.

In bfloat16 the base and each sharer are compared, the sharer as PEFT applies it: a merge folded into bf16 weights would be rounded
as neither program rounds it. At least 98% must have identical tokens there and the rest part at near-ties: the logits of the two
tokens where they part, which are shown, differ by no more than 8 steps of bf16 at the largest logit. Likelihoods agree to 5% with
transformers in float32: in bf16 it rounds logits, too, and is itself as far off as is shown.
"""
import argparse, json, math, pathlib, subprocess, sys
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
    p.add_argument("--device", default="cpu"); p.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    p.add_argument("--config", help="primed's configuration")
    return p.parse_args()


def prompts_of(a):
    form = json.loads(pathlib.Path(a.form).read_text())[a.task]; rows = []
    for user in json.loads(pathlib.Path(a.users).read_text()):
        for item in user["profile"]:
            prompt, full = form["OPPU_input"].format(**item), form["OPPU_full"].format(**item)
            rows.append(dict(id=f"{user['user_id']}-{item['id']}", prompt=prompt, answer=full[len(prompt):]))
    return rows[:: max(1, len(rows) // a.count)][: a.count]


def predicted(a, rows, extra):
    config = ["--config", a.config] if a.config else []
    out = subprocess.run([a.primed, "predict", "--model", a.model, "--device", a.device, "--max-new-tokens", str(a.new), *config, *extra], text=True, capture_output=True,
                         input="".join(json.dumps(r) + "\n" for r in rows))
    if out.returncode: sys.exit(f"primed predict {' '.join(extra)}: exit {out.returncode}\n{out.stderr}")
    found = {r["id"]: r for r in map(json.loads, out.stdout.splitlines())}
    return [found[r["id"]] for r in rows]


def likelihood(model, ids, answer):
    logits = model(torch.tensor([ids + answer], device=model.device)).logits[0].double().log_softmax(-1)
    return float(sum(logits[len(ids) - 1 + i, t] for i, t in enumerate(answer)))


@torch.inference_mode()
def expected(model, exact, tok, rows, new):
    """Greedy tokens of `model`, and the answer's log-likelihoods of `exact` and of `model`; None where there is no answer."""
    out = []
    for r in rows:
        ids = tok(r["prompt"], return_tensors="pt")["input_ids"].to(model.device)
        y = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new, pad_token_id=tok.pad_token_id)[0, ids.shape[1]:].tolist()
        y = y[: y.index(tok.eos_token_id)] if tok.eos_token_id in y else y
        answer = tok(r["answer"], add_special_tokens=False)["input_ids"]
        of = lambda m: likelihood(m, ids[0].tolist(), answer) if answer else None
        out.append((y, of(exact), of(model) if model is not exact else None))
    return out


@torch.inference_mode()
def parting(model, tok, row, ours, theirs):
    """How far the logits of the two tokens differ where the answers part, and the largest logit."""
    at = next((i for i, (x, y) in enumerate(zip(ours, theirs)) if x != y), min(len(ours), len(theirs)))
    token = lambda y: y[at] if at < len(y) else tok.eos_token_id
    ids = tok(row["prompt"])["input_ids"] + theirs[:at]
    logits = model(torch.tensor([ids], device=model.device)).logits[0, -1].float()
    return abs(float(logits[token(theirs)] - logits[token(ours)])), float(logits.abs().max())


def fold(base, factors, weights, merge):
    state = {k: v.clone() for k, v in base.items()}
    for module in factors[0]:
        pairs = [(w, f[module]) for w, f in zip(weights, factors)]
        delta = sum(w * (b @ a) for w, (a, b) in pairs) if merge == "delta" else sum(w * b for w, (_, b) in pairs) @ sum(w * a for w, (a, _) in pairs)
        state[module + ".weight"] += delta.float()
    return state


def main():
    a = arguments(); rows = prompts_of(a); tok = AutoTokenizer.from_pretrained(a.model); bf16 = a.dtype == "bfloat16"
    # On the stand-in for a GPU, transformers has the CPU.
    device = a.device if torch.cuda.is_available() else "cpu"
    load = lambda dtype: AutoModelForCausalLM.from_pretrained(a.model, dtype=dtype).to(device).eval()
    model = load(getattr(torch, a.dtype))
    folders = [f"{a.pool}/{s}" for s in a.sharers]
    total = same = apart = ties = 0; worst = 0.0
    def furthest(found, wanted):
        # What is missing or no number is as far off as can be.
        offs = [abs(f - w) / max(1.0, abs(w)) for f, w in zip(found, wanted) if w is not None]
        return max((math.inf if math.isnan(x) else x for x in offs), default=0.0)
    def compare(name, extra, model, exact):
        nonlocal total, same, worst, apart, ties
        want, got = expected(model, exact, tok, rows, a.new), predicted(a, rows, extra)
        equal = sum(g["tokens"] == y for g, (y, _, _) in zip(got, want))
        likelihoods = [l for _, l, _ in want]
        off = furthest([g.get("logprob", math.nan) for g in got], likelihoods)
        total += len(rows); same += equal; worst = max(worst, off)
        own = f", transformers' own within {furthest([o for _, _, o in want], likelihoods):.1e}" if bf16 else ""
        print(f"{name:36} {equal}/{len(rows)} identical, likelihood within {off:.1e}{own}", flush=True)
        for row, g, (y, _, _) in zip(rows, got, want) if bf16 else []:
            if g["tokens"] == y: continue
            gap, largest = parting(model, tok, row, g["tokens"], y); near = gap <= 8 * 2 ** -8 * largest; apart += not near; ties += gap == 0
            print(f"  {row['id']}: logits {gap:.3f} apart, the largest {largest:.2f}: {'a near-tie' if near else 'NO NEAR-TIE'}")
    if bf16:
        exact = load(torch.float32)
        compare("base", [], model, exact)
        for folder, sharer in zip(folders, a.sharers):
            both = [PeftModel.from_pretrained(m, folder).eval() for m in (model, exact)]
            compare(sharer, ["--adapter", f"{folder}=1"], *both)
            model, exact = (m.unload() for m in both)
    else:
        base, factors = {k: v.clone() for k, v in model.state_dict().items()}, []
        for f in folders:
            c = json.loads(pathlib.Path(f"{f}/adapter_config.json").read_text()); w = {k.removeprefix("base_model.model."): v.double() for k, v in load_file(f"{f}/adapter_model.safetensors").items()}
            factors.append({k.removesuffix(".lora_A.weight"): (v, c["lora_alpha"] / c["r"] * w[k.replace("lora_A", "lora_B")]) for k, v in w.items() if "lora_A" in k})
        cases = [("base", [], "delta")] + [(s, [float(i == j) for j in range(3)], "delta") for i, s in enumerate(a.sharers)]
        cases += [(f"{m} {w}", w, m) for w in ([0.8, -0.5, 0.6], [-1.2, 0.9, 0.3]) for m in ("delta", "factors")]
        for name, weights, merge in cases:
            model.load_state_dict(fold(base, factors, weights, merge) if any(weights) else base)
            compare(name, [x for f, w in zip(folders, weights) for x in ("--adapter", f"{f}={w}")] + ["--merge", merge], model, model)
        model.load_state_dict(base)
    if a.adapter:
        loaded = PeftModel.from_pretrained(model, a.adapter).eval()
        compare("published adapter in PEFT", ["--adapter", f"{a.adapter}=1"], loaded, loaded if not bf16 else PeftModel.from_pretrained(exact, a.adapter).eval())
    print(f"all: {same}/{total} identical, likelihood within {worst:.1e}" + (f"; of the others {ties} part where transformers' own logits are equal, {apart} at no near-tie" if bf16 else ""))
    if bf16: return 0 if same >= 0.98 * total and not apart and worst < 0.05 else 1
    return 0 if same >= 0.995 * total and worst < 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
