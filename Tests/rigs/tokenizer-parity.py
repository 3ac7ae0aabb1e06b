"""Token ids and decoded texts of `primed tokenize` against tokenizers and sentencepiece on random texts.

usage: python tokenizer-parity.py --primed .build/release/primed [--count 10000] [--seed 1] [--users users.json] FOLDER|FILE...

Each FOLDER has a tokenizer.json or a tokenizer.model; of a Llama 2 folder with only tokenizer.model also both forms of
tokenizer.json that transformers made of such files are compared. The texts are of many scripts, with control characters, the
text of special tokens, and invalid UTF-8, of which each ill-formed part counts as U+FFFD. As many lists of ids that no text gives
are decoded, too. Exit 0 when everything is equal.
"""
import argparse, json, pathlib, random, shutil, subprocess, sys, tempfile
import sentencepiece
from tokenizers import Tokenizer

BLOCKS = [(0x20, 0x7F)] * 6 + [(0, 0x20), (0x7F, 0xA0), (0xA0, 0x250), (0x250, 0x370), (0x370, 0x530), (0x530, 0x700), (0x900, 0x1100), (0x1100, 0x1400),
          (0x1680, 0x1700), (0x1E00, 0x2070), (0x2070, 0x2100), (0x2100, 0x2500), (0x2500, 0x2C00), (0x3000, 0x3400), (0x4E00, 0x5200), (0xAC00, 0xB000),
          (0xFB00, 0xFE00), (0xFE00, 0x10000), (0x10000, 0x10400), (0x1D400, 0x1D800), (0x1F300, 0x1FB00), (0xE0000, 0xE0100), (0x20000, 0x20200)]
WORDS = """the quick brown fox jumps over a lazy dog package provides library for Python module I'll we've they're it's don't can't HTTP2 3.14159
1234567 https://example.org foo_bar CamelCase""".split()
ODD = [" ", "  ", "\n", "\r\n", "\t", "'", ".", ",", "!", "0", "12", "<s>", "</s>", "<|end_of_text|>", "<|begin_of_text|>", "<0x41>", "\u2581", "'S", "'\u017f", "'LL", "'Re"]


def random_texts(count, seed, real):
    rng = random.Random(seed)
    def text():
        kind = rng.random()
        if real and kind < 0.25: return rng.choice(real)[: rng.randint(1, 300)]
        if kind < 0.4: return "".join(rng.choice(ODD + WORDS) for _ in range(rng.randint(0, 20)))
        out = []
        for _ in range(rng.randint(0, 12)):
            low, high = rng.choice(BLOCKS)
            out += [chr(rng.randrange(low, high)) for _ in range(rng.randint(1, 8))]
            if rng.random() < 0.4: out.append(rng.choice([" ", "\n", "  ", "'s", "é", "e\u0301", "\u00a0", "\u3000"]))
        return "".join(out)
    rows = []
    for _ in range(count):
        row = bytearray(text().encode())
        if row and rng.random() < 0.15:
            for _ in range(rng.randint(1, 4)): row[rng.randrange(len(row))] = rng.randrange(256)
        rows.append(bytes(row))
    return rows


def line(row):
    """The bytes as a JSON string: what is ill-formed stays so."""
    out = bytearray(b'"')
    for byte in row:
        out += b"\\u%04x" % byte if byte < 0x20 or byte in b'"\\' else bytes([byte])
    return bytes(out + b'"\n')


def primed(binary, folder, lines, *options):
    done = subprocess.run([binary, "tokenize", "--model", folder, *options], input=b"".join(lines), capture_output=True)
    if done.returncode: sys.exit(done.stderr.decode())
    return [json.loads(x) for x in done.stdout.split(b"\n")[:-1]]


def oracle(folder):
    """What encodes, what decodes, the ids, and those of the bytes."""
    file = pathlib.Path(folder, "tokenizer.json"); names = [f"<0x{byte:02X}>" for byte in range(256)]
    if not file.exists():
        pieces = sentencepiece.SentencePieceProcessor(str(file.with_name("tokenizer.model")))
        # The unknown piece is no token of any text; it is shown as " \u2047 ", and primed shows no special token.
        known = [i for i in range(pieces.get_piece_size()) if i != pieces.unk_id()]
        return pieces.encode, pieces.decode, known, [pieces.piece_to_id(name) for name in names]
    tok = Tokenizer.from_file(str(file)); tok.encode_special_tokens = True
    fallback = [tok.token_to_id(name) for name in names]
    return lambda t: tok.encode(t, add_special_tokens=False).ids, tok.decode, range(tok.get_vocab_size()), [] if None in fallback else fallback


def random_ids(count, seed, known, fallback):
    """Any ids, and bytes of fallback that are no text or only in part."""
    rng = random.Random(seed)
    def part():
        if not fallback or rng.random() < 0.5: return [rng.choice(known)]
        if rng.random() < 0.4: return [fallback[rng.randrange(0x80, 0x100)]]
        run = chr(rng.randrange(*rng.choice(BLOCKS))).encode()
        return [fallback[byte] for byte in run[: rng.randint(1, len(run))]]
    return [[i for _ in range(rng.randint(0, 12)) for i in part()] for _ in range(count)]


def forms(folder, scratch):
    """The folder itself, and of a bare tokenizer.model the two forms of tokenizer.json."""
    yield folder, folder
    if pathlib.Path(folder, "tokenizer.json").exists(): return
    import transformers
    made = json.loads(transformers.LlamaTokenizer.from_pretrained(folder).backend_tokenizer.to_str())
    for name, legacy in (("tokenizer.json", False), ("legacy tokenizer.json", True)):
        if legacy:
            made["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
            made["pre_tokenizer"] = None
        into = pathlib.Path(scratch, name.replace(" ", "-")); into.mkdir()
        (into / "tokenizer.json").write_text(json.dumps(made))
        yield f"{folder}, {name}", str(into)


def main():
    p = argparse.ArgumentParser(); p.add_argument("--primed", required=True); p.add_argument("--count", type=int, default=10000)
    p.add_argument("--seed", type=int, default=1); p.add_argument("--users", help="a LaMP users file for texts of a kind with the real ones")
    p.add_argument("folders", nargs="+"); a = p.parse_args()
    real = [v for u in json.loads(pathlib.Path(a.users).read_text()) for i in u["profile"] for k, v in i.items() if k != "id"] if a.users else []
    rows = random_texts(a.count, a.seed, real); texts = [r.decode("utf-8", "replace") for r in rows]
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        for folder in a.folders:
            only = pathlib.Path(folder)
            if only.is_file():  # one of a folder's two files alone
                into = pathlib.Path(scratch, f"of-{only.name}"); into.mkdir(exist_ok=True); shutil.copy(only, into); folder = str(into)
            for name, form in forms(folder, scratch):
                encode, decode, known, fallback = oracle(form); expected = [encode(t) for t in texts]; found = primed(a.primed, form, map(line, rows))
                lists = expected + random_ids(a.count, a.seed, known, fallback)
                back = primed(a.primed, form, [json.dumps(i).encode() + b"\n" for i in lists], "--decode")
                ids = [n for n in range(len(rows)) if found[n][1:] != expected[n]]; decoded = [n for n in range(len(lists)) if back[n] != decode(lists[n])]
                print(f"{name}: {len(rows)} texts, {sum(map(len, expected))} tokens, ids differ in {len(ids)}; of {len(lists)} lists decoded texts in {len(decoded)}", flush=True)
                for n in ids[:5]: print("  ", repr(texts[n][:60]), found[n][1:13], expected[n][:12])
                for n in decoded[:5]: print("  ", lists[n][:12], repr(back[n][:60]), repr(decode(lists[n])[:60]))
                wrong += len(ids) + len(decoded) + (len(found) != len(rows))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
