"""What a plan says of checkpoints that were trained elsewhere, and of its claims."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from zoo.catalog import ComputeProfile
from zoo.planning import study
from zoo.planning.options import PlanOptions
from zoo.planning.plan_report import Plan
from zoo.render import plan_data, plan_text

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


@pytest.fixture(autouse=True)
def _nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("ZOO_SWEEPS", str(tmp_path / "sweeps"))


def outlook(name: str, *sets: str, profile: str = "h100x8") -> Plan:
    made = study.load_study(str(EXPERIMENTS / f"{name}.yaml"), PlanOptions(sets=sets))
    return Plan(made, made.catalog.get(ComputeProfile, profile))


def text(found: Plan) -> str:
    return click.unstyle("\n".join(plan_text.whole(found, every_trial=False)))


def test_checkpoints_from_elsewhere_are_measured_and_not_trained() -> None:
    found = outlook("released")
    told = text(found)
    assert "10 measurements of checkpoints trained elsewhere\n" in told
    assert "rates: H100 table" in told
    assert "evaluated only" in told
    for word in ("accum", "100 rounds", "rates: none", "starts again", "data fetch", "optimiser"):
        assert word not in told
    explained = "\n".join(plan_text.explain(found, found.study.trials[0]))
    assert "placement: 1 GPU; evaluated only; fits" in explained


def test_several_samplings_of_one_checkpoint_are_said_to_be_that() -> None:
    told = text(outlook("released", "seeds=[0, 1]"))
    assert "20 measurements of checkpoints trained elsewhere, 2 samplings of each\n" in told
    assert "take one seed and more `samples`" in told


def test_claims_say_what_they_say_over_what_can_be_found() -> None:
    told = text(outlook("full_grid")).splitlines()
    title = "claims: what the seeds can detect (80 % power)"
    at = told.index("  A strict box reward lowers the final accuracy. (format-hurts, 10 verdicts)")
    assert title in told[:at]
    assert told[at + 1] == (
        "    3 seeds detect 1.6 points (3 cells a side, seed spread 1.0 points, assumed); 4 would "
        "detect 1.3 points; 2.8 points after correction"
    )


def test_the_row_of_a_claim_for_programs_has_all_numbers() -> None:
    rows = plan_data.as_data(outlook("full_grid"))["claims"]
    row = next(row for row in rows if row["id"] == "gains")
    assert (row["cells"], row["seeds"], round(row["spread"], 2)) == (3, 3, 1.0)
    assert row["spread_source"] == "assumed"
    assert row["detects"] < row["detects_corrected"]
    assert row["detects_with_one_seed_more"] < row["detects"] < row["needs_true_effect"]
    assert 0.5 < row["base_error"] < 1.3  # six benchmarks, one of them 32 times
    assert row["seeds_enough"] == 2


def test_on_a_cpu_nothing_is_said_to_fit_that_is_not_known_to() -> None:
    found = outlook("full_grid", profile="laptop")
    told = text(found).splitlines()
    (row,) = (line for line in told if line.startswith("  placement "))
    assert row.endswith(" completions an update; memory not modelled")
    assert any(line.endswith(" at least, if all of it fits here") for line in told)
    assert told[-3] == "whether they have the memory on 'laptop' is not known"
    assert told[-2] == "2 at a time, if they fit; run them:"
    assert told[-1].startswith("  zoo sweep ")
    placed = plan_data.as_data(found)["placement"][0]["profiles"]["laptop"]
    assert (placed["fits"], placed["why"]) == (None, "memory not modelled")


def test_a_pocket_model_fits_any_cpu() -> None:
    told = text(outlook("pocket", profile="laptop"))
    assert "completions an update; fits\n" in told
    assert "not known" not in told
    assert " wall-clock hours at least\n" in told


def test_a_plan_tells_what_runs_then_hours_then_what_cannot_then_warnings_then_claims() -> None:
    told = text(outlook("full_grid"))
    parts = (
        "\nwhat runs\n",
        "270 to run: never ran (--all names them)\n",
        "\ncost of what is left on 'h100x8' (8 x H100 SXM)\n",
        " GPU-hours; rates: H100 table\n",
        " wall-clock hours at least, if all of it fitted here\n",
        "\nwhat cannot run\n",
        "! 27 trials of qwen2.5-32b: needs 16 GPUs, the profile has 8; ",
        "\nmemory in GiB a GPU, where it is tight\n",
        "\nwarnings\n",
        "\nclaims: ",
        "\n216 of 270 run on 'h100x8'\nup to 8 at a time; run them:\n  zoo sweep ",
    )
    at = [told.find(part) for part in parts]
    assert -1 not in at
    assert at == sorted(at)


def test_memory_is_told_where_it_is_tight_and_for_a_trial_that_is_explained() -> None:
    week = outlook("node_week")
    assert "GiB a GPU" not in text(week)
    explained = "\n".join(plan_text.explain(week, week.study.trials[0]))
    assert "memory: peak 34.2 of 72.0 GiB a GPU: weights 1.8, " in explained
    assert "also fits: 1 GPU on 'slurm'" in explained
    rows = text(outlook("full_grid")).split("where it is tight\n")[1].split("\n\n")[0]
    assert [row.split(",")[0].strip() for row in rows.splitlines()[1:-1]] == [
        *("llama-3.1-8b", "mistral-small-24b", "qwen2.5-32b")
    ]


def test_the_lengths_that_hours_rest_on_are_told() -> None:
    told = text(outlook("full_grid"))
    (line,) = (line for line in told.splitlines() if "assumed response tokens" in line)
    assert "mistral-7b 4,145-4,341," in line  # the box rewards' arms are longer, up to the cap
    assert "qwen2.5-7b 830-1,038," in line


def test_a_crash_is_told_for_one_trial_and_for_the_node() -> None:
    found = outlook("node_week")
    (line,) = (line for line in text(found).splitlines() if "a crash loses" in line)
    one, node = found.cost.worst_loss.mid, found.cost.node_loss[1].mid
    assert f"at most {one:.3g} GPU-hours if one trial dies, {node:.3g} if a node dies" in line
    assert line.endswith(" with the 8 that it runs at once")
    assert node == pytest.approx(8 * one)


def test_a_plan_has_no_line_beyond_100_columns_but_commands() -> None:
    found = outlook("full_grid")
    lines = list(plan_text.wrapped(plan_text.whole(found, every_trial=False), 100))
    long = [line for line in lines if len(click.unstyle(line)) > 100]
    assert all(line.strip().startswith(("`zoo ", "zoo ")) for line in long)
    joined = " ".join(" ".join(map(str.strip, lines)).split())
    assert joined == " ".join("\n".join(plan_text.whole(found, every_trial=False)).split())
