"""A random Llama of one layer with an adapter, a pool of three and a task: jobs on it take a few hundredths of a second. Python 3
alone."""
import json, pathlib, random, shutil, struct, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HIDDEN, HEADS, INNER, VOCABULARY, RANK = 16, 2, 32, 520, 2


def safetensors(path, tensors):
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        piece = struct.pack(f"<{len(values)}f", *values)
        header[name] = dict(dtype="F32", shape=shape, data_offsets=[len(data), len(data) + len(piece)])
        data += piece
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def folder():
    """A temporary folder, in memory where there is enough: a container's /dev/shm may have 64 MiB."""
    memory = pathlib.Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free >= 1 << 30
    return tempfile.TemporaryDirectory(dir=memory if enough else None)


def make_site(root):
    rng = random.Random(1)
    def noise(*shape):
        count = 1
        for n in shape: count *= n
        return list(shape), [rng.gauss(0, 0.3) for _ in range(count)]
    def ones(n): return [n], [1.0] * n
    model = root / "models/tiny"; model.mkdir(parents=True)
    shutil.copy(ROOT / "Tests/TokenizersTests/Fixtures/legacy/tokenizer.json", model)
    (model / "config.json").write_text(json.dumps(dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=1,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, head_dim=HIDDEN // HEADS, vocab_size=VOCABULARY, rms_norm_eps=1e-5,
        hidden_act="silu", max_position_embeddings=256, rope_theta=10000.0, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
        torch_dtype="float32")))
    layer = "model.layers.0."
    tensors = {"model.embed_tokens.weight": noise(VOCABULARY, HIDDEN), "model.norm.weight": ones(HIDDEN),
               layer + "input_layernorm.weight": ones(HIDDEN), layer + "post_attention_layernorm.weight": ones(HIDDEN),
               layer + "mlp.gate_proj.weight": noise(INNER, HIDDEN), layer + "mlp.up_proj.weight": noise(INNER, HIDDEN),
               layer + "mlp.down_proj.weight": noise(HIDDEN, INNER)}
    for name in "qkvo": tensors[f"{layer}self_attn.{name}_proj.weight"] = noise(HIDDEN, HIDDEN)
    safetensors(model / "model.safetensors", tensors)
    members = ["a", "b", "c"]
    for folder in [root / "pools/sharer"] + [root / "pools/pool" / member for member in members]:
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(json.dumps(dict(
            peft_type="LORA", base_model_name_or_path="tiny", r=RANK, lora_alpha=RANK, target_modules=["q_proj", "v_proj"], bias="none",
            task_type="CAUSAL_LM")))
        safetensors(folder / "adapter_model.safetensors", {
            f"base_model.model.{layer}self_attn.{name}_proj.lora_{side}.weight": noise(*shape)
            for name in "qv" for side, shape in (("A", (RANK, HIDDEN)), ("B", (HIDDEN, RANK)))})
    safetensors(root / "pools/pool/embeddings.safetensors", {"embeddings": noise(len(members), HIDDEN)})
    (root / "pools/pool/pool.json").write_text(json.dumps(dict(
        schema=1, task="color", base="tiny", embeddings=dict(file="embeddings.safetensors", tensor="embeddings", encoder="tiny"),
        members=[dict(id=member, adapter=member, consent=True) for member in members])))
    (root / "tasks").mkdir()
    (root / "tasks/color.json").write_text(json.dumps(dict(
        name="color", kind="classification", labels=["red", "blue"], metrics=["accuracy"],
        history=dict(prompt="{text} is", full="{text} is {color}"), query=dict(prompt="{} is", marker="What color: "))))
    for name in ["inbox", "outbox", "histories", "taken"]: (root / name).mkdir()
    (root / "primed.json5").write_text(json.dumps(dict(
        inbox="inbox", work="work", outbox="outbox", models="models", pools="pools", tasks="tasks", histories="histories", threads=1,
        slots=2, cache_mib=1, token_budget=64, metrics="metrics.prom", keep_failed_days=0)))
