"""`zoo compare` on simulated sweeps: cells, effects, verdicts; for people and for programs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import files, zoo

CLAIMS = """\
tripwires:
  - {metric: train/completions/clipped_ratio, above: 0.9, for: 2}
claims:
  - id: gains
    says: Every model gains.
    kind: gain
    for_each: [model]
    metric: eval/pocket-easy/acc/t1.0
    expect: {higher_by: 5}
  - id: hard-costs
    says: Hard data end below easy ones.
    compare: {data: [pocket-hard, pocket-easy]}
    metric: eval/pocket-easy/acc/t1.0
    expect: {lower_by: 0}
  - id: reversed
    says: Hard data end above easy ones.
    compare: {data: [pocket-hard, pocket-easy]}
    metric: eval/pocket-easy/acc/t1.0
    expect: {higher_by: 0}
"""
MANIFEST = """\
schema: experiment/1
name: many
question: Does anything happen?
recipe: pocket
trainer: simulated
batch: {prompts: 2, num_generations: 4}
grid:
  model: [pocket-qwen2, pocket-llama]
  reward: [correctness]
  data: [pocket-easy, pocket-hard]
seeds: [0, 1, 2]
rounds: 6
evaluate:
  full: {benchmarks: [pocket-easy], problems: 60, samples: 2, at: [0, last]}
"""


@pytest.fixture
def many(folder: Path) -> Path:
    """A finished sweep of twelve simulated trials, whose claims were sealed before."""
    (folder / "experiments/many.yaml").write_text(MANIFEST + CLAIMS)
    assert zoo("sweep", "many", "--bare").status == 0
    return folder


def data(*words: str) -> dict[str, Any]:
    """What `zoo compare NAME WORDS --json` says."""
    told = zoo("compare", *words, "--json")
    assert told.status == 0
    return json.loads(told.text)


def test_compare_judges_sealed_claims_of_a_finished_sweep(many: Path) -> None:
    found = data("many")
    rows = {(row["id"], row["label"]): row for row in found["claims"]}
    assert list(rows) == [
        ("gains", "pocket-qwen2"),
        ("gains", "pocket-llama"),
        ("hard-costs", ""),
        ("reversed", ""),
    ]
    wanted = {"id", "label", "verdict", "effect", "low", "high", "n", "detects", "standing"}
    assert all(wanted <= row.keys() for row in rows.values())
    assert {row["standing"] for row in rows.values()} == {"sealed"}
    assert rows["gains", "pocket-llama"]["verdict"] == "supported"
    assert rows["gains", "pocket-llama"]["low"] > 5
    cost, reverse = rows["hard-costs", ""], rows["reversed", ""]
    assert (cost["verdict"], reverse["verdict"]) == ("supported", "refuted")
    assert cost["effect"] == reverse["effect"] < 0
    assert cost["high"] < 0
    assert cost["n"] == 12
    assert [arm["collapsed"] for arm in cost["arms"]] == [0, 0]
    assert found["simulated"]


def test_compare_shows_cells_and_effects_by_axis(many: Path) -> None:
    found = data("many")
    assert found["metric"] == "eval/pocket-easy/acc/t1.0"
    assert [cell["n"] for cell in found["cells"]] == [3] * 4
    assert all(cell["low"] < cell["mean"] < cell["high"] for cell in found["cells"])
    assert [effect["axis"] for effect in found["effects"]] == ["model", "data"]
    (only,) = data("many", "--by", "data")["effects"]
    assert (only["value"], only["against"], only["pairs"]) == ("pocket-hard", "pocket-easy", 2)
    means = {c["cell"]["model"] + c["cell"]["data"]: c["mean"] for c in found["cells"]}
    by_hand = (
        sum(
            sign * mean
            for name, mean in means.items()
            for sign in [1 if name.endswith("hard") else -1]
        )
        / 2
    )
    assert only["effect"] == pytest.approx(by_hand)
    lengths = data("many", "--metric", "eval/pocket-easy/mean_length/t0")
    assert lengths["unit"] == "tokens"


def test_compare_says_for_people_what_it_says_for_programs(many: Path) -> None:
    told = zoo("compare", "many")
    assert told.status == 0
    assert told.lines[0].startswith("SIMULATED OR REHEARSED")
    assert max(map(len, told.lines)) <= 100
    assert "claims: 4 sealed verdicts, corrected together (Holm)" in told.lines
    assert "Hard data end below easy ones. (hard-costs, sealed)" in told.prose
    for row in data("many")["claims"]:
        assert row["sentence"] in told.prose
        assert f"{row['verdict']}. " in told.prose
    assert "6 against 6 trials" in told.prose
    assert "0 of 6 trials collapsed (0 to 46 %)" in told.prose


def test_compare_of_an_unfinished_sweep_decides_nothing_and_writes_nothing(folder: Path) -> None:
    (folder / "experiments/many.yaml").write_text(MANIFEST + CLAIMS)
    before = files(folder)
    told = zoo("compare", "many")
    assert told.status == 0
    assert files(folder) == before
    assert "supported" not in told.text
    assert "No estimate: 12 of 12 trials have no number yet." in told.prose
    assert "no number yet, 3 not ended" in told.prose


def test_compare_gives_a_claim_that_came_late_no_verdict(folder: Path) -> None:
    path = folder / "experiments/many.yaml"
    path.write_text(MANIFEST)
    assert zoo("sweep", "many", "--bare").status == 0
    path.write_text(MANIFEST + CLAIMS)
    rows = data("many")["claims"]
    assert [row["verdict"] for row in rows] == [None] * 4
    assert {row["standing"] for row in rows} == {"exploratory"}
    assert all(row["effect"] is not None for row in rows)
    assert "no verdict. " in zoo("compare", "many").prose


def test_compare_of_one_seed_has_effects_and_no_verdict(swept: Path) -> None:
    (row,) = data("tiny")["claims"]
    assert (row["verdict"], row["low"], row["high"], row["detects"]) == ("undecided", *[None] * 3)
    assert row["effect"] is not None
    assert "one trial that counts, which shows no seed noise to judge by" in row["sentence"]


def test_compare_sets_a_diverged_trial_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "experiments/many.yaml").write_text(MANIFEST + CLAIMS)
    monkeypatch.setenv("ZOO_SIMULATE", "diverge:3@pocket-qwen2.correctness.pocket-hard.s1")
    zoo("sweep", "many", "--bare")
    found = data("many")
    assert [cell["collapsed"] for cell in found["cells"]] == [0, 1, 0, 0]
    row = next(row for row in found["claims"] if row["id"] == "hard-costs")
    assert (row["missing"], row["n"], row["unequal_seeds"]) == (0, 11, True)
    assert "1 of 6 trials collapsed" in zoo("compare", "many").prose


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--by", "rewards"], "--by: no axis 'rewards'; did you mean 'reward'?"),
        (["--metric", "eval/pocket-easy/ac/t0"], "did you mean 'eval/pocket-easy/acc/t0'?"),
        (["--metric", "x"], "--metric: 'x' is not evaluated; available: "),
    ],
)
def test_compare_refuses_unknown_words(folder: Path, words: list[str], text: str) -> None:
    told = zoo("compare", "tiny", *words)
    assert told.status == 2
    assert text in told.error


def test_compare_imports_nothing_heavy(many: Path) -> None:
    code = (
        "import sys\nfrom zoo.cli.main import cli\n"
        "cli.main(['compare', 'many'], standalone_mode=False)\n"
        "heavy = {'torch', 'ray', 'mlflow', 'matplotlib', 'sympy', 'jinja2', 'transformers'}\n"
        "assert not heavy & {name.partition('.')[0] for name in sys.modules}"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=many,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin", "HOME": str(many)},
    )
    assert done.returncode == 0, done.stderr


def test_compare_of_a_rehearsal_decides_nothing(folder: Path) -> None:
    """Its evaluations are fewer, so a claim may be about a number that it does not have."""
    late = CLAIMS.replace("acc/t1.0", "pass2/t1.0")
    path = folder / "experiments/many.yaml"
    path.write_text(MANIFEST.replace("trainer: simulated\n", "") + late)
    told = zoo("compare", "many.rehearsal")
    assert told.status == 0
    assert "claims" not in told.text
    assert data("many.rehearsal")["claims"] == []


def test_failed_trial_is_missing_and_the_table_says_so(many: Path) -> None:
    path, *_ = sorted((many / "runs/train").glob("pocket-llama.*hard.s2-*/record.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "failed"}))
    found = data("many")
    counts = [(cell["failed"], cell["ended"], cell["n"]) for cell in found["cells"]]
    assert sorted(counts) == [(0, 3, 3)] * 3 + [(1, 2, 2)]
    assert "2 trials, 1 not ended (1 failed: missing)" in zoo("compare", "many").prose
    verdicts = {row["id"]: row["verdict"] for row in found["claims"]}
    assert verdicts["hard-costs"] == "undecided"


def test_effects_have_their_descriptions_without_intervals(many: Path) -> None:
    (effect,) = data("many", "--by", "data")["effects"]
    told = zoo("compare", "many", "--by", "data").prose
    assert f"higher in {100 * effect['improvement']:.0f} % of pairs of trials" in told
    assert f"interquartile means {effect['iqm'][0]:.1f} points and" in told
