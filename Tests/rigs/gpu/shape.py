"""A Llama with random weights in the shape of a published one, adapters, a user with a history, and all that primed and the peer
need to personalize it. Needs torch, safetensors and tokenizers; a GPU makes the weights where there is one.

usage: python shape.py SHAPE FOLDER [--items 64] [--answer 8] [--like FOLDER]

`--answer` is about how many tokens an answer has until the end of text, which random weights never say by themselves: the row of
that token in the head is scaled for it; 3 or more. 0 leaves it as it is, and every answer has as many tokens as may be. `--like`
is a site of the same shape, whose layers' weights are linked rather than made again.
"""

import argparse, json, os, pathlib, random, shutil, statistics
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/debian"


def shape_of(hidden, inner, layers, heads, kv_heads, vocabulary, theta, positions, tied=False, factor=None):
    scaling = dict(
        low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192, rope_type="llama3", factor=factor
    )
    return dict(
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=vocabulary,
        rope_theta=theta,
        max_position_embeddings=positions,
        tie_word_embeddings=tied,
        **(dict(rope_scaling=scaling) if factor else {}),
    )


SHAPES = {
    "llama-2-7b": shape_of(4096, 11008, 32, 32, 32, 32000, 1e4, 4096),
    "llama-3.1-8b": shape_of(4096, 14336, 32, 32, 8, 128256, 5e5, 131072, factor=8.0),
    "llama-3.2-3b": shape_of(3072, 8192, 28, 24, 8, 128256, 5e5, 131072, tied=True, factor=32.0),
    # The same, small; a vocabulary's odd rows must not matter.
    "tiny-2": shape_of(128, 344, 3, 4, 4, 4161, 1e4, 4096),
    "tiny-3.1": shape_of(128, 344, 3, 4, 2, 4161, 5e5, 131072, factor=8.0),
    "tiny-3.2": shape_of(128, 344, 3, 4, 1, 4161, 5e5, 131072, tied=True, factor=32.0),
}
MODULES, RANK, SHARERS = "qkvo", 8, [1, 2, 3]
TASK, MARKER = "package_section", "] description: "  # a task that the peer knows by name


def config_of(shape):
    c = SHAPES[shape]
    return dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_act="silu",
        rms_norm_eps=1e-5,
        torch_dtype="bfloat16",
        attention_bias=False,
        mlp_bias=False,
        bos_token_id=4093,
        eos_token_id=4094,
        pad_token_id=4095,
        head_dim=c["hidden_size"] // c["num_attention_heads"],
        **c,
    )


def widths(c):
    """[rows, columns] of a layer's products, by name."""
    d, kv = c["hidden_size"], c["num_key_value_heads"] * c["head_dim"]
    return {
        "self_attn.q_proj": (d, d),
        "self_attn.k_proj": (kv, d),
        "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d),
        "mlp.gate_proj": (c["intermediate_size"], d),
        "mlp.up_proj": (c["intermediate_size"], d),
        "mlp.down_proj": (d, c["intermediate_size"]),
    }


def make_model(folder, c, answer, decisive, like):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dice = torch.Generator(device).manual_seed(1)
    noise = lambda *shape: (torch.randn(*shape, generator=dice, device=device) * 0.02).to(torch.bfloat16)
    ones = lambda: torch.ones(c["hidden_size"], dtype=torch.bfloat16)
    folder.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(EXAMPLE / "models/debian-llama-4m" / name, folder)
    (folder / "config.json").write_text(json.dumps(c))
    index, shards = {}, 1 + c["num_hidden_layers"]

    def save(number, tensors):
        file = f"model-{number:05}-of-{shards:05}.safetensors"
        save_file({name: t.cpu().contiguous() for name, t in tensors.items()}, folder / file, metadata=dict(format="pt"))
        index.update(dict.fromkeys(tensors, file))

    embedding = noise(c["vocab_size"], c["hidden_size"])
    head = embedding if c["tie_word_embeddings"] else noise(c["vocab_size"], c["hidden_size"])
    if decisive:
        # A token weighs more than what the layers add to it, and calls for the next of the vocabulary, or for itself.
        embedding *= 2
        if not c["tie_word_embeddings"]:
            head += embedding.roll(1, 0)
    ends = {"model.embed_tokens.weight": embedding, "model.norm.weight": ones()}
    if answer:
        # The largest of V normal logits is about z(1 - 1/V) of their deviation; that of the end exceeds it once in `answer`.
        normal = statistics.NormalDist().inv_cdf
        head[c["eos_token_id"]] *= normal(1 - 1 / c["vocab_size"]) / normal(1 - 1 / answer)
    if not c["tie_word_embeddings"]:
        ends["lm_head.weight"] = head
    save(1, ends)
    if like:
        for file in like.glob("model-*.safetensors"):
            if not (folder / file.name).exists():
                os.link(file, folder / file.name)
        index = json.loads((like / "model.safetensors.index.json").read_text())["weight_map"]
    for layer in [] if like else range(c["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        save(
            layer + 2,
            {
                prefix + "input_layernorm.weight": ones(),
                prefix + "post_attention_layernorm.weight": ones(),
                **{f"{prefix}{name}.weight": noise(*shape) for name, shape in widths(c).items()},
            },
        )
    (folder / "model.safetensors.index.json").write_text(json.dumps(dict(metadata={}, weight_map=index)))


def make_adapter(folder, c, seed, base):
    dice = torch.Generator().manual_seed(seed)
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(
        json.dumps(
            dict(
                peft_type="LORA",
                base_model_name_or_path=base,
                r=RANK,
                lora_alpha=RANK,
                lora_dropout=0.05,
                bias="none",
                task_type="CAUSAL_LM",
                target_modules=[f"{m}_proj" for m in MODULES],
            )
        )
    )
    tensors = {}
    for layer in range(c["num_hidden_layers"]):
        for module in MODULES:
            rows, columns = widths(c)[f"self_attn.{module}_proj"]
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}_proj.lora_"
            tensors[name + "A.weight"] = torch.randn(RANK, columns, generator=dice) * columns**-0.5
            tensors[name + "B.weight"] = torch.randn(rows, RANK, generator=dice) * 0.02
    save_file(tensors, folder / "adapter_model.safetensors", metadata=dict(format="pt"))


def make_user(items, lengths, queries=12):
    """Histories of the example's words; a prompt has 200 to 400 tokens."""
    dice, tok = random.Random(2), Tokenizer.from_file(str(EXAMPLE / "models/debian-llama-4m/tokenizer.json"))
    users = json.loads((EXAMPLE / "users/three.json").read_text())
    words = [word for user in users for item in user["profile"] for word in item["description"].split()]

    def text():
        start = dice.randrange(len(words))
        n = dice.randint(*lengths)
        stretch = (words * 3)[start : start + n]
        return tok.decode(tok.encode(" ".join(stretch), add_special_tokens=False).ids[:n]).strip()

    return dict(
        user_id="u",
        profile=[dict(id=str(i), description=text(), tag="libs") for i in range(items)],
        query=[dict(id=f"q{i}", input=f"tags: [libs{MARKER}{text()}") for i in range(queries)],
    )


def make_site(root, shape, items, answer, like=None):
    # Random logits lie so close that bf16 has ties among the largest: where answers are compared, one token mostly stands out.
    c, tiny = config_of(shape), shape.startswith("tiny")
    lengths = (20, 40) if tiny else (200, 400)
    make_model(root / "models" / shape, c, answer, decisive=tiny, like=like and like / "models" / shape)
    for s in SHARERS:
        make_adapter(root / "models/sharers" / TASK / f"user_{s}", c, s, shape)
    user = make_user(items, lengths)
    (root / "tasks").mkdir()
    (root / "tasks/random.json").write_text(
        json.dumps(
            dict(
                name="random",
                kind="classification",
                labels=["libs", "perl"],
                metrics=["accuracy", "f1"],
                history=dict(prompt="Description: {description} Tag:", full="Description: {description} Tag: {tag}", words=768),
                query=dict(prompt="Description: {} Tag:", marker=MARKER),
            )
        )
    )
    (root / "data").mkdir()
    (root / "data/prompt.json").write_text(
        json.dumps(
            {
                TASK: dict(
                    OPPU_input="Description: {description} Tag:",
                    OPPU_full="Description: {description} Tag: {tag}",
                    prompt="Description: {} Tag:",
                )
            }
        )
    )
    (root / "ready.json").write_text(json.dumps(dict(user=user, sharers=SHARERS, profile_text="", golds=[])))
    (root / "users.json").write_text(json.dumps([user]))
    (root / "primed.json5").write_text(
        json.dumps(
            dict(
                inbox="inbox",
                work="work",
                outbox="outbox",
                models="models",
                pools=f"models/sharers/{TASK}",
                tasks="tasks",
                histories=".",
                kernels="kernels",
            )
        )
    )
    for name, profile in (("all", user["profile"]), ("ten", user["profile"][:10])):
        (root / f"{name}.json").write_text(
            json.dumps(
                dict(
                    job="personalize",
                    id=name,
                    base=shape,
                    task="random",
                    sharers=[dict(id=str(s), adapter=f"user_{s}") for s in SHARERS],
                    targets=[dict(user="u", history=[dict(i) for i in profile], queries=user["query"])],
                    evolve=dict(budget=10, recent=0, retrieval=False),
                    privacy=dict(alpha=0.1),
                )
            )
        )


def main():
    p = argparse.ArgumentParser()
    p.add_argument("shape", choices=SHAPES)
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--items", type=int, default=64)
    p.add_argument("--answer", type=int, default=8)
    p.add_argument("--like", type=pathlib.Path)
    a = p.parse_args()
    if 0 < a.answer < 3:
        p.error("--answer is 0, or 3 and more")
    make_site(a.folder, a.shape, a.items, a.answer, a.like)


if __name__ == "__main__":
    main()
