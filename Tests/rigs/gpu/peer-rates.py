"""What one evaluation costs the peer on this card: the whole history of a site of shape.py under one mixture, by way of decoding.

usage: python peer-rates.py --peer prime_peer.py --site FOLDER --shape SHAPE [--reference] [--batches 8 32 64] [--device cuda]

`--reference` decodes as the authors do: their batch of 8 and 100 tokens always. Else keys and values are kept, the end of text
stops, every batch size is tried, and the fastest once more with adapters in bf16. Prints one JSON object. The peer's generation
is run as it is; optimizer and metrics, which this does not time, need not be installed.
"""

import argparse, importlib.util, json, pathlib, sys, time, types
import torch


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("--peer", required=True)
    p.add_argument("--site", type=pathlib.Path, required=True)
    p.add_argument("--shape", required=True)
    p.add_argument("--reference", action="store_true")
    p.add_argument("--batches", type=int, nargs="+", default=[8, 32, 64])
    p.add_argument("--device", default="cuda")
    p.add_argument("--seconds", type=float, default=300, help="no further batch size after so long")
    return p.parse_args()


def load_peer(path):
    for name in ("nevergrad", "rank_bm25", "rouge_score"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.SimpleNamespace(BM25Okapi=None, rouge_scorer=None)
    spec = importlib.util.spec_from_file_location("peer", path)
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    return peer


def main():
    a = arguments()
    peer = load_peer(a.peer)
    ready = json.loads((a.site / "ready.json").read_text())
    task = "package_section"
    sys.argv = [
        "peer",
        "--data",
        str(a.site / "data"),
        "--models",
        str(a.site / "models"),
        "--base",
        a.shape,
        "--task",
        task,
        "--device",
        a.device,
        "--dtype",
        "bfloat16",
    ] + (["--reference-decode"] if a.reference else ["--sort"])
    args = peer.arguments()
    start = time.perf_counter()
    gen = peer.Generator(args)
    merger = peer.Merger(gen, args)
    form = json.loads((a.site / "data/prompt.json").read_text())[task]
    history = peer.history_data(ready["user"], form, "", 0, False)
    queries = peer.query_data(ready["user"], form, peer.MARKERS[task])
    merger.choose([f"{args.models}/sharers/{task}/user_{s}" for s in ready["sharers"]])
    synchronize = torch.cuda.synchronize if a.device.startswith("cuda") else lambda: None

    def seconds(weights, rows):
        synchronize()
        begin = time.perf_counter()
        merger.set(weights)
        gen(rows)
        synchronize()
        return time.perf_counter() - begin

    load = time.perf_counter() - start
    seconds([0.0] * 3, queries[:1])  # the first call compiles and allocates
    begin, found = time.perf_counter(), []

    def measure(batch, adapters):
        args.batch_size = batch
        gen.tokens = 0
        evaluation, rest = (seconds([0.4, -0.3, 0.7], rows) for rows in (history, queries))
        found.append(dict(batch=batch, adapters=adapters, evaluation=evaluation, queries=rest, tokens=gen.tokens))
        print(f"batch {batch}, adapters in {adapters}: {evaluation:.2f} s an evaluation", file=sys.stderr, flush=True)

    for batch in [args.batch_size] if a.reference else a.batches:
        try:
            measure(batch, "float32")
        except torch.OutOfMemoryError:
            break
        if time.perf_counter() - begin > a.seconds:
            break
    # PEFT keeps adapters in float32 beside a bf16 model; without its casts the peer may be faster.
    if merger.peft is not None and not a.reference:
        for module in merger.modules:
            layer = merger.peft.base_model.model.get_submodule(module)
            for factor in layer.lora_A["merged"], layer.lora_B["merged"]:
                factor.to(torch.bfloat16)
        measure(min(found, key=lambda run: run["evaluation"])["batch"], "bf16")
    print(
        json.dumps(
            dict(
                device=torch.cuda.get_device_name() if a.device.startswith("cuda") else "cpu",
                load=load,
                reference=a.reference,
                prompts=len(history),
                runs=found,
            )
        )
    )


if __name__ == "__main__":
    main()
