"""Seeds bought in looks on simulated sweeps: plan, first look, next look, verdicts; and seeds that
were added otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import files, zoo
from zoo.store.sweep_rows import read

SEEDS = "seeds: {start: 3, add: 2, most: 7, until: decided}"
CLEAR = """\
  - id: gains
    says: It gains.
    kind: gain
    metric: eval/pocket-easy/acc/t1.0
    expect: {higher_by: 5}
"""
MANIFEST = (
    """\
schema: experiment/1
name: grow
question: Does it gain?
recipe: pocket
trainer: simulated
batch: {prompts: 2, num_generations: 4}
grid:
  model: [pocket-qwen2, pocket-llama]
  reward: [correctness]
  data: [pocket-easy]
rounds: 6
evaluate:
  full: {benchmarks: [pocket-easy], problems: 60, samples: 2, at: [0, last]}
claims:
"""
    + CLEAR
)
NARROW = """\
  - id: far
    says: One ends far above the other.
    compare: {model: [pocket-llama, pocket-qwen2]}
    metric: eval/pocket-easy/acc/t1.0
    expect: {higher_by: 33}
"""


def write(folder: Path, seeds: str = SEEDS, claims: str = NARROW) -> Path:
    """The manifest of a sweep `grow`."""
    path = folder / "experiments/grow.yaml"
    path.write_text(f"{MANIFEST}{claims}{seeds}\n")
    return path


def rows() -> dict[str, Any]:
    """The claims of `zoo compare grow --json`, by id."""
    told = zoo("compare", "grow", "--json")
    assert told.status == 0
    return {row["id"]: row for row in json.loads(told.text)["claims"]}


def runs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "runs/train").glob("*")}


@pytest.fixture
def first(folder: Path) -> Path:
    """A sweep whose first look is done."""
    write(folder)
    assert zoo("sweep", "grow", "--bare", "--look", "1").status == 0
    return folder


def test_plan_says_the_looks_and_what_they_cost_at_most(folder: Path) -> None:
    write(folder)
    told = zoo("plan", "grow").prose
    assert "2 cells x 3 seeds = 6 trials" in told
    assert (
        "looks look 1 of 3; then 5, 7 seeds while a claim is open: at most 14 trials; errors of "
        "the looks 0.83, 1.7, 2.5 %"
    ) in told
    assert "CPU-hours with all later looks" in told
    assert "at the last of 3 looks" in told
    found = json.loads(zoo("plan", "grow", "--json", "--set", "trainer=trl").text)
    assert (found["looks"]["seeds"], found["looks"]["trials_at_most"]) == ([3, 5, 7], 14)
    assert found["looks"]["hours_at_most"]["mid"] > 2 * found["cost"]["hours"]["mid"]
    assert {claim["seeds"] for claim in found["claims"]} == {7}


def test_trials_of_looks_are_those_of_a_list_of_seeds(folder: Path) -> None:
    ids = []
    for seeds in (SEEDS, "seeds: [0, 1, 2]"):
        write(folder, seeds)
        ids.append([row["id"] for row in json.loads(zoo("plan", "grow", "--json").text)["trials"]])
    assert ids[0] == ids[1]


def test_next_look_adds_seeds_and_what_was_decided_stands(first: Path) -> None:
    before = rows()
    assert len(runs(first)) == 6
    assert (before["gains"]["verdict"], before["far"]["verdict"]) == ("supported", "undecided")
    assert zoo("sweep", "grow", "--bare", "--look", "2").status == 0
    assert len(runs(first)) == 10
    after = rows()
    assert {row["standing"] for row in after.values()} == {"sealed"}
    assert after["gains"] == before["gains"]  # of the seeds that decided it
    assert (after["gains"]["look"], after["gains"]["n"]) == (1, 6)
    assert (after["far"]["look"], after["far"]["looks"]) == (2, [3, 5, 7])
    assert after["far"]["n"] == 10
    told = zoo("compare", "grow").prose
    assert "decided at look 1 of 3 (3 seeds)" in told
    assert "open at look 2 of 3 (5 seeds)" in told
    assert zoo("sweep", "grow", "--bare", "--look", "2").prose.startswith("grow: nothing to do")
    assert len(runs(first)) == 10  # it is at the look that it came to


def bought(folder: Path) -> list[tuple[int, list[str], int]]:
    """Look, claims and number of cells of each look that drivers began."""
    found = read(folder / "runs/sweeps/grow/journal.jsonl").rows
    rows = [row for row in found if row["event"] == "bought"]
    return [(row["look"], row["claims"], len(row["cells"])) for row in rows]


def test_sweep_adds_seeds_until_the_last_look_while_a_claim_is_undecided(folder: Path) -> None:
    write(folder)
    told = zoo("sweep", "grow", "--bare")
    assert told.status == 0
    assert len(runs(folder)) == 14
    assert bought(folder) == [(2, ["far"], 2), (3, ["far"], 2)]
    assert "claim far is undecided at 3 seeds: " in told.prose
    assert "look 2 of 3 (claims far): 2 more seeds for 2 cells" in told.prose
    assert "claim gains is undecided" not in told.prose
    again = zoo("sweep", "grow", "--bare")
    assert again.prose.startswith("grow: nothing to do")
    assert len(runs(folder)) == 14


def test_sweep_adds_no_seeds_where_all_claims_are_decided(folder: Path) -> None:
    write(folder, claims="")
    assert zoo("sweep", "grow", "--bare").status == 0
    assert (len(runs(folder)), bought(folder)) == (6, [])


def test_sweep_that_was_ended_between_looks_goes_on_there_and_buys_nothing_twice(
    first: Path,
) -> None:
    (folder,) = (first / "runs/train").glob("*qwen2*.s0-*")
    kept = (folder / "record.json").read_bytes()
    assert zoo("sweep", "grow", "--bare").status == 0
    assert (len(runs(first)), bought(first)) == (14, [(2, ["far"], 2), (3, ["far"], 2)])
    assert (folder / "record.json").read_bytes() == kept


def test_look_that_failed_is_not_followed_by_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder)
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2@s4")
    assert zoo("sweep", "grow", "--bare").status == 1
    assert (len(runs(folder)), bought(folder)) == (10, [(2, ["far"], 2)])
    monkeypatch.delenv("ZOO_SIMULATE")
    assert zoo("sweep", "grow", "--bare").status == 0
    assert (len(runs(folder)), bought(folder)) == (14, [(2, ["far"], 2), (3, ["far"], 2)])


def test_seeds_are_added_to_the_cells_of_undecided_claims_alone(folder: Path) -> None:
    path = write(folder)
    more = (
        path.read_text()
        .replace("reward: [correctness]", "reward: [correctness, box-strict]")
        .replace("says: One ends", "where: {reward: correctness}\n    says: One ends")
    )
    path.write_text(more)
    assert zoo("sweep", "grow", "--bare").status == 0
    seeds = {
        reward: sum(f".{reward}." in name for name in runs(folder))
        for reward in ("correctness", "box-strict")
    }
    assert seeds == {"correctness": 14, "box-strict": 6}
    assert {cells for _, _, cells in bought(folder)} == {2}
    assert {row["standing"] for row in rows().values()} == {"sealed"}
    assert rows()["gains"]["look"] == 1
    assert "20 done" in zoo("status", "grow").prose
    assert zoo("plan", "grow", "--diff").prose == "nothing changed since the sweep last started"
    assert zoo("sweep", "grow", "--bare").prose.startswith("grow: nothing to do")
    assert len(runs(folder)) == 20


def test_look_before_its_time_is_refused(first: Path) -> None:
    before = files(first)
    told = zoo("sweep", "grow", "--look", "3")
    assert (told.status, told.error) == (2, "--look 3: the sweep is at look 1; expected 1 or 2")
    (gone, *_) = (first / "runs/train").glob("*.s2-*")
    kept = (gone / "record.json").read_text()
    (gone / "record.json").unlink()
    told = zoo("sweep", "grow", "--look", "2")
    assert told.status == 2
    assert "trials of look 1 have no number yet (claims gains" in told.error
    (gone / "record.json").write_text(kept)
    assert files(first) == before


def test_look_with_nothing_left_to_decide_is_refused(folder: Path) -> None:
    write(folder, claims="")
    assert zoo("sweep", "grow", "--bare").status == 0
    told = zoo("sweep", "grow", "--look", "2")
    assert told.status == 2
    assert "all claims are decided at look 1; expected a sealed claim that is unde" in told.error
    assert len(runs(folder)) == 6


def test_look_without_declared_looks_or_start_is_refused(folder: Path) -> None:
    write(folder)
    told = zoo("sweep", "grow", "--look", "2")
    assert (told.status, "look 1 has not started" in told.error) == (2, True)
    write(folder, "seeds: [0, 1]")
    told = zoo("plan", "grow", "--look", "2")
    assert (told.status, "the manifest declares no looks" in told.error) == (2, True)


def test_seeds_added_after_results_make_a_claim_extended(folder: Path) -> None:
    write(folder, "seeds: [0, 1, 2]")
    assert zoo("sweep", "grow", "--bare").status == 0
    assert rows()["gains"]["verdict"] == "supported"
    write(folder, "seeds: [0, 1, 2, 3]")
    assert "extended by seeds, cells or rounds after" in zoo("plan", "grow").prose
    assert zoo("sweep", "grow", "--bare").status == 0
    found = rows()
    assert {row["standing"] for row in found.values()} == {"extended"}
    assert {row["verdict"] for row in found.values()} == {None}
    assert found["gains"]["low"] > 5
    assert (
        "extended: seeds, cells or rounds were added after its results were known"
        in zoo("compare", "grow").prose
    )
    write(folder, "seeds: [0, 1, 2]")  # the seeds that were sealed
    assert rows()["gains"]["verdict"] == "supported"


def test_looks_declared_after_results_make_a_claim_extended(folder: Path) -> None:
    write(folder, "seeds: [0, 1, 2]")
    assert zoo("sweep", "grow", "--bare").status == 0
    write(folder)
    assert {row["standing"] for row in rows().values()} == {"extended"}
    told = zoo("sweep", "grow", "--bare", "--look", "2")
    assert (told.status, "no claim is sealed" in told.error) == (2, True)


def test_seeds_taken_away_after_results_change_a_claim(folder: Path) -> None:
    write(folder, "seeds: [0, 1, 2]")
    assert zoo("sweep", "grow", "--bare").status == 0
    write(folder, "seeds: [0, 1]")
    assert {row["standing"] for row in rows().values()} == {"changed"}
