"""What primed promises of a GPU, measured on one: run in a checkout on a machine with a GPU, PyTorch, transformers and PEFT.

usage: python measure.py ARCHIVE OUT PART... [--shape llama-2-7b] [--device cuda:0] [--limit SECONDS]

ARCHIVE is what `pack` made. OUT gets each part's output as PART.txt, and the end shows a line a check and the figures. The parts:
  doctor       what primed and the driver say of the machine
  conformance  every operation against double precision, the models' fixtures, and the device's memory over 1,000 jobs
  sanitizer    the same operations under compute-sanitizer, its memcheck and its racecheck
  parity       greedy tokens against transformers in bf16: the example's model and tiny random ones
  job          a whole job on the GPU and on the CPU: the same choices
  bench        a whole job, products' rates and the cost of populations in a --shape, with 64 items and with 10
  budgets      the same job under several token budgets
  peer         an evaluation by the peer on the same prompts, with its own best batch
  reference    the same as the authors decode
Each has seconds of its own by --limit; one that takes longer is cut off and said to be. Exit 0 when every check holds.
"""

import argparse, json, os, pathlib, shutil, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
RIGS, EXAMPLE = ROOT / "Tests/rigs", ROOT / "examples/debian"
POOL = "package_section"


class Machine:
    """The unpacked archive, and the checks so far."""

    def __init__(self, a):
        self.a, self.out, self.lines, self.failed = a, a.out, [], False
        self.scratch = pathlib.Path(tempfile.mkdtemp())
        self.pack = self.scratch / "pack"
        self.pack.mkdir()
        subprocess.run(["tar", "-C", str(self.pack), "-xf", a.archive], check=True)
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
            built.symlink_to(ROOT)
        self.kernels = self.scratch / "gpu"
        self.kernels.mkdir()
        os.environ.update(PRIMED_KERNELS=str(self.scratch / "kernels"), PRIMED_WORK=str(self.scratch / "work"))
        self.sites, self.reports = {}, {}

    def note(self, part, holds, text):
        self.failed |= holds is False
        self.lines.append(f"{'ok  ' if holds else 'FAIL' if holds is False else '    '}  {part:12} {text}")
        print(self.lines[-1], flush=True)

    def run(self, part, command, append=False, **environment):
        """What the command printed, and whether it ended well in its time."""
        start = time.monotonic()
        with open(self.out / f"{part}.txt", "a" if append else "w") as log:
            log.write(f"$ {' '.join(map(str, command))}\n")
            log.flush()
            try:
                code = subprocess.run(
                    [str(c) for c in command],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    timeout=self.a.limit,
                    env={**os.environ, **environment},
                )
            except subprocess.TimeoutExpired as late:
                self.note(part, False, f"cut off after {self.a.limit:.0f} s")
                log.write((late.stdout or b"").decode(errors="replace"))
                return "", False
            log.write(code.stdout)
        if code.returncode:
            self.note(part, False, f"exit {code.returncode} after {time.monotonic() - start:.0f} s, see {part}.txt")
        return code.stdout, code.returncode == 0

    def site(self, shape, **options):
        if shape not in self.sites:
            start, folder = time.monotonic(), self.scratch / shape
            words = [w for k, v in options.items() for w in (f"--{k}", str(v))]
            subprocess.run([sys.executable, str(RIGS / "gpu/shape.py"), shape, str(folder), *words], check=True)
            self.sites[shape] = folder
            self.note("site", None, f"{shape} made in {time.monotonic() - start:.0f} s")
        return self.sites[shape]


def doctor(m):
    out = subprocess.run(
        [m.primed, "doctor", "--config", str(ROOT / "etc/primed.json5")],
        text=True,
        capture_output=True,
        env=dict(os.environ, PRIMED_DEVICES=m.a.device),
    )
    (m.out / "doctor.txt").write_text(out.stdout + out.stderr)
    found = [line.strip() for line in out.stdout.splitlines() if "cuda" in line.lower() or "gpu" in line.lower()]
    m.note("doctor", out.returncode == 0, "; ".join(found[:6])[:300] or "nothing about a GPU")
    if shutil.which("nvidia-smi"):
        m.run("doctor", ["nvidia-smi", "-q"], append=True)


def tests(m, part, filter, before=(), **environment):
    program = m.pack / "tests/primedPackageTests.xctest"
    out, well = m.run(
        part,
        ["sh", "-c", 'exec "$@" 2>&1', "sh", *before, program, "--testing-library", "swift-testing", "--filter", filter],
        append=True,
        LD_LIBRARY_PATH=f"{m.pack}/tests:{os.environ.get('LD_LIBRARY_PATH', '')}",
        PRIMED_REAL_GPU=str(m.kernels),
        **environment,
    )
    ended = [line for line in out.splitlines() if "Test run with" in line]
    if well:
        m.note(part, bool(ended), f"{filter}: {ended[-1][ended[-1].index('Test run'):] if ended else 'no test ran'}")
    return out


def conformance(m):
    tests(m, "conformance", "ComputeTests.ConformanceTests")
    tests(m, "conformance", "(ParityTests|InvarianceTests|NumberFormatTests)")
    tests(m, "conformance", "DeviceMemoryTests/steady", PRIMED_JOBS=str(m.a.jobs))


def sanitizer(m):
    for tool in ("memcheck", "racecheck"):
        out = tests(
            m,
            "sanitizer",
            "ComputeTests.ConformanceTests/(decoding|layers)",
            before=["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"],
        )
        said = [line.strip("= ") for line in out.splitlines() if "SUMMARY" in line]
        m.note(
            "sanitizer", all(" 0 " in line for line in said) if said else False, f"{tool}: {'; '.join(said) or 'no summary'}"
        )


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
                m.a.count,
                *more,
            ],
            append=True,
        )
        m.note("parity", well, f"{model.name}: {out.splitlines()[-1] if out else 'no figures'}")


def job(m):
    found = {}
    for device in ("cpu", m.a.device):
        folder = m.scratch / "job" / device.replace(":", "-")
        manifest = m.scratch / "parity.json"
        manifest.write_text(
            json.dumps(
                dict(
                    json.loads((EXAMPLE / "bench.json").read_text()),
                    id="parity",
                    targets="three.json",
                    only=["78", "114", "141"][: m.a.users],
                )
            )
        )
        _, well = m.run(
            "job",
            [m.primed, "run", manifest, "--config", ROOT / "etc/primed.json5", "--device", device, "--outbox", folder],
            append=True,
        )
        if not well:
            return
        targets = json.loads((folder / "parity/result.json").read_text())["targets"]
        found[device] = {
            t["user"]: (t["weights"], (folder / "parity" / t["user"] / "predictions.jsonl").read_text().splitlines())
            for t in targets
        }
    cpu, gpu = found["cpu"], found[m.a.device]
    for user in cpu:
        same = len(set(cpu[user][1]) & set(gpu[user][1]))
        m.note(
            "job",
            cpu[user][0] == gpu[user][0],
            f"user {user}: weights {gpu[user][0]}"
            + ("" if cpu[user][0] == gpu[user][0] else f" where the CPU has {cpu[user][0]}")
            + f", {same} of {len(cpu[user][1])} predictions the same",
        )


def measured(m, part, manifest, **environment):
    """What `primed bench` reports of a manifest of the site, once for the parts that ask alike."""
    asked = (manifest, *environment.values())
    if asked not in m.reports:
        site = m.site(m.a.shape, items=m.a.items, answer=m.a.answer)
        command = [m.primed, "bench", "--json", "--rounds", m.a.rounds, "--device", m.a.device]
        command += ["--config", site / "primed.json5", site / f"{manifest}.json"]
        out, well = m.run(part, command, append=True, **environment)
        m.reports[asked] = json.loads(out) if well else None
    return m.reports[asked]


def figures(report):
    """Seconds of an evaluation: of the base and three sharers, of the budget's ten; and of the queries."""
    s = report["seconds"]
    return dict(references=s["references"] / 4, search=s["search"] / 10, queries=s["queries"])


def bench(m):
    for manifest in ("all", "ten"):
        r = measured(m, "bench", manifest)
        if r is None:
            return
        large = r["largeRate"]
        each = figures(r)
        one = r["populations"][0]["seconds"]
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
        for p in r["populations"]:
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
    site = m.site(m.a.shape, items=m.a.items, answer=m.a.answer)
    out, well = m.run(
        part,
        [
            sys.executable,
            RIGS / "gpu/peer-rates.py",
            "--peer",
            m.pack / "prime_peer.py",
            "--site",
            site,
            "--shape",
            m.a.shape,
            "--device",
            m.a.torch,
            "--seconds",
            m.a.limit / 3,
            *(["--reference"] if reference else []),
        ],
    )
    if not well:
        return
    best = min(json.loads(out.splitlines()[-1])["runs"], key=lambda r: r["evaluation"])
    r = measured(m, "bench", "all")
    if r is None:
        return
    each, bar = figures(r), 100 if reference else 5
    m.note(
        part,
        best["evaluation"] / each["search"] >= bar,
        f"batch {best['batch']}: {best['evaluation']:.2f} s an evaluation, queries {best['queries']:.2f} s; primed is {best['evaluation'] / each['references']:.1f} times faster in the "
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
    p.add_argument("--limit", type=float, default=540)
    p.add_argument("--count", type=int, default=200, help="prompts of a parity")
    p.add_argument("--users", type=int, default=3, help="of the whole job")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--jobs", type=int, default=1000, help="that the device's memory is watched over")
    a = p.parse_args()
    m = Machine(a)
    try:
        for part in a.parts:
            PARTS[part](m)
    finally:
        shutil.rmtree(m.scratch, ignore_errors=True)
        (a.out / "summary.txt").write_text("\n".join(m.lines) + "\n")
    return 1 if m.failed else 0


if __name__ == "__main__":
    sys.exit(main())
