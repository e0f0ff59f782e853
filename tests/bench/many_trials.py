"""What bookkeeping costs where many trials are recorded: `zoo status` over 10,000 done trials, the
end of a sweep over as many, of which one was left to run (from the last file of that trial to the
exit of the process, the report aside) or all were, and a `zoo sweep` that finds all of 270 trials
done.

Makes its store itself: one real simulated trial a manifest, its files copied under the ids and
identities of the others. Every command is a cold process with a warm page cache, alternated with
`python -c "import pydantic, yaml"`; the best of some runs (the machine may be busy). The last line
is one JSON object: seconds (of user and system time where it says `cpu`, as other work on the
machine stretches the rest), and ratios to the bare import. `floor_10000` is what the files alone
cost: opening and reading `record.json` and `evals.jsonl` of every trial, and nothing made of them.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from zoo.catalog import Catalog, ComputeProfile  # noqa: E402
from zoo.data import LocalResolver  # noqa: E402
from zoo.launching.task import Task, write_task  # noqa: E402
from zoo.manifest.load import read  # noqa: E402
from zoo.planning.expand import expand  # noqa: E402
from zoo.store.run_store import Store  # noqa: E402
from zoo.train.entry import run  # noqa: E402
from zoo.trials.trial import Trial  # noqa: E402

REPEATS = 5
BARE = [sys.executable, "-c", "import pydantic, yaml"]
ZOO = [sys.executable, "-m", "zoo.cli.main"]
FLOOR = """\
import os, sys
for name in os.listdir(sys.argv[1]):
    for file in ("record.json", "evals.jsonl"):
        number = os.open(f"{sys.argv[1]}/{name}/{file}", os.O_RDONLY)
        os.read(number, os.fstat(number).st_size)
        os.close(number)
"""
END = """\
import os, sys, time
from zoo.cli import main, sweep

from zoo.scheduling.executor import Event, Handle
from zoo.launching.launch import LaunchResult

class Executor:
    # runs nothing: the folders of all trials appear at once, as if they had just ended
    name, slots, tasks = "moved", 10**6, 0
    def open(self, tell, stop):
        self.tell = tell
        os.rename(*folders)
    def start(self, task):
        self.tasks += 1
        self.tell(Event(task.trial.id))
        self.tell(Event(task.trial.id, LaunchResult("done")))
        return Handle(task.trial.id)
    def check(self):
        pass
    def close(self):
        print(self.tasks, time.time(), file=sys.stderr)

folders = sys.argv[1:3]
sweep._executor = lambda *_: Executor()
sys.argv[1:] = ["sweep", sys.argv[3], "--bare"]
main.main()
"""
MANIFEST = """\
schema: experiment/1
name: {name}
question: What does bookkeeping cost?
recipe: pocket
trainer: simulated
batch: {{prompts: 2, num_generations: 4}}
grid:
{grid}
seeds: [{seeds}]
rounds: 20
evaluate:
  watch: {{benchmarks: [pocket-easy], problems: 8, every: 5, decodings: [t1.0]}}
  full: {{benchmarks: [pocket-easy, pocket-hard], problems: 16, at: [0, last]}}
"""
LARGE = """\
  model: [pocket-qwen2, pocket-llama]
  reward: [correctness, box-graded, box-strict, random, format-only]
  data: [pocket-easy, pocket-hard]
  grpo.beta: [0, 1e-4, 1e-3, 1e-2, 1e-1]"""
SMALL = """\
  model: [pocket-qwen2, pocket-llama, pocket-mistral]
  reward: [correctness, box-graded, box-strict]
  data: [pocket-easy, pocket-medium, pocket-hard]"""


def recorded(path: Path, root: Path) -> list[Trial]:
    """Fill a run store with all trials of a manifest, each finished."""
    trials = expand(read(path), Catalog(), LocalResolver())
    profile = ComputeProfile(form="profile/1", name="laptop", executor="local")
    donor = Task(trials[0], profile, str(root), secrets.token_hex(8))
    assert run(write_task(donor)) == 0
    shutil.rmtree(donor.folder / "launches")
    files = {file.name: file.read_text() for file in donor.folder.iterdir() if file.is_file()}
    record = json.loads(files.pop("record.json"))
    born = trials[0].id
    slug, _, mark = born.rpartition("-")
    for trial in trials[1:]:
        folder = root / "train" / trial.id
        (folder / "checkpoints" / "round-0020").mkdir(parents=True)
        (folder / "checkpoints" / "round-0020" / "SIMULATED").touch()
        own, _, hash_ = trial.id.rpartition("-")
        for name, text in files.items():
            text = text.replace(born, trial.id).replace(slug, own).replace(mark, hash_)
            (folder / name).write_text(text)
        record |= {"id": trial.id, "identity": trial.identity}
        record["about"] |= {"cell": trial.cell, "seed": trial.seed}
        (folder / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    return trials


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one process; it must succeed."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    if command[-2:-1] == ["status"]:
        assert "= 10,000 done" in done.stdout, done.stdout[-500:]
    return time.perf_counter() - begun


def cpu_seconds() -> float:
    """User and system time of all commands so far."""
    times = os.times()
    return times.children_user + times.children_system


def end_seconds(manifest: Path, trial: Trial, root: Path) -> float:
    """Time from the last file that the last trial of a sweep writes to the sweep's exit."""
    folder = Store(root).train(trial.id)
    shutil.rmtree(folder)
    command = [*ZOO, "sweep", manifest.name, "--bare"]
    subprocess.run(command, cwd=manifest.parent, check=True, stdout=subprocess.DEVNULL)
    return time.time() - (folder / "phase").stat().st_mtime


def end_all_seconds(manifest: Path, runs: Path) -> float:
    """Time from the end of the last of all trials of a sweep to the sweep's exit."""
    aside, root = runs / "train", runs.with_name("runs-all")
    root.mkdir(exist_ok=True)
    command = [sys.executable, "-c", END, str(aside), str(root / "train"), manifest.name]
    env = os.environ | {"ZOO_RUNS": str(root)}
    done = subprocess.run(
        command, cwd=manifest.parent, env=env, check=True, capture_output=True, text=True
    )
    ended = time.time()
    (root / "train").rename(aside)
    count, begun = done.stderr.split()
    assert count == "10000"
    assert "= 10,000 done" in done.stdout, done.stdout[-500:]
    return ended - float(begun)


def main() -> None:
    """Print a table and the JSON line."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        large, small = folder / "large.yaml", folder / "small.yaml"
        numbers = ", ".join(map(str, range(100)))
        large.write_text(MANIFEST.format(name="large", grid=LARGE, seeds=numbers))
        numbers = ", ".join(map(str, range(10)))
        small.write_text(MANIFEST.format(name="small", grid=SMALL, seeds=numbers))
        os.environ["ZOO_SWEEPS"] = str(folder / "sweeps")
        # as an installed package runs: its modules are compiled, in a place of their own
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        stores = {path: folder / f"runs-{path.stem}" for path in (large, small)}
        trials = recorded(large, stores[large])
        recorded(small, stores[small])
        for path in (large, small):  # as a sweep leaves it: locked, with a report
            os.environ["ZOO_RUNS"] = str(stores[path])
            bare = ["--bare"] * (path == large)
            seconds([*ZOO, "sweep", path.name, *bare], folder)

        def end() -> float:
            return end_seconds(large, trials[-1], stores[large])

        cases = {
            "floor_10000": (
                large,
                lambda: seconds(
                    [sys.executable, "-c", FLOOR, str(stores[large] / "train")], folder
                ),
            ),
            "status_10000": (large, lambda: seconds([*ZOO, "status", large.name], folder)),
            "end_10000": (large, end),
            "end_all_10000": (large, lambda: end_all_seconds(large, stores[large])),
            "noop_270": (small, lambda: seconds([*ZOO, "sweep", small.name], folder)),
        }
        for name, (path, measure) in cases.items():
            os.environ["ZOO_RUNS"] = str(stores[path])
            ours, bare, used = [], [], []
            for _ in range(REPEATS):
                bare.append(seconds(BARE, folder))
                before = cpu_seconds()
                ours.append(measure())
                used.append(cpu_seconds() - before)
            best, least, cpu = min(ours), min(bare), min(used)
            figures |= {f"{name}_s": best, f"{name}_bare_s": least, f"ratio_{name}": best / least}
            figures[f"{name}_cpu_s"] = cpu  # of the whole command, also where a part is timed
            print(f"{name:<13} {best:.3f} s, {best / least:.1f} x the bare import ({least:.3f} s)")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
