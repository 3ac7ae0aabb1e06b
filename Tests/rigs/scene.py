"""A spool of small jobs for the rigs that disturb a daemon, and the comparison with an undisturbed run. Python 3 alone.

The jobs run on the example model and pool, with a task of short prompts so that one takes some tenths of a second: three
generations for a few items. Of every twenty jobs one is refused, one fails, and one comes as a folder with its history.
"""
import collections, json, os, pathlib, re, subprocess, time

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples/debian"


class Scene:
    """A folder with a configuration, and in it, or in `spool`, the folders of a daemon."""

    def __init__(self, primed, root, spool=None, **settings):
        self.primed, self.root = str(pathlib.Path(primed).resolve()), pathlib.Path(root)
        self.inbox, self.work, self.outbox = (pathlib.Path(spool or root) / name for name in ("inbox", "work", "outbox"))
        self.root.mkdir(parents=True, exist_ok=True)
        if not spool: self.inbox.mkdir(exist_ok=True)
        tasks = self.root / "tasks"
        tasks.mkdir(exist_ok=True)
        task = json.loads((EXAMPLES / "tasks/package_section.json").read_text())
        # The example's prompt lists all the labels; a short one is a fifth of the work.
        task["history"] = dict(prompt="{description} Tag:", full="{description} Tag: {tag}")
        task["query"]["prompt"] = "{} Tag:"
        (tasks / "package_section.json").write_text(json.dumps(task))
        self.config = self.root / "primed.json5"
        self.config.write_text(json.dumps(dict(
            dict(inbox=str(self.inbox), work=str(self.work), outbox=str(self.outbox), models=str(EXAMPLES / "models"), pools=str(EXAMPLES / "pools"),
                 tasks="tasks", histories=str(EXAMPLES / "users"), threads=1, attempts=100, retry_seconds=0, min_free_disk=0),
            **settings)))
        self.environment = dict(os.environ)

    def serve(self, *words, before=(), log=subprocess.DEVNULL, **environment):
        """Starts the daemon; `before` are words in front of its command line."""
        return subprocess.Popen([*before, self.primed, "serve", "--config", str(self.config), *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=log, env=dict(self.environment, **environment))

    def wait(self, daemon, until=lambda: False):
        """Until a daemon ends or `until` holds: its exit code if it ended. One that brings no result in two minutes is killed."""
        count, last = None, time.monotonic()
        while daemon.poll() is None and not until():
            if len(listed(self.outbox)) != count: count, last = len(listed(self.outbox)), time.monotonic()
            if time.monotonic() - last > 120: daemon.kill()
            time.sleep(0.02)
        return daemon.returncode

    def drop(self, jobs):
        """Every job by one rename, as programs do it."""
        for name, files in jobs.items():
            draft = self.inbox / f".{name}.tmp"
            write(draft, files)
            os.rename(draft, self.inbox / name)

    def submit(self, name, files, before=(), log=subprocess.DEVNULL):
        """By `primed submit`, which ends when the job is durable; its exit code."""
        draft = self.root / "drafts" / name
        draft.parent.mkdir(exist_ok=True)
        if not draft.exists(): write(draft, files)
        return subprocess.run([*before, self.primed, "submit", "--config", str(self.config), str(draft)], env=self.environment,
                              stdout=subprocess.DEVNULL, stderr=log).returncode


def write(path, files):
    if isinstance(files, str): path.write_text(files); return
    path.mkdir()
    for name, text in files.items(): (path / name).write_text(text)


def items(user, count=6):
    history = next(u["profile"] for u in json.loads((EXAMPLES / "users/three.json").read_text()) if u["user_id"] == user)
    return [dict(id=item["id"], description=item["description"][:80], tag=item["tag"]) for item in history[:count]]


def small_jobs(count):
    """By the name in the inbox: the manifest's text, or a folder's texts by their names."""
    jobs, histories = {}, [items(user) for user in (78, 114, 141)]
    for n in range(count):
        history, kind = histories[n % 3], n % 20
        target = dict(user="u", history=history, queries=[dict(id="q", input="tags: [x11, games] description: A game with clocks")])
        job = dict(job="personalize", id=f"j{n}", base="debian-llama-4m", task="package_section",
                   sharers=dict(pool="package_section", top_k=2), targets=[target], evolve=dict(budget=18, seed=n), privacy=dict(alpha=0.02))
        if kind == 3: job["evolve"]["budget"] = 0
        if kind == 7: job["base"] = "no-such-model"
        if kind == 11:
            target["history"] = "items.json"
            jobs[f"j{n}"] = {"manifest.json": json.dumps(job), "items.json": json.dumps(history)}
        else:
            jobs[f"j{n}.json"] = json.dumps(job)
    return jobs


def ids(jobs): return sorted(name.removesuffix(".json") for name in jobs)


def result(folder):
    """All that a result's folder holds, by path, but its log; what differs between two runs is the time they took."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.is_dir(): found[name + "/"] = b""; continue
        if name == "log.jsonl": continue
        data = file.read_bytes()
        if name == "result.json":
            try: data = json.dumps(without_seconds(json.loads(data)), sort_keys=True).encode()
            except ValueError: data = b"torn: " + data
        found[name] = data
    return found


def without_seconds(value):
    if isinstance(value, dict): return {key: without_seconds(inner) for key, inner in value.items() if key != "seconds"}
    return [without_seconds(inner) for inner in value] if isinstance(value, list) else value


def results(outbox): return {folder.name: result(folder) for folder in sorted(outbox.iterdir())}


def faults(scene, wanted, calm):
    """What is wrong with a spool in which all the jobs of `wanted` should have ended: lines, none if all is well."""
    found, lines = results(scene.outbox), []
    for id in wanted:
        if id not in found: lines.append(f"LOST {id}: no result"); continue
        for name in sorted({*calm[id], *found[id]}):
            if calm[id].get(name) != found[id].get(name): lines.append(f"DIFFERS {id}/{name}")
    lines += [f"DOUBLED or strange in the outbox: {name}" for name in sorted(set(found) - set(wanted))]
    # What submit was still copying has a dot in front, and was never acknowledged.
    lines += [f"left in the inbox: {name}" for name in sorted(os.listdir(scene.inbox)) if not name.startswith(".")]
    return lines + [f"left in work: {name}" for name in jobs_in(scene.work)]


def jobs_in(work):
    """The folders of claimed jobs, and of those on their way out, which begin with a dot."""
    return sorted(name for name in listed(work) if re.match(r"\.?[0-9a-z]{13}-", name))


def listed(folder):
    try: return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError): return []


def children(pid):
    try: return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError): return []


def statuses(found):
    return collections.Counter(json.loads(files["result.json"])["status"] for files in found.values())
