"""What a sweep of short trials takes next to a shell loop over bare TRL scripts, and next to Ray
Tune with a plain function.

8 and 16 trials (`--short`: 2 and 4) of a pocket model, ten rounds each, seeds apart, two at a time
on two CPU cores, without evaluation: `zoo sweep` as it is; the scripts that `zoo eject` writes of
the same trials, once in TRL's default environment (no variables) and once in that of zoo's profile;
the same scripts as the function of a plain Ray Tune, in zoo's environment. About 20 minutes. The
last line is one JSON object: `ratio_to_shell_loop` (wall time of zoo over that of the loop in the
default environment), `ratio_same_env` (the same in zoo's environment), `ratio_marginal_trial` (what
the second half of the trials adds, in zoo's environment), `ratio_to_plain_tune`, `noop_s` (`zoo
sweep` of a finished sweep), `status_s` (`zoo status`), and the wall times.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.support.trials import trials_of  # noqa: E402
from zoo.catalog import Catalog, ComputeProfile  # noqa: E402
from zoo.release.eject import eject  # noqa: E402
from zoo.store.run_store import Store  # noqa: E402

MANIFEST = """\
schema: experiment/1
name: short{count}
question: What does a sweep of short trials take?
recipe: pocket
grid: {{model: pocket-qwen2, reward: correctness, data: pocket-easy}}
seeds: {seeds}
rounds: 10
"""
PROFILE = "laptop"
AT_ONCE = 2
TUNE = """
import os, runpy, sys
import ray
from ray import tune
os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_TRAIN_V2_ENABLED="0", RAY_USAGE_STATS_ENABLED="0")

def train(config):
    os.environ["MASTER_PORT"] = str(20000 + os.getpid() % 10000)
    sys.stdout = sys.stderr = open(config["script"] + ".log", "w")
    runpy.run_path(config["script"], run_name="__main__")

ray.init(num_cpus={at_once}, num_gpus=0, include_dashboard=False, log_to_driver=False)
tuner = tune.Tuner(
    tune.with_resources(train, {{"cpu": 1}}),
    param_space={{"script": tune.grid_search(sys.argv[2:])}},
    run_config=tune.RunConfig(storage_path=sys.argv[1], verbose=0),
)
sys.exit(bool(tuner.fit().errors))
"""


def main() -> None:
    """Measure and print."""
    short = "--short" in sys.argv[1:]
    few, many = (2, 4) if short else (8, 16)
    own = _profile().env
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = _scripts(folder, many)
        for what, run in {
            f"zoo_{few}": lambda: _sweep(folder, few),
            f"loop_same_env_{few}": lambda: _loop(scripts[:few], own),
            f"tune_{few}": lambda: _tune(folder, scripts[:few], own),
            f"zoo_{many}": lambda: _sweep(folder, many),
            f"loop_same_env_{many}": lambda: _loop(scripts, own),
            f"loop_default_env_{few}": lambda: _loop(scripts[:few], {}),
        }.items():
            seconds[what] = _timed(run)
            print(f"{what}: {seconds[what]:.1f} s", flush=True)
        noop = _timed(lambda: _zoo(folder, "sweep", f"short{few}.yaml"))
        status = _timed(lambda: _zoo(folder, "status", f"short{few}"))
    added, looped = (
        seconds[f"{w}_{many}"] - seconds[f"{w}_{few}"] for w in ("zoo", "loop_same_env")
    )
    zoo = seconds[f"zoo_{few}"]
    result = {
        "ratio_to_shell_loop": zoo / seconds[f"loop_default_env_{few}"],
        "ratio_same_env": zoo / seconds[f"loop_same_env_{few}"],
        "ratio_marginal_trial": added / looped,
        "ratio_to_plain_tune": zoo / seconds[f"tune_{few}"],
        "noop_s": noop,
        "status_s": status,
        **{f"{what}_s": value for what, value in seconds.items()},
    }
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


def _profile() -> ComputeProfile:
    return Catalog().get(ComputeProfile, PROFILE)


def _manifest(folder: Path, count: int) -> Path:
    path = folder / f"short{count}.yaml"
    text = MANIFEST.format(count=count, seeds=list(range(count)))
    path.write_text(text, encoding="utf-8")
    return path


def _scripts(folder: Path, count: int) -> list[Path]:
    """The ejected scripts of the trials, without the environment that they set themselves."""
    made, profile = list[Path](), _profile()
    trials = trials_of(_manifest(folder, count))
    _manifest(folder, count // 2)
    for trial in trials:
        target = folder / "scripts" / str(trial.seed)
        target.parent.mkdir(exist_ok=True)
        eject(trial, profile, Store(folder / "eject"), target)
        script = target / "train.py"
        head, _, rest = script.read_text(encoding="utf-8").partition("os.environ.update(")
        assert rest, "the script sets no environment"
        script.write_text(f"{head}dict(\n    {rest}", encoding="utf-8")
        made.append(script)
    return made


def _environment(env: dict[str, str]) -> dict[str, str]:
    """This process's, with no variable that sets threads, vLLM or the compiler but those given."""
    ours = ("OMP_", "MKL_", "VLLM_", "TORCH_", "ZOO_", "MLFLOW_", "RAY_", "CUDA_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"PYTHONPATH": ROOT} | env


def _sweep(folder: Path, count: int) -> None:
    runs = {"ZOO_RUNS": str(folder / f"runs-{count}")}
    _run([*_command("sweep"), f"short{count}.yaml", "--on", PROFILE], folder, runs)


def _zoo(folder: Path, *words: str) -> None:
    count = words[-1].removeprefix("short").removesuffix(".yaml")
    _run([*_command(words[0]), *words[1:]], folder, {"ZOO_RUNS": str(folder / f"runs-{count}")})


def _command(word: str) -> list[str]:
    return [sys.executable, "-m", "zoo.cli.main", word]


def _loop(scripts: list[Path], env: dict[str, str]) -> None:
    """`xargs -P 2` over the scripts, each with a port of its own, for which two would fight."""
    line = f'MASTER_PORT=$((20000 + $$ % 10000)) {sys.executable} "$0" > "$0.log" 2>&1'
    command = ["xargs", "-P", str(AT_ONCE), "-n", "1", "sh", "-c", line]
    names = "\n".join(map(str, scripts))
    _run(command, scripts[0].parent, env, names)


def _tune(folder: Path, scripts: list[Path], env: dict[str, str]) -> None:
    (folder / "tune.py").write_text(TUNE.format(at_once=AT_ONCE), encoding="utf-8")
    names = map(str, scripts)
    _run([sys.executable, "tune.py", str(folder / "tune"), *names], folder, env)


def _run(command: list[str], folder: Path, env: dict[str, str], given: str = "") -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(env),
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        logs = (path.read_text()[-1500:] for path in folder.rglob("*.py.log"))
        raise SystemExit("\n".join([done.stdout[-3000:], *logs]))


def _timed(run: Callable[[], None]) -> float:
    begun = time.monotonic()
    run()
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
