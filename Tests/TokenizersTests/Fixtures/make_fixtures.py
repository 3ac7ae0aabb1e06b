"""Small tokenizers of every form that primed reads, and what tokenizers and sentencepiece make of some hundred texts.

usage: python make_fixtures.py        writes beside this file: the tokenizers' folders, expected.json, classes.json, versions.json

The text of a special token inside a text is plain text, as in Meta's own tokenizers, so the tokenizers library is asked with
encode_special_tokens. classes.json has the scalars that its regular expressions take for letters, numbers and blanks.
"""
import io, json, pathlib, platform, random
import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
EXAMPLE = HERE.parents[2] / "examples/debian"
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = """the quick brown fox jumps over a lazy dog package provides library for Python module I'll we've they're it's don't can't
HTTP2 3.14159 1234567 https://example.org foo_bar CamelCase naïve Straße Žluťoučký Привет мир שלום مرحبا नमस्ते สวัสดี 你好世界 こんにちは 안녕하세요 Ελληνικά ⅷ ½ ² ㊙""".split()
BLOCKS = [(0x20, 0x7F)] * 6 + [(0, 0x20), (0x7F, 0xA0), (0xA0, 0x250), (0x250, 0x370), (0x370, 0x530), (0x530, 0x700), (0x900, 0x1100), (0x1100, 0x1400),
          (0x1680, 0x1700), (0x1E00, 0x2070), (0x2070, 0x2100), (0x2100, 0x2500), (0x2500, 0x2C00), (0x3000, 0x3400), (0x4E00, 0x5200), (0xAC00, 0xB000),
          (0xFB00, 0xFE00), (0xFE00, 0x10000), (0x10000, 0x10400), (0x1D400, 0x1D800), (0x1F300, 0x1FB00), (0x20000, 0x20200)]
HAND = ["", " ", "  ", "\n", "\r\n", "\n\n \n", " a", "a ", "  a  b  ", "\ta\t\tb", "a\n b\r\n\r\n c", "don't DON'T 's 'S 'ſ 'LL 'Re 'x '", "1 12 123 1234 12345678", "a1b22c333",
        "<s>", "</s>", "<unk>", "<0x41>", "<|begin_of_text|>", "<|end_of_text|>x<|eot|>", "▁", "▁▁a ▁b", "e\u0301 é", "\u0301", "👩‍👩‍👧‍👦 👍🏽 🇩🇪", "\u200b\u200d\ufeff", "\u00a0\u3000\u2028x",
        "\x00\x01\x1f\x7f", "!!!\n\n???", " !a", "...a", "ﬁ Å \u212b", "\ufffd", "a" * 50, " " * 30 + "x", "\U0010ffff", "का", "ประเทศไทย", "日本語テキスト", "x\u0085y", "½⅓Ⅷ²"]

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def texts():
    rng = random.Random(7)
    rows = list(HAND)
    while len(rows) < 170:
        if rng.random() < 0.4:
            rows.append("".join(rng.choice([" ", "  ", "\n", "\t", "'", ".", ",", "12", "<s>", "▁", *WORDS]) for _ in range(rng.randint(1, 14))))
            continue
        out = []
        for _ in range(rng.randint(1, 5)):
            low, high = rng.choice(BLOCKS)
            out += [chr(rng.randrange(low, high)) for _ in range(rng.randint(1, 5))] + [rng.choice(["", " ", "\n", "'s"])]
        rows.append("".join(out))
    return rows


def corpus():
    users = json.loads((EXAMPLE / "users/three.json").read_text())
    return [item["description"] for user in users for item in user["profile"]] + [" ".join(WORDS)] * 8


def byte_level(ignores_merges, as_strings):
    tok = Tokenizer(models.BPE(ignore_merges=ignores_merges))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False))
    tok.add_special_tokens([AddedToken(t, special=True) for t in ("<|begin_of_text|>", "<|end_of_text|>")])
    tok.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", tok.token_to_id("<|begin_of_text|>"))])
    file = json.loads(tok.to_str())
    if ignores_merges:  # words that no merge leads to, which only ignore_merges finds
        at = file["model"]["merges"].index(next(m for m in file["model"]["merges"] if "".join(m) == "Ġpackage"))
        del file["model"]["merges"][at]
    if as_strings: file["model"]["merges"] = [" ".join(m) for m in file["model"]["merges"]]
    return file


def sentence_piece():
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=out, model_type="bpe", vocab_size=520, byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        character_coverage=0.99, add_dummy_prefix=True, split_digits=True, allow_whitespace_only_pieces=True, minloglevel=2)
    return out.getvalue()


def converted(folder, model, legacy):
    """The model file's tokenizer.json as transformers saves it, and its older form."""
    (folder / "tokenizer.model").write_bytes(model)
    tok = transformers.LlamaTokenizer.from_pretrained(folder)
    file = json.loads(tok.backend_tokenizer.to_str())
    (folder / "tokenizer.model").unlink()
    if legacy:
        file["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
        file["pre_tokenizer"] = None
    return file


def save(name, file):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")))


def expected(path, rows, bos):
    tok = Tokenizer.from_file(str(path))
    tok.encode_special_tokens = True
    ids = [tok.encode(text, add_special_tokens=False).ids for text in rows]
    ids_of_bytes = [tok.token_to_id(name) for name in BYTES] if tok.token_to_id(BYTES[0]) else []
    return {"bos": bos, "ids": ids, "decoded": [tok.decode(i) for i in ids], "drawn": drawn(bos, range(tok.get_vocab_size()), tok.decode, ids_of_bytes)}


def drawn(bos, known, decode, ids_of_bytes=()):
    """Decodings of ids that no text gives: any ids, runs of bytes that are no text or only in part, special tokens between."""
    rng = random.Random(3)
    rows = []
    for _ in range(120):
        row, length = [], rng.randint(1, 12)
        while len(row) < length:
            kind = rng.random()
            if kind < 0.5 and ids_of_bytes:
                run = bytearray(chr(rng.randrange(*rng.choice(BLOCKS))).encode())
                if rng.random() < 0.6: run = run[: rng.randint(1, len(run))] if rng.random() < 0.5 else bytearray([rng.randrange(0x80, 0x100)])
                row += [ids_of_bytes[byte] for byte in run]
            else: row.append(bos if kind > 0.95 else rng.choice(known))
        rows.append(row)
    return {"ids": rows, "decoded": [decode(row) for row in rows]}


def classes():
    scalars = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    text = "".join(map(chr, scalars))
    found = {}
    for name, pattern in {"letters": r"\p{L}", "numbers": r"\p{N}", "blanks": r"\s"}.items():
        outside = pre_tokenizers.Split(Regex(pattern + "+"), "removed").pre_tokenize_str(text)
        edges = [(0, 0)] + [span for _, span in outside] + [(len(text), len(text))]
        ranges = []
        for (_, end), (start, _) in zip(edges, edges[1:]):
            for at in range(end, start):
                if ranges and ranges[-1][1] == scalars[at] - 1: ranges[-1][1] = scalars[at]
                else: ranges.append([scalars[at], scalars[at]])
        found[name] = ranges
    return found


def main():
    rows = texts()
    save("byte-level-pairs", byte_level(True, False))
    save("byte-level-strings", byte_level(False, True))
    model = sentence_piece()
    folder = HERE / "sentencepiece"
    folder.mkdir(exist_ok=True)
    for legacy, name in [(True, "legacy"), (False, "metaspace")]:
        save(name, converted(folder, model, legacy))
    (folder / "tokenizer.model").write_bytes(model)
    special = lambda name: Tokenizer.from_file(str(HERE / name / "tokenizer.json")).token_to_id("<|begin_of_text|>" if name.startswith("byte") else "<s>")
    forms = {name: expected(HERE / name / "tokenizer.json", rows, special(name)) for name in ("byte-level-pairs", "byte-level-strings", "legacy", "metaspace")}
    forms["example"] = expected(EXAMPLE / "models/debian-llama-4m/tokenizer.json", rows, json.loads((EXAMPLE / "models/debian-llama-4m/config.json").read_text())["bos_token_id"])
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    ids = [pieces.encode(text) for text in rows]
    forms["sentencepiece"] = {"bos": pieces.bos_id(), "ids": ids, "decoded": [pieces.decode(i) for i in ids]}
    known = [i for i in range(pieces.get_piece_size()) if i != pieces.unk_id()]  # which SentencePiece shows as " \u2047 "
    forms["sentencepiece"]["drawn"] = drawn(pieces.bos_id(), known, pieces.decode, [pieces.piece_to_id(name) for name in BYTES])
    dump = lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("],[", "],\n[") + "\n"
    (HERE / "expected.json").write_text(dump({"texts": rows, "forms": forms}))
    (HERE / "classes.json").write_text(json.dumps(classes(), separators=(",", ":")) + "\n")
    versions = {"python": platform.python_version(), **{m.__name__: m.__version__ for m in (sentencepiece, tokenizers, transformers)}}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main()
