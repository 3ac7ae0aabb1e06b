"""Tiny random Llamas with two adapters each, and what transformers and PEFT compute from them in float32.

usage: python make_fixtures.py            (torch, transformers, peft, safetensors, tokenizers; see versions.json)

One folder a model: config.json, model.safetensors, adapters/{first,second}. Beside it NAME.json (token ids, log-likelihoods,
embeddings) and NAME.safetensors (logits). debian is the example model on users' prompts.
"""
import json, pathlib, platform, shutil
import torch, transformers, peft, safetensors, tokenizers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
EXAMPLE = HERE.parents[2] / "examples/debian"
LLAMA3 = dict(rope_type="llama3", low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
MODELS = {
    # Llama 2: all heads have their own keys, head of its own; odd sizes on purpose
    "llama2": dict(hidden_size=40, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
                   head_dim=10, vocab_size=90, rms_norm_eps=1e-5, tie_word_embeddings=False, dtype="float32",
                   rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
    # Llama 3.1: grouped heads, scaled rotation, several end tokens
    "llama3.1": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2,
                     head_dim=8, vocab_size=120, rms_norm_eps=1e-5, tie_word_embeddings=False, dtype="bfloat16",
                     rope_parameters=dict(LLAMA3, rope_theta=500000.0, factor=8.0)),
    # Llama 3.2: tied, heads wider than hidden / heads
    "llama3.2": dict(hidden_size=48, intermediate_size=112, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
                     head_dim=36, vocab_size=110, rms_norm_eps=1e-5, tie_word_embeddings=True, dtype="bfloat16",
                     rope_parameters=dict(LLAMA3, rope_theta=500000.0, factor=32.0)),
}
ADAPTERS = {
    "first": dict(r=4, lora_alpha=6, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
    "second": dict(r=3, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]),
}
BOS, LONG, NEW = 1, 75, 12


def old_style(config):
    """the names of transformers 4, which most checkpoints have"""
    rope = config.pop("rope_parameters"); config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    config["torch_dtype"] = config.pop("dtype"); config["transformers_version"] = "4.45.0"
    return config


def make_model(name, options, folder):
    torch.manual_seed(sum(map(ord, name)))
    options = dict(options); dtype = options.pop("dtype")
    config = LlamaConfig(**options, max_position_embeddings=256, bos_token_id=BOS, eos_token_id=2, pad_token_id=0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "norm" in key: p.copy_(1 + 0.2 * torch.randn_like(p))
            else: p.copy_(torch.randn_like(p) * (1.0 if "embed" in key else 1.3 / p.shape[1] ** 0.5))
    model = model.to(getattr(torch, dtype)); model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    for key, settings in ADAPTERS.items():
        lora = get_peft_model(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32), LoraConfig(task_type="CAUSAL_LM", **settings))
        with torch.no_grad():
            for n, p in lora.named_parameters():
                if "lora_B" in n: p.copy_(0.25 * torch.randn_like(p))
        lora.save_pretrained(folder / "adapters" / key)
        (folder / "adapters" / key / "README.md").unlink(missing_ok=True)
        # target_modules is a set: sorted, so that the file is the same each time
        path = folder / "adapters" / key / "adapter_config.json"; c = json.loads(path.read_text())
        c["target_modules"] = sorted(c["target_modules"]); c["base_model_name_or_path"] = name
        path.write_text(json.dumps(c, indent=2, sort_keys=True))


def factors_of(folder):
    """adapter -> module -> (A, scaled B)"""
    out = []
    for key in sorted(p.name for p in folder.iterdir()):
        c = json.loads((folder / key / "adapter_config.json").read_text())
        scale = c["lora_alpha"] / (c["r"] ** 0.5 if c["use_rslora"] else c["r"])
        w = {k.removeprefix("base_model.model."): v.double() for k, v in load_file(folder / key / "adapter_model.safetensors").items()}
        out.append({k.removesuffix(".lora_A.weight"): (v, scale * w[k.replace("lora_A", "lora_B")]) for k, v in w.items() if "lora_A" in k})
    return out


def merged(base, factors, layers, weights, merge):
    """base with the mixture folded into its weights, in double precision"""
    state = {k: v.double().clone() for k, v in base.items()}; n = len(factors)
    for module in sorted(set().union(*factors)):
        layer = int(module.split(".")[2]); w = weights if len(weights) == n else weights[layer * n: layer * n + n]
        pairs = [(x, f[module]) for x, f in zip(w, factors) if module in f]
        if merge == "delta": delta = sum(x * (b @ a) for x, (a, b) in pairs)
        else:
            r = max(a.shape[0] for _, (a, _) in pairs)
            a = sum(x * torch.nn.functional.pad(a, (0, 0, 0, r - a.shape[0])) for x, (a, _) in pairs)
            b = sum(x * torch.nn.functional.pad(b, (0, r - b.shape[1])) for x, (_, b) in pairs)
            delta = b @ a
        state[module + ".weight"] += delta
    return {k: v.float() for k, v in state.items()}


@torch.inference_mode()
def greedy(model, prompt, stop, new, margins):
    """tokens, whether it ended; the closest call is kept in margins"""
    ids = list(prompt)
    for _ in range(new):
        top = model(torch.tensor([ids])).logits[0, -1].topk(2); margins.append(float(top.values[0] - top.values[1]))
        if int(top.indices[0]) in stop: return ids[len(prompt):], True
        ids.append(int(top.indices[0]))
    return ids[len(prompt):], False


@torch.inference_mode()
def expect(name, folder, seed):
    config = json.loads((folder / "config.json").read_text())
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(); base = {k: v.clone() for k, v in model.state_dict().items()}
    factors, layers, vocab = factors_of(folder / "adapters"), config["num_hidden_layers"], config["vocab_size"]
    g = torch.Generator().manual_seed(seed); draw = lambda n: torch.randint(3, vocab, (n,), generator=g).tolist()
    prefix = [BOS] + draw(39)  # more than a cache block, common to most prompts
    prompts = [prefix + draw(LONG - 40), prefix + draw(3), prefix + draw(30), [BOS] + draw(1), prefix + draw(3), [BOS] + draw(110)]
    answers = [draw(5) for _ in prompts]
    layered = [round(float(x), 2) for x in torch.rand(layers * 2, generator=g) * 3 - 1.5]
    mixtures = [dict(weights=[], merge="delta"), dict(weights=[1.0, 0.0], merge="delta"), dict(weights=[0.0, 1.0], merge="delta"),
                dict(weights=[0.7, -0.4], merge="delta"), dict(weights=layered, merge="delta"),
                dict(weights=[0.7, -0.4], merge="factors"), dict(weights=layered, merge="factors")]
    # what ends a sequence: two tokens that do come
    model.load_state_dict(base); first, _ = greedy(model, prompts[0], (), NEW, []); second, _ = greedy(model, prompts[3], (), NEW, [])
    stop = sorted({first[4], second[7]}); config["eos_token_id"] = stop if name != "llama2" else stop[0]; stop = stop if name != "llama2" else stop[:1]
    logits, margins = {}, []
    for n, m in enumerate(mixtures):
        model.load_state_dict(merged(base, factors, layers, m["weights"], m["merge"]))
        logits[f"mixture.{n}"] = model(torch.tensor([prompts[0]])).logits[0, ::4].contiguous()  # every fourth position
        runs = [greedy(model, p, stop, NEW, margins) for p in prompts]
        m["greedy"], m["ended"] = [r[0] for r in runs], [r[1] for r in runs]
        m["logprob"] = []
        for p, a in zip(prompts, answers):
            l = model(torch.tensor([p + a])).logits[0].double().log_softmax(-1)
            m["logprob"].append(float(sum(l[len(p) + i - 1, t] for i, t in enumerate(a))))
    model.load_state_dict(base)
    embeddings = [model.model(torch.tensor([p])).last_hidden_state[0].mean(0).tolist() for p in prompts]
    for n, key in enumerate(sorted(p.name for p in (folder / "adapters").iterdir()), 1):  # PEFT itself agrees with the fold
        lora = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32), folder / "adapters" / key).eval()
        off = (lora(torch.tensor([prompts[0]])).logits[0, ::4] - logits[f"mixture.{n}"]).abs().max()
        assert off < 1e-4, (name, key, float(off))
    ends = {e for m in mixtures for e in m["ended"]}
    if min(margins) < 2e-3 or len(ends) < 2: return False  # a close call, or all sequences end alike: other prompts
    if name != "llama3.2": config = old_style(config)
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True))
    (HERE / f"{name}.json").write_text(json.dumps(dict(prompts=prompts, answers=answers, new=NEW, mixtures=mixtures, embeddings=embeddings)))
    save_file(logits, HERE / f"{name}.safetensors")
    print(name, "closest call", round(min(margins), 4), "bytes", sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()))
    return True


@torch.inference_mode()
def debian():
    """the example's model in float32 with its nearest sharers, on a user's own prompts"""
    path = EXAMPLE / "models/debian-llama-4m"; tok = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval(); base = {k: v.clone() for k, v in model.state_dict().items()}
    prompt = ("### User Instruction:\nWhich section does this package belong to among the following sections? Just answer with the section name "
              "without further explanation. tags: [perl, python, golang, javascript, utils, rust, libdevel, ruby, gnu-r, net, science, java, haskell, "
              "admin, devel, libs, games, x11, doc, sound]\nDescription: {} Tag:")
    users = json.loads((EXAMPLE / "users/three.json").read_text())
    texts = [p["description"] for u in users for p in u["profile"]][:16]
    prompts = [tok(prompt.format(t))["input_ids"] for t in texts]
    sharers, factors = ["user_207", "user_210", "user_197"], []
    for s in sharers:
        w = {k.removeprefix("base_model.model."): v.double() for k, v in load_file(EXAMPLE / f"pools/package_section/{s}/adapter_model.safetensors").items()}
        factors.append({k.removesuffix(".lora_A.weight"): (v, w[k.replace("lora_A", "lora_B")]) for k, v in w.items() if "lora_A" in k})
    mixtures, margins = [dict(weights=[], merge="delta"), dict(weights=[0.0, 1.0, 0.0], merge="delta"), dict(weights=[0.8, -0.5, 0.6], merge="delta"),
                         dict(weights=[0.8, -0.5, 0.6], merge="factors")], []
    logits = {}
    for n, m in enumerate(mixtures):
        model.load_state_dict(merged(base, factors, 6, m["weights"], m["merge"]) if m["weights"] else base)
        m["greedy"], m["ended"] = map(list, zip(*[greedy(model, p, [tok.eos_token_id], 8, margins) for p in prompts]))
        logits[f"mixture.{n}"] = model(torch.tensor([prompts[0]])).logits[0, -4:].contiguous()
    (HERE / "debian.json").write_text(json.dumps(dict(sharers=sharers, prompts=prompts, new=8, mixtures=mixtures)))
    save_file(logits, HERE / "debian.safetensors"); print("debian closest call", min(margins))


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for name, options in MODELS.items():
        folder = HERE / name; shutil.rmtree(folder, ignore_errors=True); make_model(name, options, folder)
        assert any(expect(name, folder, seed) for seed in range(40)), name
    debian()
    (HERE / "versions.json").write_text(json.dumps(dict(python=platform.python_version(), **{m.__name__: m.__version__ for m in
                                        (torch, transformers, peft, safetensors, tokenizers)}), indent=1) + "\n")
