"""What a round of zoo takes next to a bare TRL script of the same settings (`zoo eject`), and what
trimmed padding saves.

Two trials on two CPU cores, one thread each, no evaluation: 30 rounds of a pocket model, and 5
rounds of 16 completions of unequal lengths (at most 512 tokens) of a random model of 30 million
parameters, two in a forward pass. Runs alternate. A round's time is that between the ends of two
rounds: rows of the journal, or lines that TRL prints. About 10 minutes. The last line is one JSON
object: `overhead_ms_pocket` (median round of zoo less that of the script), `ratio_plain` and
`ratio_exact_speedups` (sum of rounds of zoo over that of the script, without and with
`trim_padding`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

sys.path[0] = str(Path(__file__).resolve().parents[2])

from statistics import median  # noqa: E402

from tests.support.trials import finish, manifest, start  # noqa: E402
from zoo.catalog import Catalog, ComputeProfile  # noqa: E402
from zoo.data import LocalResolver  # noqa: E402
from zoo.data.resolve import EMBEDDED  # noqa: E402
from zoo.manifest.load import load  # noqa: E402
from zoo.planning.expand import expand  # noqa: E402
from zoo.release.eject import eject  # noqa: E402
from zoo.store import journal  # noqa: E402
from zoo.store.run_store import Store  # noqa: E402
from zoo.trials.trial import Trial  # noqa: E402

POCKET_ROUNDS, LARGE_ROUNDS, TURNS = 30, 5, 2
CARD = """
    schema: model/1
    name: thirty-million
    about: A random model, for times.
    family: qwen2
    path: {folder}
    prompt: pocket
    stop_ids: [20, 40, 60, 80, 100, 120, 140, 160, 180, 200]
    eos_ids: [0]
    cap: 512
    beta: 0.0
    context: 1024
"""


def main() -> None:
    """Measure and print."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pocket = _trial(folder, Catalog(), rounds=POCKET_ROUNDS)
        large = _large(folder)
        for turn in map(str, range(TURNS)):
            for what, run in {
                "pocket": lambda at: _zoo(pocket, at, micro_batch=128),
                "pocket_trl": lambda at: _bare(pocket, at, micro_batch=128),
                "plain": lambda at: _zoo(large, at, micro_batch=2, trim_padding=False),
                "large_trl": lambda at: _bare(large, at, micro_batch=2),
                "trimmed": lambda at: _zoo(large, at, micro_batch=2),
            }.items():
                seconds = run(folder / what / turn)
                print(f"{what}: {len(seconds)} rounds, median {median(seconds):.3f} s", flush=True)
                found.setdefault(what, []).extend(seconds)
    print(json.dumps(_result(found)))


def _result(found: dict[str, list[float]]) -> dict[str, float]:
    total = {name: sum(seconds) for name, seconds in found.items()}
    overhead = median(found["pocket"]) - median(found["pocket_trl"])
    return {
        "overhead_ms_pocket": round(1000 * overhead, 1),
        "ratio_plain": round(total["plain"] / total["large_trl"], 3),
        "ratio_exact_speedups": round(total["trimmed"] / total["large_trl"], 3),
    }


def _trial(folder: Path, catalog: Catalog, **values: object) -> Trial:
    evaluate = "{full: {benchmarks: [pocket-easy], problems: 2, at: [0]}}"
    path = manifest(folder, f"rounds-{values['rounds']}", evaluate=evaluate, **values)
    (trial,) = expand(load(path), catalog, LocalResolver())
    return trial


def _large(folder: Path) -> Trial:
    """A trial of a random model of 30 million parameters with the pocket tokenizer."""
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM, set_seed

    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED / "pocket-qwen2")
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=512,
        intermediate_size=2048,
        num_hidden_layers=7,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    cards = folder / "cards/models"
    cards.mkdir(parents=True)
    text = dedent(CARD.format(folder=folder / "model"))
    (cards / "thirty-million.yaml").write_text(text, encoding="utf-8")
    batch = "{prompts: 4, num_generations: 4}"
    values = {"model": "thirty-million", "reward": "random", "batch": batch}
    return _trial(folder, Catalog(folder / "cards"), rounds=LARGE_ROUNDS, **values)


def _zoo(trial: Trial, folder: Path, **settings: object) -> list[float]:
    """Seconds of each round but the first."""
    store = Store(folder)
    at = finish(start(trial, store, **settings), trial, store, timeout_s=600)
    rows = journal.read(at / "metrics.jsonl")
    return _between([row["time"] for row in rows[1:]])


def _bare(trial: Trial, folder: Path, **settings: object) -> list[float]:
    """The same of the ejected script."""
    profile = Catalog().get(ComputeProfile, "laptop").model_copy(update=settings)
    folder.mkdir(parents=True)
    eject(trial, profile, Store(folder / "runs"), folder / "script")
    env = os.environ | {"PYTHONPATH": sys.path[0], "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(folder / "script/train.py")]
    ends: list[float] = []
    with (folder / "log.txt").open("w") as log:
        script = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        assert script.stdout is not None
        ends += [time.time() for line in script.stdout if "'reward'" in line]
    if script.wait() or len(ends) != trial.rounds:
        raise SystemExit(f"{len(ends)} rounds\n" + (folder / "log.txt").read_text()[-3000:])
    return _between(ends)


def _between(ends: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(ends)]


if __name__ == "__main__":
    main()
