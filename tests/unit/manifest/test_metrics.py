"""What a study measures is known by name before it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.catalog import Catalog
from zoo.evals.metrics import measures, repeated
from zoo.evals.second import audit_values
from zoo.grading import Verdict
from zoo.manifest import expand, load
from zoo.manifest.metrics import (
    MEASURES,
    Metric,
    Series,
    known_metrics,
    measure_names,
    metrics_of,
    unit,
)

Write = Callable[..., Path]
EVALUATE = (
    "{watch: {benchmarks: [pocket-easy], problems: 50, every: 2, decodings: [t1.0]}, "
    "full: {benchmarks: [pocket-easy, pocket-hard], at: [0, last]}}"
)


def known(path: Path) -> dict[str, Metric]:
    """Metrics of a manifest."""
    return metrics_of(expand(load(path), Catalog(path.parent / "cards")))


def test_every_benchmark_measure_and_decoding_has_a_name(write: Write) -> None:
    found = known(write(rounds="7", evaluate=EVALUATE))
    assert "eval/pocket-hard/clipped_ratio/t0" in found
    assert "train/completions/mean_terminated_length" in found
    assert "eval/pocket-easy/pass1/t1.0" not in found  # one response a problem
    metric = found["eval/pocket-easy/acc/t1.0"]
    assert metric.final == Series((0, 7), (500,))
    assert metric.curve == Series((0, 2, 4, 6), (50,))  # the watch, for curves


def test_the_average_over_a_schedule_is_named_by_its_size(write: Write) -> None:
    found = known(write(rounds="7", evaluate=EVALUATE))
    metric = found["eval/avg2/acc/t1.0"]
    assert metric.parts == ("eval/pocket-easy/acc/t1.0", "eval/pocket-hard/acc/t1.0")
    assert metric.final == Series((0, 7), (500, 500))
    assert metric.curve == Series((0,), (50, 500))  # the only round that both curves have
    assert "eval/avg1/acc/t1.0" not in found


def test_two_schedules_of_one_size_have_no_common_average(write: Write) -> None:
    said = "{{full: {{benchmarks: [pocket-easy, pocket-hard], at: [last]}}, more: {}}}"
    other = said.format("{benchmarks: [pocket-easy, pocket-medium], at: [last]}")
    assert "eval/avg2/acc/t0" not in known(write(evaluate=other))
    same = said.format("{benchmarks: [pocket-hard, pocket-easy], at: [2]}")
    assert "eval/avg2/acc/t0" in known(write(evaluate=same))


def test_a_metric_that_stops_before_the_horizon_has_no_final_number(write: Write) -> None:
    found = known(write(rounds="4", evaluate="{full: {benchmarks: [pocket-easy], at: [0, 2]}}"))
    assert found["eval/pocket-easy/acc/t0"].final is None


def test_several_responses_a_problem_give_pass_and_maj(write: Write, tmp_path: Path) -> None:
    cards = tmp_path / "cards" / "benchmarks"
    cards.mkdir(parents=True)
    (cards / "many.yaml").write_text(
        "schema: benchmark/1\nname: many\npocket: {level: easy, split: benchmark, n: 30}\n"
        "samples: 8\n"
    )
    found = known(write(evaluate="{full: {benchmarks: [many], at: [0, last]}}"))
    names = [name.split("/")[2] for name in found if name.endswith("/t1.0")]
    assert [n for n in names if n not in MEASURES] == [
        *("avg8", "pass1", "pass2", "pass4", "pass8", "maj8"),
    ]
    assert found["eval/many/acc/t1.0"].final == Series((0, 4), (240,))
    greedy = Series((0, 4), (30,), sampled=False)  # takes one
    assert found["eval/many/acc/t0"].final == greedy


def test_more_samples_than_the_card_says_give_more_of_k(write: Write) -> None:
    said = "{watch: {benchmarks: [pocket-easy], every: 1}, "
    said += "full: {benchmarks: [pocket-easy], problems: 20, samples: 4, at: [0, last]}}"
    found = known(write(evaluate=said))
    assert found["eval/pocket-easy/pass4/t1.0"].final == Series((0, 4), (80,))
    assert found["eval/pocket-easy/acc/t1.0"].final == Series((0, 1, 2, 3, 4), (500,))
    assert "eval/pocket-easy/pass4/t0" not in found


def test_checkpoints_from_elsewhere_have_no_training_metrics(write: Write) -> None:
    trial = expand(load(write()), Catalog())[0]
    found = known_metrics(trial.evaluations, trial.rounds, trained=False)
    assert all(name.startswith("eval/") for name in found)


def test_units_and_directions_follow_from_the_name() -> None:
    assert unit("eval/a/acc/t0") == unit("eval/a/pass64/t1.0") == "points"
    assert unit("eval/a/acc_boxed/t0") == unit("eval/a/audit_disagreement/t0") == "points"
    assert unit("train/completions/clipped_ratio") == unit("train/accuracy") == "points"
    assert unit("train/frac_reward_zero_std") == "points"
    assert unit("eval/a/mean_terminated_length/t0") == "tokens"
    assert unit("train/kl") == unit("train/reward") == "as logged"

    def better(name: str) -> str | None:
        return Metric(name, (name,), None, Series(())).better

    assert better("eval/a/acc_boxed/t0") == "higher"
    assert better("eval/a/audit_disagreement/t0") == "lower"
    assert better("eval/a/avg32/t1.0") == better("eval/a/box_ratio/t0") == "higher"
    assert better("train/completions/clipped_ratio") == "lower"
    assert better("eval/a/mean_length/t0") is better("train/entropy") is None


def test_the_names_are_what_evaluation_measures() -> None:
    for samples in (1, 2, 3, 8, 32):
        verdicts = [Verdict.CORRECT] * samples
        found = measures(verdicts, [True] * samples, [3] * samples, ["stop"] * samples)
        found |= repeated(verdicts, ["1"] * samples, samples) | audit_values(None)
        counts = {"n", "unscored", "audited", "audit_disagreements"}
        assert set(measure_names(samples)) == set(found) - counts
