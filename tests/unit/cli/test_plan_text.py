"""What a plan says of checkpoints that were trained elsewhere, and of its claims."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from zoo.catalog import ComputeProfile
from zoo.cli import context, plan_data, plan_text
from zoo.cli.outlook import Outlook

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


@pytest.fixture(autouse=True)
def _nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("ZOO_SWEEPS", str(tmp_path / "sweeps"))


def outlook(name: str, *sets: str, profile: str = "h100x8") -> Outlook:
    made = context.plan(str(EXPERIMENTS / f"{name}.yaml"), context.Words(sets=sets))
    return Outlook(made, made.catalog.get(ComputeProfile, profile))


def text(found: Outlook) -> str:
    return click.unstyle("\n".join(plan_text.whole(found, every_trial=False)))


def test_checkpoints_from_elsewhere_are_measured_and_not_trained() -> None:
    found = outlook("released")
    told = text(found)
    assert "10 measurements of checkpoints trained elsewhere\n" in told
    assert "rates: H100 table" in told
    assert "measured only" in told
    for word in ("accum", "100 rounds", "rates: none", "starts again", "data fetch", "optimiser"):
        assert word not in told
    explained = "\n".join(plan_text.explain(found, found.made.trials[0]))
    assert "placement: 1 GPU; measured only; fits" in explained


def test_several_samplings_of_one_checkpoint_are_said_to_be_that() -> None:
    told = text(outlook("released", "seeds=[0, 1]"))
    assert "20 measurements of checkpoints trained elsewhere, 2 samplings of each\n" in told
    assert "take one seed and more `samples`" in told


def test_claims_say_what_they_say_over_what_can_be_found() -> None:
    told = text(outlook("full_grid")).splitlines()
    title = "claims: what the seeds can detect (80 % power, seed spread 1.3 points, prior)"
    at = told.index("  A strict box reward lowers the final accuracy. (format-hurts, 10 verdicts)")
    assert title in told[:at]
    assert told[at + 1] == (
        "    3 seeds detect 1.7 points (3 cells a side); 4 would detect 1.5 points; "
        "2.5 points after correction"
    )


def test_the_row_of_a_claim_for_programs_has_all_numbers() -> None:
    rows = plan_data.as_data(outlook("full_grid"))["claims"]
    row = next(row for row in rows if row["id"] == "gains")
    assert (row["cells"], row["seeds"], row["spread"]) == (3, 3, 1.3)
    assert row["detects"] < row["detects_corrected"]
    assert row["detects_with_one_seed_more"] < row["detects"] < row["needs_true_effect"]
    assert 0.5 < row["base_error"] < 1.3  # six benchmarks, one of them 32 times
    assert row["seeds_enough"] == 2


def test_on_a_cpu_nothing_is_said_to_fit_that_is_not_known_to() -> None:
    found = outlook("full_grid", profile="laptop")
    told = text(found).splitlines()
    (row,) = (line for line in told if line.startswith("  qwen2.5-32b ") and "micro" in line)
    assert row.endswith(" completions an update  memory not modelled")
    assert any(line.startswith("  if all of it fits here, wall-clock at least ") for line in told)
    assert told[-2] == "0 of 270 run on 'laptop'; whether 270 have the memory is not known"
    assert told[-1].startswith("2 at a time on 'laptop', if they fit; run them: zoo sweep ")
    placed = plan_data.as_data(found)["placement"][0]["profiles"]["laptop"]
    assert (placed["fits"], placed["why"]) == (None, "memory not modelled")


def test_a_pocket_model_fits_any_cpu() -> None:
    told = text(outlook("pocket", profile="laptop"))
    assert "completions an update  fits\n" in told
    assert "not known" not in told
    assert "  wall-clock at least " in told
