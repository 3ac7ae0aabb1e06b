#!/usr/bin/env python3
"""Makes the fixtures of TasksTests: what Python's own functions, rank_bm25, rouge_score, scikit-learn, str.format and the
peer's history_data() give. Needs rank-bm25, rouge-score, scikit-learn, numpy.

usage: make-fixtures.py --prime prompt.json --oppu prompt.json --peer prime_peer.py --debian FOLDER --ready FOLDER
  --prime, --oppu   the authors' prompt files: github kykim0/PriME and TamSiuhin/OPPU, prompt/prompt.json
  --peer            a module with history_data() and query_data() (imported with its model libraries stubbed)
  --debian, --ready the Debian benchmark's folder and the peer's ready users
"""
import argparse, hashlib, importlib.metadata, importlib.util, json, os, platform, random, re, sys, types
import numpy as np
from rank_bm25 import BM25Okapi
from rouge_score import rouge_scorer, tokenize
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error

HERE = os.path.dirname(os.path.abspath(__file__))
MARKERS = {"movie_tagging": "] description: ", "news_categorize": "] article: ",
           "news_headline": "Generate a headline for the following article: ",
           "product_rating": "without further explanation. review: ",
           "scholarly_title": "Generate a title for the following abstract of a paper: ",
           "tweet_paraphrase": "Paraphrase the following tweet without any explanation before or after it: "}
INPUTS = {"movie_tagging": "Which tag does this movie relate to? tags: [sci-fi, comedy] description: ",
          "news_categorize": "Which category? categories: [travel, crime] article: ",
          "news_headline": "Generate a headline for the following article: ",
          "product_rating": "What is the score? just answer with 1, 2, 3, 4, or 5 without further explanation. review: ",
          "scholarly_title": "Generate a title for the following abstract of a paper: ",
          "tweet_paraphrase": "Paraphrase the following tweet without any explanation before or after it: "}
FIELDS = {"citation": ("title", "citation"), "movie_tagging": ("description", "tag"), "news_categorize": ("text", "category"),
          "news_headline": ("text", "title"), "product_rating": ("text", "score"), "scholarly_title": ("abstract", "title"),
          "tweet_paraphrase": ("text",)}
RETRIEVES = {"movie_tagging", "news_headline", "product_rating", "scholarly_title"}
LABELS = {"movie_tagging": "sci-fi, based on a book, comedy, action, twist ending, dystopia, dark comedy, classic, psychology, fantasy, romance, thought-provoking, social commentary, violence, true story".split(", "),
          "news_categorize": "food & drink, sports, education, parents, religion, travel, business, crime, science & technology, culture & arts, entertainment, politics, women, style & beauty, healthy living".split(", ")}
SPACES = [" ", "  ", "\n", "\t", " ", "\u2003", "\x1c", "\u3000 ", "\u0085", "\u2028", "\r\n"]
ODD = ["{}", "{title}", "{{", "}", "[1]", "\"", "é", "e\u0301", "日本語", "\U0001F600", "K", "İstanbul", "ﬁ", "naïve", "ß", "-", "'s", "\u0301x", "\u200b", "\ufeff", "A\u030a", "Ω", "½", "٣"]
WORDS = "the a of in model language user film paper good bad privacy evolution merge adapter review great star city war love data learning neural network graph".split()


def text(rng, length, odd=0.12):
    out = ""
    for n in range(length):
        out += (rng.choice(SPACES) if rng.random() < 0.1 else " ") if n else ""
        out += rng.choice(ODD) if rng.random() < odd else rng.choice(WORDS)
    return out


def first(value, k): return " ".join(value.split()[:k]) if isinstance(value, str) else value


def cut(item, k): return {key: first(value, k) for key, value in item.items()}


def examples(task, templates, user, profile):
    """the history prompts: reference semantics, written anew over str.format"""
    out, items = [], [cut(p, 768) for p in user["profile"][-50:]]
    for n, q in enumerate(items):
        prompt, full = templates["OPPU_input"].format(**q), templates["OPPU_full"].format(**q)
        row = {"id": f"u{user['user_id']}-{q['id']}", "item": str(q["id"]), "prompt": prompt, "answer": full[len(prompt):].strip()}
        out.append(row)
        if n and task in RETRIEVES:
            documents = [templates["retrieval_history"].format(**cut(p, 368)) for p in items[:n]]
            scores = BM25Okapi([d.split(" ") for d in documents]).get_scores(templates["retrieval_query"].format(**q).split(" "))
            hit = documents[np.argsort(scores, kind="stable")[::-1][0]]
            out.append({**row, "id": row["id"] + "-k1-p", "prompt": f"### User Profile:\n{profile}\n\n### User History:\n{hit}\n\n{prompt}"})
    return out


def query_prompt(task, templates, text):
    if task == "citation":
        parts = [re.search(r'written the paper with the title "([^"]*)"', text)] + [re.search(r"\[%d\]: \"([^\"]*)\"" % n, text) for n in (1, 2)]
        return templates["prompt"].format(*(p.group(1) for p in parts))
    return templates["prompt"].format(text[text.index(MARKERS[task]) + len(MARKERS[task]):])


def lamp(prime, oppu):
    rng, out = random.Random(1), []
    for task in FIELDS:
        templates, users = prime.get(task) or oppu[task], []
        for name, count in ((7, 9), ("u-2", 2)):
            profile = []
            for n in range(count):
                long = 900 if (n == 1 and name == 7) else rng.randint(0 if n == 3 else 1, 14)
                item = {f: text(rng, long if k == 0 else rng.randint(1, 5)) for k, f in enumerate(FIELDS[task])}
                if task == "product_rating": item["score"] = rng.choice([str(n % 5 + 1), n % 5 + 1, 4.0])
                if task in LABELS: item[FIELDS[task][1]] = rng.choice(LABELS[task])
                profile.append({"id": n if n % 2 else f"i{n}", **item, "date": "2020-01-0%d" % (n + 1)})
            queries = []
            for n in range(3):
                if task == "citation":
                    value = f'For an author who has written the paper with the title "{text(rng, 5).replace(chr(34), "")}", which reference is related? Just answer with [1] or [2] without explanation. [1]: "{text(rng, 4).replace(chr(34), "")}" [2]: "{text(rng, 4).replace(chr(34), "")}"'
                else:
                    value = INPUTS[task] + text(rng, 8) + (" " + MARKERS[task] + "again" if n == 2 else "")
                queries.append({"id": f"q{n}", "input": value})
            user, about = {"user_id": name, "profile": profile, "query": queries}, text(rng, 6)
            users.append({"user": json.dumps({**user, "profile_text": about}), "examples": examples(task, templates, user, about),
                          "prompts": [{"id": q["id"], "text": query_prompt(task, templates, q["input"])} for q in queries],
                          "embedding": [templates["retrieval_history"].format(**cut(p, 368)) for p in profile]})
        out.append({"task": task, "users": users})
    return out


def load_peer(path):
    for name in ("nevergrad", "torch", "peft", "safetensors", "safetensors.torch", "transformers", "transformers.cache_utils"):
        stub = types.ModuleType(name)
        stub.__getattr__ = lambda key: None if key.startswith("__") else (lambda *a, **k: (lambda f: f))
        sys.modules[name] = stub
    spec = importlib.util.spec_from_file_location("peer", path)
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    return module


def digest(rows):
    """FNV-1a over id, prompt, gold of every row, each followed by a zero byte"""
    h = 0xcbf29ce484222325
    for row in rows:
        for key in ("id", "prompt", "gold"):
            for byte in str(row.get(key, "")).encode() + b"\0": h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{h:016x}"


def debian(peer, data, ready):
    prompts, out = json.load(open(f"{data}/prompt.json")), []
    for task, name in (("package_section", 141), ("package_section", 78), ("package_synopsis", 78)):
        whole = json.load(open(f"{ready}/{task}-user_{name}.json"))
        user, profile = whole["user"], whole["profile_text"]
        short = {"user_id": user["user_id"], "profile": user["profile"][:12], "query": [{"id": q["id"], "input": q["input"]} for q in user["query"]]}
        queries = peer.query_data(short, prompts[task], peer.MARKERS[task])
        row = {"task": task, "user": json.dumps({**short, "profile_text": profile}), "queries": queries}
        for key, formatted in (("plain", False), ("formatted", True)):
            rows = peer.history_data(short, prompts[task], profile, 50, formatted)
            row[key] = {"digest": digest(rows), "count": len(rows), "last": rows[-1]["prompt"]}
        out.append(row)
    return out


def metrics(data):
    rng, out = random.Random(2), []
    scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"])

    def add(kind, labels, predictions, references, values):
        out.append({"kind": kind, "labels": labels, "predictions": predictions, "references": references, "values": [float(v) for v in values]})

    def classify(labels, predictions, references):
        at = {l: n for n, l in enumerate(labels)}
        p, g = [[at.get(x.strip(), -1) for x in xs] for xs in (predictions, references)]
        add("classification", labels, predictions, references,
            [accuracy_score(g, p), f1_score(g, p, labels=list(range(len(at))), average="macro", zero_division=0)])

    for n in range(12):
        labels = LABELS["movie_tagging"] if n % 2 else ["[1]", "[2]"]
        texts = labels + ["none", labels[0].upper(), " " + labels[1] + "\n", ""] * (1 + n % 3)
        size = rng.choice([1, 2, 7, 40])
        classify(labels, [rng.choice(texts) for _ in range(size)], [rng.choice(labels if n < 8 else texts) for _ in range(size)])

    def rate(predictions, references):
        def number(x, y):
            try: v = float(x)
            except ValueError: v = float("nan")
            if np.isfinite(v): return v
            try: y = float(y)
            except ValueError: return 2.5
            if not np.isfinite(y): return 2.5
            return 1.0 if abs(1 - y) > abs(5 - y) else 5.0
        p, g = [number(x.strip(), y.strip()) for x, y in zip(predictions, references)], [number(x.strip(), x.strip()) for x in references]
        add("ordinal", ["1", "2", "3", "4", "5"], predictions, references, [mean_absolute_error(g, p), mean_squared_error(g, p) ** 0.5])

    answers = ["1", "2", "3", "4", "5", " 4\n", "4.5", "five", "", "1e0", "٣", "3 stars", "+2", "-1", "nan", "inf", "1_0", "5."]
    for n in range(10):
        size = rng.choice([1, 3, 30])
        rate([rng.choice(answers) for _ in range(size)], [rng.choice(answers if n > 5 else answers[:5]) for _ in range(size)])

    def rouge(predictions, references):
        s = [scorer.score(g.strip(), p.strip()) for p, g in zip(predictions, references)]
        add("generation", [], predictions, references, [np.mean([x["rouge1"].fmeasure for x in s]), np.mean([x["rougeL"].fmeasure for x in s])])

    for n in range(10): rouge([text(rng, rng.randint(0, 30), 0.3) for _ in range(5)], [text(rng, rng.randint(0, 30), 0.3) for _ in range(5)])
    rouge([text(rng, size) for size in (63, 64, 65, 128, 200)], [text(rng, size) for size in (64, 64, 130, 127, 65)])
    titles = [p["title"] for u in json.load(open(f"{data}/package_synopsis/user_anchor_candidate.json"))[:6] for p in u["profile"][:12]]
    for step in (1, 5): rouge(titles, titles[step:] + titles[:step])
    return out


def bm25(data):
    rng, out = random.Random(3), []
    texts = [p["description"] for u in json.load(open(f"{data}/package_section/user_anchor_candidate.json"))[:3] for p in u["profile"][:8]]
    for n in range(14):
        if n < 10:
            size = [1, 2, 2, 3, 5, 8, 16, 17, 30, 40][n]
            documents, query = [text(rng, rng.randint(0, 20)) for _ in range(size)], text(rng, rng.randint(0, 8))
            if n in (5, 9): documents[-1] = documents[0]
        else:
            documents, query = texts[n - 10:n + 6], texts[-(n - 9)]
        scores = BM25Okapi([d.split(" ") for d in documents]).get_scores(query.split(" "))
        out.append({"documents": documents, "query": query, "scores": scores.tolist(), "order": np.argsort(scores, kind="stable")[::-1].tolist()})
    return out


def python_texts():
    """what Python's own text functions give"""
    rng = random.Random(4)
    floats = ["1", " 2 ", "+3", "-4.5", "5.", ".5", "1e3", "1E-2", "1_000", "1__0", "_1", "1_", "1_.5", "0x10", "nan", "inf", "-Infinity", "1e999", "", " ",
              "1 2", "٣", "１２.５", "1,5", "five", "5 stars", "1e", "e1", "--1", "+-1", "1e+5", "1e_5", "1e1_0", "\u30003\u3000", "3\x00", "²", "½", "0b1", "1f", "infinit", "9" * 400]
    def number(x):
        try: v = float(x)
        except ValueError: return None
        return v if np.isfinite(v) else None
    every = [chr(c) for c in range(0x3100) if not 0xD800 <= c < 0xE000]
    words = ["Kelvin", "İİx", "İ", "xKy", "ABC-def_9", "ſtop", "Ǆ", "ß1", "É1é", "e\u0301f", "", "日本 a1", "ﬀ"] + [text(rng, 12, 0.6) for _ in range(10)]
    return {"spaces": [ord(c) for c in every if c.isspace()], "floats": [[x, number(x)] for x in floats],
            "split": [[x, " ".join(x.split()[:5]), x.strip()] for x in ["", " ", "\u200b a", "\x1fa\x1f", *(rng.choice(SPACES) + text(rng, 9) + rng.choice(SPACES) for _ in range(12))]],
            "rouge": [[x, tokenize.tokenize(x, None)] for x in words],
            "rouge_alphabet": [ord(c) for c in every if tokenize.tokenize(c, None)],
            "numbers": [[x, str(json.loads(x))] for x in ["0", "-0", "12", "-7", "4.0", "4.50", "1e3", "1E16", "1e15", "1e-5", "0.0001", "-0.0", "123456789012345678901234567890", "0.1", "1.7976931348623157e308"]]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("prime", "oppu", "peer", "debian", "ready"): p.add_argument("--" + name, required=True)
    args = p.parse_args()
    made = {"lamp": lamp(json.load(open(args.prime)), json.load(open(args.oppu))),
            "debian": debian(load_peer(args.peer), args.debian, args.ready),
            "metrics": metrics(args.debian), "bm25": bm25(args.debian), "python": python_texts()}
    for name, value in made.items():
        with open(f"{HERE}/{name}.json", "w") as f: json.dump(value, f, indent=0, ensure_ascii=True); f.write("\n")
    sha = lambda path: hashlib.sha256(open(path, "rb").read()).hexdigest()
    manifest = {"made_by": "make-fixtures.py", "python": platform.python_version(),
                "packages": {n: importlib.metadata.version(n) for n in ("numpy", "rank-bm25", "rouge-score", "scikit-learn")},
                "sources": {"PriME prompt/prompt.json": sha(args.prime), "OPPU prompt/prompt.json": sha(args.oppu), "prime_peer.py": sha(args.peer), "debian prompt.json": sha(f"{args.debian}/prompt.json")},
                "files": {f"{n}.json": sha(f"{HERE}/{n}.json") for n in made}}
    json.dump(manifest, open(f"{HERE}/manifest.json", "w"), indent=1); open(f"{HERE}/manifest.json", "a").write("\n")


if __name__ == "__main__":
    main()
