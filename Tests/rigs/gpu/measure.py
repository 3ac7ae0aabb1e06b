"""What primed promises of a GPU, measured on one: run in a checkout on a machine with a GPU, PyTorch, transformers and PEFT.

usage: python measure.py ARCHIVE OUT PART... [--shape llama-2-7b] [--device cuda:0] [--deadline SECONDS]

ARCHIVE is what `pack` made. OUT gets each part's output as PART.txt, and summary.txt a line a check with its figures. The parts:
  doctor       what primed and the driver say of the machine
  conformance  every operation against double precision, the models' fixtures, and the device's memory over 1,000 jobs
  sanitizer    primed's kernels in the same operations under compute-sanitizer, and a device's memory under its leak check
  parity       greedy tokens against transformers in bf16: the example's model and tiny random ones
  job          a whole job on the CPU and, twice, on the GPU: the same bytes on one device, the same choices on both
  bench        a whole job, products' rates and the cost of populations in a --shape, with 64 items and with 10
  budgets      the same job under several token budgets
  peer         an evaluation by the peer on the same prompts, with its own best batch
  reference    the same as the authors decode
What is not done by the deadline is cut off and said to be. Sites and a bench's reports stay in the folder --scratch, so that
parts may come in runs of their own. Exit 0 when every check holds.
"""

import argparse, hashlib, json, os, pathlib, shutil, signal, subprocess, sys, tarfile, time, traceback

ROOT = pathlib.Path(__file__).resolve().parents[3]
RIGS, EXAMPLE = ROOT / "Tests/rigs", ROOT / "examples/debian"
POOL = "package_section"


class Machine:
    """The unpacked archive, and the checks so far."""

    def __init__(self, a):
        self.a, self.out, self.lines, self.failed = a, a.out, [], False
        self.end = time.monotonic() + a.deadline
        self.scratch = a.scratch
        self.pack = self.scratch / "pack"
        shutil.rmtree(self.pack, ignore_errors=True)
        with tarfile.open(a.archive) as archive:
            archive.extractall(self.pack, filter="data")
        self.out.mkdir(parents=True, exist_ok=True)
        self.primed = str(self.scratch / "primed")
        # Only primed gets the libraries that came along: Python has its own.
        pathlib.Path(self.primed).write_text(
            f'#!/bin/sh\nLD_LIBRARY_PATH={self.pack}/tests:$LD_LIBRARY_PATH exec {self.pack}/primed "$@"\n'
        )
        os.chmod(self.primed, 0o755)
        built = pathlib.Path((self.pack / "root").read_text().strip())
        if not built.exists():
            built.parent.mkdir(parents=True, exist_ok=True)
            built.unlink(missing_ok=True)  # a link to a checkout that is gone
            built.symlink_to(ROOT)
        self.kernels = self.scratch / "gpu"
        self.kernels.mkdir(exist_ok=True)
        os.environ.update(
            PRIMED_KERNELS=str(self.scratch / "kernels"),
            **{f"PRIMED_{name.upper()}": str(self.scratch / name) for name in ("inbox", "work", "outbox")},
            HF_HUB_OFFLINE="1",
            TRANSFORMERS_OFFLINE="1",
            PYTHONUNBUFFERED="1",
        )

    def note(self, part, holds, text):
        self.failed |= holds is False
        self.lines.append(f"{'ok  ' if holds else 'FAIL' if holds is False else '    '}  {part:12} {text}")
        print(self.lines[-1], flush=True)
        (self.out / "summary.txt").write_text("\n".join(self.lines) + "\n")

    def left(self):
        return self.end - time.monotonic()

    def run(self, part, command, limit=None, **environment):
        """What the command printed, and whether it ended well in its time."""
        start, said = time.monotonic(), self.scratch / "said"
        limit = min(limit or self.left(), self.left())
        if limit < 5:
            self.note(part, False, f"no time is left for {pathlib.Path(str(command[0])).name}")
            return "", False
        with open(self.out / f"{part}.txt", "a") as log, open(said, "w") as out:
            log.write(f"$ {' '.join(map(str, command))}\n")
            log.flush()
            # A group of its own, so that nothing of it stays on the device.
            process = subprocess.Popen(
                list(map(str, command)), stdout=out, stderr=log, env={**os.environ, **environment}, start_new_session=True
            )
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                self.note(part, False, f"cut off after {limit:.0f} s, see {part}.txt")
            text = said.read_text(errors="replace")
            log.write(text)
        if code:
            self.note(part, False, f"exit {code} after {time.monotonic() - start:.0f} s, see {part}.txt")
        return text, code == 0

    def site(self, shape, items, answer):
        start, folder = time.monotonic(), self.scratch / "sites" / f"{shape}-{items}-{answer}"
        if not (folder / "ready.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            words = [shape, folder, "--items", items, "--answer", answer]
            alike = [made.parent for made in folder.parent.glob(f"{shape}-*/ready.json")]
            words += ["--like", alike[0]] if alike else []
            if not self.run("site", [sys.executable, RIGS / "gpu/shape.py", *words])[1]:
                raise RuntimeError(f"no site of {shape}")
            self.note("site", None, f"{shape} made in {time.monotonic() - start:.0f} s")
        return folder


def alike(line):
    """Whether a file is what it was when the archive was made: `HASH  PATH`."""
    wanted, path = line.split("  ", 1)
    file = ROOT / path
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == wanted


def doctor(m):
    # What else it fails is none of the GPU's.
    words = ["sh", "-c", '"$@" || true', "sh", m.primed, "doctor", "--config", ROOT / "etc/primed.json5"]
    out, well = m.run("doctor", words, PRIMED_DEVICES=m.a.device)
    found = [line[6:] for line in out.splitlines() if m.a.device in line and "compute capability" in line]
    m.note("doctor", well and bool(found), "; ".join(found) or "nothing about a GPU")
    wrong = [line for line in (m.pack / "sources").read_text().splitlines() if not alike(line)]
    m.note("doctor", not wrong, f"the archive is of {'this checkout' if not wrong else f'other sources: {wrong[0]} and more'}")
    disk = shutil.disk_usage(m.scratch)
    m.note("doctor", None, f"{disk.free >> 30} of {disk.total >> 30} GiB are free in {m.scratch}; a site of 7B takes 14")
    if shutil.which("nvidia-smi"):
        m.run("doctor", ["nvidia-smi", "-q"])
    versions = "; ".join(f"print({p!r}, {p}.__version__)" for p in ("torch", "transformers", "peft", "safetensors"))
    m.run("doctor", [sys.executable, "-c", f"import torch, transformers, peft, safetensors; {versions}"])


def tests(m, part, filter, before=(), limit=None, **environment):
    program = m.pack / "tests/primedPackageTests.xctest"
    out, well = m.run(
        part,
        ["sh", "-c", 'exec "$@" 2>&1', "sh", *before, program, "--testing-library", "swift-testing", "--filter", filter],
        limit,
        LD_LIBRARY_PATH=f"{m.pack}/tests:{os.environ.get('LD_LIBRARY_PATH', '')}",
        PRIMED_REAL_GPU=str(m.kernels),
        **environment,
    )
    ended = [line[line.index("Test run") :] for line in out.splitlines() if "Test run with" in line]
    if well:
        m.note(part, bool(ended) and " 0 tests" not in ended[-1], f"{filter}: {ended[-1] if ended else 'no test ran'}")
    return out


def conformance(m):
    tests(m, "conformance", "ComputeTests.ConformanceTests", limit=200)
    tests(m, "conformance", "(ParityTests|NumberFormatTests)", limit=100)
    tests(m, "conformance", "DeviceMemoryTests/steady", limit=200, PRIMED_JOBS=str(m.a.jobs))


def sanitizer(m):
    """Its own summary is judged; NVIDIA's kernels, and calls that a test lets fail, are left out."""
    program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not os.access(program, os.X_OK):
        m.note("sanitizer", False, "compute-sanitizer is not here")
        return
    layers, steady = r"ComputeTests.ConformanceTests/(decoding\(|layers\()", "DeviceMemoryTests/steady"
    kinds = [(["memcheck"], layers), (["racecheck"], layers), (["synccheck"], layers)]
    for tool, filter in kinds + [(["memcheck", "--leak-check", "full"], steady)]:
        before = [program, "--tool", *tool, "--kernel-name", "kns=pcu_", "--report-api-errors", "no"]
        before += ["--error-exitcode", "9", "--target-processes", "application-only"]
        out = tests(m, "sanitizer", filter, before, limit=m.a.sanitize)
        said = [line.strip("= ") for line in out.splitlines() if "SUMMARY" in line]
        clean = bool(said) and all(" 0 " in line for line in said)
        if "Device not supported" in out:
            m.note("sanitizer", None, "it does not run on this machine")
            return
        m.note("sanitizer", clean, f"{' '.join(tool)}: {'; '.join(said) or 'no summary'}")


def parity(m):
    sharers = [f"user_{n}" for n in (1, 2, 3)]
    sites = [(EXAMPLE / "models/debian-llama-4m", EXAMPLE / "pools" / POOL, m.pack / "users.json", m.pack / "prompts.json", [])]
    for shape in ("tiny-2", "tiny-3.1", "tiny-3.2"):
        site = m.site(shape, items=200, answer=0)
        sites.append(
            (
                site / "models" / shape,
                site / "models/sharers" / POOL,
                site / "users.json",
                site / "data/prompt.json",
                ["--sharers", *sharers],
            )
        )
    for model, pool, users, form, more in sites:
        out, well = m.run(
            "parity",
            [
                sys.executable,
                RIGS / "greedy-parity.py",
                "--primed",
                m.primed,
                "--model",
                model,
                "--pool",
                pool,
                "--users",
                users,
                "--form",
                form,
                "--device",
                m.a.device,
                "--dtype",
                "bfloat16",
                "--count",
                # Of the random ones, which seldom end an answer, a quarter: three sharers and the base answer each.
                m.a.count // 4 if more else m.a.count,
                *more,
            ],
        )
        m.note("parity", well, f"{model.name}: {out.splitlines()[-1] if out else 'no figures'}")


def stored_as_float32(m):
    """A copy of the example whose model is stored in float32, which the GPU then computes in, too."""
    from safetensors.torch import load_file, save_file

    copy = m.scratch / "float32"
    if not copy.exists():
        shutil.copytree(EXAMPLE, copy)
        model = copy / "models/debian-llama-4m"
        tensors = {name: t.float() for name, t in load_file(model / "model.safetensors").items()}
        save_file(tensors, model / "model.safetensors", metadata=dict(format="pt"))
        config = (model / "config.json").read_text()
        (model / "config.json").write_text(config.replace('"bfloat16"', '"float32"'))
    return copy


def job(m):
    for kind, example in ("bf16", EXAMPLE), ("float32", stored_as_float32(m)):
        site = m.scratch / "job" / kind
        shutil.rmtree(site, ignore_errors=True)
        site.mkdir(parents=True)
        named = ("models", "pools", "tasks")
        folders = dict({name: str(example / name) for name in named}, histories=str(example / "users"))
        (site / "primed.json5").write_text(json.dumps(dict(folders, inbox="inbox", work="work", outbox="outbox")))
        users = ["78", "114", "141"][: m.a.users]
        manifest = dict(json.loads((EXAMPLE / "bench.json").read_text()), id="parity", targets="three.json", only=users)
        (site / "parity.json").write_text(json.dumps(manifest))
        found = {}
        for name, device in ("cpu", "cpu"), ("gpu", m.a.device), ("again", m.a.device):
            command = [m.primed, "run", site / "parity.json", "--config", site / "primed.json5"]
            if not m.run("job", [*command, "--device", device, "--outbox", site / name])[1]:
                return
            targets = json.loads((site / name / "parity/result.json").read_text())["targets"]
            predictions = lambda user: (site / name / "parity" / user / "predictions.jsonl").read_text().splitlines()
            found[name] = {t["user"]: (t["weights"], predictions(t["user"])) for t in targets}
        m.note("job", found["gpu"] == found["again"], f"{kind}: twice on the GPU, the same weights and predictions")
        for user in users:
            compare(m, kind, site, manifest, user, found["cpu"][user], found["gpu"][user])


def compare(m, kind, site, manifest, user, cpu, gpu):
    """The same weights, or, where a near-tie sent the search elsewhere, ones that the CPU finds worth as much."""
    same = f"{len(set(cpu[1]) & set(gpu[1]))} of {len(cpu[1])} predictions the same"
    if cpu[0] == gpu[0]:
        m.note("job", len(set(cpu[1]) & set(gpu[1])) >= 0.98 * len(cpu[1]), f"{kind}, user {user}: the same weights, {same}")
        return
    (site / "one.json").write_text(json.dumps(dict(manifest, only=[user])))
    command = [m.primed, "bench", site / "one.json", "--config", site / "primed.json5", "--device", "cpu", "--json"]
    for weights in cpu[0], gpu[0]:
        command.append("--weights=" + ",".join(map(str, weights)))
    out, well = m.run("job", command)
    if not well:
        return
    utilities = [scores["utility"] for scores in json.loads(out)]
    history = next(u for u in json.loads((EXAMPLE / "users/three.json").read_text()) if str(u["user_id"]) == user)["profile"]
    # Accuracy and F1 add up: an item more or less may be worth two shares of the history.
    m.note(
        "job",
        utilities[1] >= utilities[0] - 2 / len(history),
        f"{kind}, user {user}: weights {gpu[0]} where the CPU has {cpu[0]}; the CPU gives them a utility of {utilities[1]:.4f} "
        f"and {utilities[0]:.4f}, over {len(history)} items; {same}",
    )


def measured(m, part, manifest, anew=False, **environment):
    """What `primed bench` reports of a manifest of the site, once for the parts that ask alike."""
    site = m.site(m.a.shape, m.a.items, m.a.answer)
    kept = site / f"report-{'-'.join([manifest, *environment.values()])}.json"
    if anew or not kept.exists():
        kept.unlink(missing_ok=True)
        # The one bar that is about populations is the short history's.
        populations = "1,5,10,20,40" if manifest == "ten" else "none"
        command = [m.primed, "bench", "--json", "--rounds", m.a.rounds, "--populations", populations]
        command += ["--device", m.a.device, "--config", site / "primed.json5", site / f"{manifest}.json"]
        out, well = m.run(part, command, **environment)
        if not well:
            return None
        kept.write_text(out)
    return json.loads(kept.read_text())


def figures(report):
    """Seconds of an evaluation: of the base and three sharers, of the budget's ten; and of the queries."""
    s = report["seconds"]
    return dict(references=s["references"] / 4, search=s["search"] / 10, queries=s["queries"])


def bench(m):
    for manifest in ("all", "ten"):
        r = measured(m, "bench", manifest, anew=True)
        if r is None:
            return
        large = r["largeRate"]
        each = figures(r)
        m.note(
            "bench",
            None,
            f"{manifest}: an evaluation {each['references']:.3f} s (references), {each['search']:.3f} s (search); queries {each['queries']:.3f} s; load {r['seconds']['load']:.0f} s",
        )
        m.note(
            "bench",
            None,
            f"{manifest}: large product {large / 1e3:.0f} TFLOP/s; job {r['job']['rate'] / large:.0%} of it in products, {100 * r['job']['products']:.0f}% of the time",
        )
        for name in ("prefill", "decode"):
            if w := r.get(name):
                m.note(
                    "bench",
                    w["rate"] >= 0.6 * large if (name, manifest) == ("prefill", "all") else None,
                    f"{manifest}: {name} {w['tokens']:.0f} tokens/s, products {w['rate'] / large:.0%} of large in {100 * w['products']:.0f}% of the time, {w['traffic']:.0f} GB/s",
                )
        if why := r.get("decodeRefusal"):
            m.note("bench", False, f"decoding ran call by call: {why}")
        for p in r["populations"]:
            one = r["populations"][0]["seconds"]
            m.note(
                "bench",
                p["candidates"] * one / p["seconds"] >= 3 if (p["candidates"], manifest) == (10, "ten") else None,
                f"{manifest}: {p['candidates']:2} candidates {p['seconds']:.3f} s, {p['candidates'] * one / p['seconds']:.1f} times cheaper than one by one",
            )


def budgets(m):
    for tokens in (2048, 4096, 8192, 16384):
        if r := measured(m, "budgets", "all", PRIMED_TOKEN_BUDGET=str(tokens)):
            m.note(
                "budgets",
                None,
                f"{tokens} tokens: search {figures(r)['search']:.3f} s an evaluation, prefill {r['prefill']['rate'] / r['largeRate']:.0%} of large",
            )


def peer(m, reference=False):
    part = "reference" if reference else "peer"
    r = measured(m, part, "all")
    if r is None:
        return
    command = [sys.executable, RIGS / "gpu/peer-rates.py", "--peer", m.pack / "prime_peer.py", "--shape", m.a.shape]
    command += ["--site", m.site(m.a.shape, m.a.items, m.a.answer), "--device", m.a.torch, "--seconds", m.left() / 3]
    out, well = m.run(part, command + (["--reference"] if reference else []))
    if not well:
        return
    best = min(json.loads(out.splitlines()[-1])["runs"], key=lambda r: r["evaluation"])
    each, bar = figures(r), 100 if reference else 5
    m.note(
        part,
        best["evaluation"] / each["search"] >= bar,
        f"batch {best['batch']}, adapters in {best['adapters']}: {best['evaluation']:.2f} s an evaluation, queries {best['queries']:.2f} s; primed is {best['evaluation'] / each['references']:.1f} times faster in the "
        f"references, {best['evaluation'] / each['search']:.1f} in the search, {best['queries'] / each['queries']:.1f} in the queries",
    )


PARTS = dict(
    doctor=doctor,
    conformance=conformance,
    sanitizer=sanitizer,
    parity=parity,
    job=job,
    bench=bench,
    budgets=budgets,
    peer=peer,
    reference=lambda m: peer(m, reference=True),
)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("archive")
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("parts", nargs="+", choices=PARTS)
    p.add_argument("--shape", default="llama-2-7b")
    p.add_argument("--items", type=int, default=64)
    p.add_argument("--answer", type=int, default=8)
    p.add_argument("--device", default="cuda:0")
    p.add_argument("--torch", default="cuda", help="the peer's device")
    p.add_argument("--deadline", type=float, default=560, help="seconds for all parts")
    p.add_argument("--sanitize", type=float, default=90, help="seconds for each of the sanitizer's tools")
    p.add_argument("--scratch", type=pathlib.Path, default=f"/tmp/primed-gpu-{os.getuid()}", help="a run at a time")
    p.add_argument("--count", type=int, default=200, help="prompts of a parity")
    p.add_argument("--users", type=int, default=3, help="of the whole job")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--jobs", type=int, default=1000, help="that the device's memory is watched over")
    p.add_argument("--keep-going", action="store_true", help="after a failed doctor or conformance, too")
    a = p.parse_args()
    a.out, a.scratch = a.out.resolve(), a.scratch.resolve()
    m = Machine(a)
    for part in a.parts:
        start = time.monotonic()
        if part in ("bench", "budgets", "peer", "reference"):
            answers = f"about {a.answer} tokens an answer" if a.answer else "answers as long as may be"
            m.note(part, None, f"{a.shape}, {a.items} prompts, {answers}")
        try:
            PARTS[part](m)
        except Exception as error:
            traceback.print_exc()
            m.note(part, False, f"{type(error).__name__}: {error}")
        m.note(part, None, f"took {time.monotonic() - start:.0f} s")
        if m.failed and part in ("doctor", "conformance") and not a.keep_going:
            m.note(part, None, "what comes after it would show no more; --keep-going runs it all the same")
            break
    return 1 if m.failed else 0


if __name__ == "__main__":
    sys.exit(main())
