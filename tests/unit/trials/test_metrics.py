"""What a study measures is known by name before it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.evals.aggregate import measures, repeated
from zoo.evals.cross_check import audit_values
from zoo.evals.depth import response_measures
from zoo.grading import Verdict
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials.metrics import (
    KL_BASE_POLICY,
    MEASURES,
    Metric,
    Series,
    final_rounds,
    is_logged,
    known_metrics,
    last_k,
    measure_names,
    metrics_of,
    unit,
)
from zoo.trials.trial import Evaluation

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
    assert metric.final == metric.series == Series((0, 7), (500,))
    watch = found["watch/pocket-easy/acc/t1.0"]
    assert watch.series == Series((0, 2, 4, 6), (50,))
    assert watch.final is None
    assert "watch/pocket-easy/acc/t0" not in found


def test_kl_to_the_base_is_a_metric_of_the_rounds_of_watch_alone(write: Write) -> None:
    found = known(write(rounds="7", evaluate=EVALUATE))
    assert found[KL_BASE_POLICY].series == Series((2, 4, 6))
    assert found[KL_BASE_POLICY].final is None
    found = known(write(rounds="6", evaluate=EVALUATE))
    assert found[KL_BASE_POLICY].final == Series((2, 4, 6))
    unwatched = "{full: {benchmarks: [pocket-easy], at: [0, last]}}"
    assert KL_BASE_POLICY not in known(write(rounds="6", evaluate=unwatched))
    assert not is_logged(KL_BASE_POLICY)  # in every round


@pytest.mark.parametrize(
    "name",
    [
        *("train/grade/acc/level3", "train/grade/groups/mixed/level3", "train/peak_memory"),
        *("train/completions/mean_right_length", "train/completions/frac_stop_token"),
        *("train/sampling/importance_sampling_ratio/frac_masked", "train/clip_ratio/region_mean"),
        *("train/generation_time", "train/grading_time", "train/update_time"),
        *("train/evaluation_time", "train/save_time", "train/tokens_per_second"),
    ],
)
def test_metric_of_a_round_can_have_a_tripwire(name: str) -> None:
    assert is_logged(name)


def test_lengths_are_in_tokens_and_shares_in_points() -> None:
    assert unit("train/completions/mean_wrong_length") == "tokens"
    shares = ("completions/frac_end_token", "grade/groups/mixed", "completions/clipped_ratio")
    assert {unit(f"train/{name}") for name in shares} == {"points"}
    assert unit("train/sampling/importance_sampling_ratio/frac_masked") == "points"
    assert unit(KL_BASE_POLICY) == "as logged"


def test_the_average_over_a_schedule_is_named_by_its_size(write: Write) -> None:
    found = known(write(rounds="7", evaluate=EVALUATE))
    metric = found["eval/avg2/acc/t1.0"]
    assert metric.parts == ("eval/pocket-easy/acc/t1.0", "eval/pocket-hard/acc/t1.0")
    assert metric.final == metric.series == Series((0, 7), (500, 500))
    assert not any("/avg1/" in name or name.startswith("watch/avg") for name in found)


def parts(found: dict[str, Metric], name: str) -> tuple[str, ...]:
    """What a metric is the mean of."""
    return found[name].parts


def test_each_schedule_has_its_average_and_that_of_full_is_eval(write: Write) -> None:
    said = "{{full: {{benchmarks: [pocket-easy, pocket-hard], at: [last]}}, more: {}}}"
    other = known(
        write(evaluate=said.format("{benchmarks: [pocket-easy, pocket-medium], at: [last]}"))
    )
    easy, hard, medium = (f"eval/pocket-{level}/acc/t0" for level in ("easy", "hard", "medium"))
    assert parts(other, "eval/avg2/acc/t0") == (easy, hard)
    assert parts(other, "more/avg2/acc/t0") == (easy, medium)
    same = known(write(evaluate=said.format("{benchmarks: [pocket-hard, pocket-easy], at: [2]}")))
    assert parts(same, "eval/avg2/acc/t0") == (easy, hard)
    assert "more/avg2/acc/t0" not in same
    few = "{benchmarks: [pocket-hard, pocket-easy], problems: 9, at: [2]}"
    watched = known(write(evaluate=said.replace("more", "watch").format(few)))
    assert parts(watched, "watch/avg2/acc/t0") == (
        *("watch/pocket-easy/acc/t0", "watch/pocket-hard/acc/t0"),
    )


def series(path: Path) -> dict[tuple[str, int | None, int, str], str]:
    """Benchmark, problems, samples and decoding of each evaluation -> its series."""
    trial = expand(load(path), Catalog(path.parent / "cards"))[0]
    return {
        (e.benchmark.name, e.problems, e.samples, e.decoding_name): e.series
        for e in trial.evaluations
    }


def test_a_set_of_full_is_eval_and_other_sets_have_their_schedules_name(write: Write) -> None:
    said = (
        "{watch: {benchmarks: [pocket-easy, pocket-medium], problems: 8, every: 1, "
        "decodings: [t1.0]}, full: {benchmarks: [pocket-easy], problems: 8, samples: 4, "
        "at: [0, last]}, more: {benchmarks: [pocket-easy], problems: 500, at: [0, last]}}"
    )
    assert series(write(evaluate=said)) == {
        ("pocket-easy", 8, 1, "t1.0"): "watch",
        ("pocket-medium", 8, 1, "t1.0"): "eval",  # measured by nothing else
        ("pocket-easy", 8, 4, "t1.0"): "eval",
        ("pocket-easy", 8, 1, "t0"): "eval",
        ("pocket-easy", 500, 1, "t1.0"): "more",
        ("pocket-easy", 500, 1, "t0"): "more",
    }


def test_equal_sets_are_one_series(write: Write) -> None:
    said = (
        "{watch: {benchmarks: [pocket-easy], problems: 8, every: 1}, "
        "full: {benchmarks: [pocket-easy], problems: 8, at: [0, last]}}"
    )
    assert set(series(write(evaluate=said)).values()) == {"eval"}
    assert not any(name.startswith("watch/") for name in known(write(evaluate=said)))


def test_without_full_the_largest_set_that_reaches_the_horizon_is_eval(write: Write) -> None:
    said = (
        "{few: {benchmarks: [pocket-easy], problems: 8, every: 1}, "
        "more: {benchmarks: [pocket-easy], problems: 20, at: [0, last]}, "
        "most: {benchmarks: [pocket-easy], problems: 30, at: [0]}}"
    )
    found = series(write(evaluate=said))
    assert {problems: name for (_, problems, _, _), name in found.items()} == {
        8: "few",
        20: "eval",
        30: "most",
    }


@pytest.mark.parametrize("name", ["train", "eval", "final"])
def test_a_schedule_cannot_have_the_name_of_another_kind_of_metric(write: Write, name: str) -> None:
    path = write(evaluate=f"{{{name}: {{benchmarks: [pocket-easy], at: [last]}}}}")
    with pytest.raises(InputError, match=f"a schedule named '{name}'"):
        known(path)


def test_the_series_is_no_part_of_an_evaluations_key(write: Write) -> None:
    trial = expand(load(write()), Catalog())[0]
    first = trial.evaluations[0]
    other = first.model_copy(update={"series": "watch"})
    assert (other.key, other.asked) == (first.key, first.asked)
    old = first.model_dump(mode="json")
    del old["series"]
    assert Evaluation.model_validate(old) == first


def test_final_rounds_are_the_last_of_those_measured_up_to_the_horizon() -> None:
    assert final_rounds((0, 5, 10, 20), 20, 1) == (20,)
    assert final_rounds((20, 0, 10, 5), 20, 2) == (10, 20)
    assert final_rounds((0, 20), 20, 5) == (20,)  # never the base model
    assert final_rounds((0, 5, 10), 20, 1) == ()
    assert final_rounds((0, 10, 20, 30), 20, 2) == (10, 20)
    assert (last_k("last"), last_k("mean-last-5")) == (1, 5)


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
    assert found["eval/pocket-easy/acc/t1.0"].final == Series((0, 4), (80,))  # though the watch
    assert found["watch/pocket-easy/acc/t1.0"].final == Series((0, 1, 2, 3, 4), (500,))  # is larger
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
        return Metric(name, (name,), Series(()), 1).better

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
        found |= response_measures([])
        counts = {"n", "unscored", "audited", "audit_disagreements"}
        assert set(measure_names(samples)) == set(found) - counts
