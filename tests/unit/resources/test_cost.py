from __future__ import annotations

from typing import Any

import pytest

from tests.support.study_models import evaluations, model, profile, trial
from zoo.catalog import Batch, Catalog, ComputeProfile, Gpu, ModelCard
from zoo.resources import MeasuredRate, Rate, expected, measured_rates, trial_cost
from zoo.resources.cost import TOKEN_BYTES, responses
from zoo.resources.rates import (
    GUESSED_SPREAD,
    NODES_SPREAD,
    PLANNED,
    SPREAD,
    exchange_s,
    interpolate,
    planned_rate,
    sampling_rate,
    token_s,
)

# The study (README:L140, I#69): GPUs, rounds, GPU-hours. How many rounds the last two took is not
# stated; their curves end at 155.
STUDY = [
    ("qwen2.5-7b", 16, 100, 240),
    ("qwen2.5-14b", 16, 100, 240),
    ("qwen2.5-32b", 64, 100, 2304),
    ("qwen2.5-32b", 64, 155, 2304),
    ("mistral-small-24b", 128, 100, 4608),
    ("mistral-small-24b", 128, 155, 4608),
]
STUDY_BATCH = Batch(prompts=1024, num_generations=8, updates=4, micro_batch=2)  # sh:L30


@pytest.mark.parametrize(("name", "gpus", "rounds", "published"), STUDY)
@pytest.mark.parametrize("width", ["as published", "as planned"])
def test_published_hours_lie_within_the_planned_interval(
    name: str, gpus: int, rounds: int, published: int, width: str
) -> None:
    made = trial(name, rounds=rounds, batch=STUDY_BATCH)
    wide = gpus if width == "as published" else None
    found = trial_cost(made, profile(gpus), gpus=wide)
    low, mid, high = found.train.low, found.train.mid, found.train.high
    print(f"\n{name}, {found.gpus} GPUs, {rounds} rounds: {published:,} published, "
          f"{mid:,.0f} ({low:,.0f} to {high:,.0f}) planned")  # fmt: skip
    assert found.train.low < published < found.train.high


def test_several_nodes_cost_more_and_are_known_less_well() -> None:
    made = trial("qwen2.5-7b", batch=STUDY_BATCH)
    one, node, two = (trial_cost(made, profile(16), gpus=gpus).train for gpus in (1, 8, 16))
    assert one.mid < node.mid < one.mid * 1.3 < two.mid
    assert (node.high / node.mid, two.high / two.mid) == pytest.approx((SPREAD, NODES_SPREAD))


def test_larger_micro_batches_exchange_weights_less_often() -> None:
    small, large = (
        trial_cost(trial("qwen2.5-32b", batch=batch), profile(16)).train.mid
        for batch in (STUDY_BATCH, STUDY_BATCH.model_copy(update={"micro_batch": 4}))
    )
    assert large < small
    assert exchange_s(32.76e9, 2) == pytest.approx(9 * exchange_s(32.76e9, 1))


def test_tensor_parallelism_shortens_a_token_and_costs_sampling() -> None:
    assert token_s(7.6e9, 1) == pytest.approx(2 * token_s(7.6e9, 2)) == pytest.approx(9e-3, rel=0.1)
    assert sampling_rate(7.62e9, False, 4) == pytest.approx(0.95**2 * sampling_rate(7.62e9, False))


def test_planning_rates_are_the_tables_and_go_on_between_them() -> None:
    for size, rate in PLANNED:
        assert planned_rate(size, cpu=False) == pytest.approx(rate)
    assert 600 > planned_rate(23.6e9, cpu=False) > 250
    assert planned_rate(1e6, cpu=False) == 8e3  # small models are bound by launches
    assert planned_rate(70e9, cpu=False) < 250
    assert interpolate(((1, 1), (100, 10_000)), 10) == pytest.approx(100)


def test_sampling_alone_is_faster_than_a_round() -> None:
    for size, rate in PLANNED:
        assert sampling_rate(size, cpu=False) > 2 * rate
    assert sampling_rate(7.62e9, cpu=False) == pytest.approx(8160, rel=0.01)


def test_lengths_go_from_the_base_models_so_that_the_runs_mean_is_the_cards() -> None:
    lengths = expected(trial("llama-3.1-8b"))
    assert lengths.at(0) == 410
    assert lengths.mean(100) == pytest.approx(1395)
    assert lengths.at(100) == lengths.at(150) == pytest.approx(2380)  # the study: 2,040
    assert lengths.mean(10) < lengths.mean(100) < lengths.mean(155)


@pytest.mark.parametrize(("name", "told"), [("qwen2.5-32b", 735), ("mistral-small-24b", 4450)])
def test_lengths_of_runs_beyond_the_cards_average_are_near_the_studys(name: str, told: int) -> None:
    assert expected(trial(name)).mean(155) == pytest.approx(told, rel=0.2)  # figure 1, steps 0-155


def test_no_response_passes_the_cap() -> None:
    long = expected(trial("mistral-7b", reward_name="box-strict"))
    assert long.at(100) == 8192
    assert long.at(100, 16000) > 8192  # an evaluation's own limit
    assert expected(trial("qwen2.5-7b", max_completion_length=256)).mean(100) == 256


def test_a_bucket_and_a_reward_that_lengthen_responses_cost_more() -> None:
    plain, boxed = (
        trial_cost(trial("qwen2.5-7b", reward_name=r), profile(8)).train.mid
        for r in ("correctness", "box-strict")
    )
    assert plain * 1.1 < boxed < plain * 1.5
    made = trial("qwen2.5-1.5b")  # on one GPU, where tokens are all that counts
    longer = made.data.model_copy(update={"length_factor": 1.5})
    harder = trial_cost(made.model_copy(update={"data": longer}), profile(8))
    assert harder.train.mid == pytest.approx(1.5 * trial_cost(made, profile(8)).train.mid)


def test_a_card_without_lengths_gets_the_studys_middle_or_a_share_of_its_cap() -> None:
    unknown = model("qwen2.5-3b")
    assert expected(trial(unknown)).mean(100) == 900
    pocket = expected(trial(Catalog().get(ModelCard, "pocket-qwen2")))
    assert pocket.mean(40) == pytest.approx(37, rel=0.05)  # of 64, measured


def test_a_measured_rate_replaces_the_table_and_narrows_the_interval() -> None:
    made = trial("qwen2.5-7b")
    table = trial_cost(made, profile(8)).train
    rates = measured_rates([MeasuredRate("qwen2.5-7b", 4, 4e6 * n, 1000.0 * n) for n in (1, 2, 3)])
    found = trial_cost(made, profile(8), rates).train
    assert found.mid * 3600 * 4000 / 4 == pytest.approx(8192 * 100 * expected(made).mean(100))
    assert found.high / found.low < table.high / table.low
    assert table.source == "H100 table"
    assert found.source == "measured here, n=3"


def test_a_rate_of_one_gpu_pays_for_the_others_and_a_rate_of_as_many_does_not() -> None:
    made = trial("qwen2.5-7b", batch=STUDY_BATCH)
    alone, together = (
        trial_cost(made, profile(8), {"qwen2.5-7b": Rate(1000, "here", 5, gpus)}, gpus=4).train.mid
        for gpus in (1, 4)
    )
    assert together * 1.05 < alone < together * 1.3


def test_rates_are_medians_a_gpu() -> None:
    rows = [
        *(
            MeasuredRate("a", 1, 1000, 1),
            MeasuredRate("a", 1, 1100, 1),
            MeasuredRate("a", 1, 10, 1),
        ),
        *(MeasuredRate("b", 2, 1900, 1), MeasuredRate("c", 0, 500, 2), MeasuredRate("d", 1, 0, 1)),
    ]
    rates = measured_rates(rows)
    assert rates["a"] == Rate(1000, "measured here, n=3", 3)
    assert rates["b"] == Rate(950, "measured here, n=1", 1, gpus=2)
    assert rates["c"].tokens_per_s_per_gpu == 250
    assert "d" not in rates
    assert rates["a"].spread < rates["b"].spread < 2


def test_a_measured_rate_is_of_this_hardware_so_the_cards_speed_does_not_count() -> None:
    slow = profile(8, Gpu(name="A100", memory_gib=80, speed=0.4))
    made, rates = trial("qwen2.5-1.5b"), {"qwen2.5-1.5b": Rate(1000, "here", 5)}
    assert trial_cost(made, slow).train.mid == pytest.approx(
        trial_cost(made, profile(8)).train.mid / 0.4
    )
    assert trial_cost(made, slow, rates).train == trial_cost(made, profile(8), rates).train


def test_kl_and_several_passes_cost_what_their_share_of_the_work_is() -> None:
    settings: list[dict[str, Any]] = [
        *({"beta": 0.0}, {"beta": 1e-3}, {"beta": 0.0, "num_iterations": 2})
    ]
    plain, with_kl, twice = (
        trial_cost(trial("qwen2.5-1.5b", **grpo), profile(8)).train.mid for grpo in settings
    )
    assert plain < with_kl < plain * 1.2
    assert plain * 1.3 < twice < plain * 1.8


def test_evaluation_is_priced_apart_and_the_base_models_share_apart_from_that() -> None:
    measured = evaluations((0, 50, 100))
    found = trial_cost(trial("qwen2.5-7b", measured=measured), profile(8))
    assert sum(map(responses, measured)) == 1319 + 500 + 272 + 675 + 30 * 32 + 40
    assert 0 < found.base.mid < found.evaluation.mid < found.train.mid / 20
    greedy = measured[4].model_copy(
        update={"decoding": measured[4].decoding.model_copy(update={"temperature": 0.0})}
    )
    assert responses(greedy) == 30
    assert responses(measured[0].model_copy(update={"problems": 100})) == 100
    assert found.hours.mid == pytest.approx(
        found.train.mid + found.evaluation.mid + found.start.mid
    )


def test_a_start_takes_minutes_on_every_gpu_of_the_trial() -> None:
    one, four = (trial_cost(trial(n), profile(8)) for n in ("qwen2.5-0.5b", "qwen2.5-7b"))
    assert 1 / 60 <= one.start.low < one.start.high <= 5 / 60
    assert four.start.mid == 4 * one.start.mid
    assert four.wall_hours == pytest.approx(four.hours.mid / 4)


def test_a_pocket_trial_takes_a_minute_or_two_of_one_core() -> None:
    pocket = Batch(prompts=16, num_generations=8)
    made = trial(Catalog().get(ModelCard, "pocket-qwen2"), rounds=40, batch=pocket)
    found = trial_cost(made, Catalog().get(ComputeProfile, "laptop"))
    assert found.gpus == 0
    assert 1.1 < found.train.mid * 3600 / 40 < 1.4  # seconds a round, measured
    assert found.start.mid * 3600 == pytest.approx(20)


def test_the_half_billion_on_a_core_is_as_slow_as_it_was_measured() -> None:
    batch = Batch(prompts=4, num_generations=2)  # 8 responses of 64 tokens, 70 s a round
    made = trial("qwen2.5-0.5b", rounds=2, batch=batch, max_completion_length=64)
    seconds = trial_cost(made, Catalog().get(ComputeProfile, "laptop")).train.mid * 3600 / 2
    assert 35 < seconds < 140


def test_a_model_of_unknown_size_gets_a_wide_interval() -> None:
    bare = model("qwen2.5-7b").model_copy(update={"geometry": None, "parameters": 0})
    found = trial_cost(trial(bare), profile(8)).train
    assert found.high / found.mid == pytest.approx(GUESSED_SPREAD)
    assert "not stated" in found.source


@pytest.mark.parametrize(("tokens", "told"), [(800, 4e9), (6000, 30e9)])
def test_kept_rollouts_weigh_4_gb_at_800_tokens_and_30_at_6000(tokens: int, told: float) -> None:
    made = trial("qwen2.5-7b")
    flat = made.model.response.model_copy(update={"base": tokens, "trained": tokens})  # type: ignore[union-attr]
    made = made.model_copy(update={"model": made.model.model_copy(update={"response": flat})})
    assert trial_cost(made, profile(8)).disk.rollouts == pytest.approx(told, rel=0.01)


def test_a_trial_keeps_its_final_weights_in_float32_and_its_samples() -> None:
    made = trial("qwen2.5-0.5b", measured=evaluations((0, 100)))
    found = trial_cost(made, profile(8)).disk
    assert found.checkpoint == 4 * 494_032_768
    assert found.samples == pytest.approx(TOKEN_BYTES * 3766 * expected(made).at(100))
    assert found.scores == 64 * 3766
    assert found.total == found.checkpoint + found.rollouts + found.samples + found.scores


def test_simulated_trials_cost_nothing_and_external_ones_only_their_evaluation() -> None:
    made = trial("qwen2.5-7b", measured=evaluations((0, 100)))
    simulated = trial_cost(made.model_copy(update={"trainer": "simulated"}), profile(8))
    assert simulated.hours.mid == simulated.base.mid == simulated.disk.total == 0
    external = trial_cost(made.model_copy(update={"trainer": "external"}), profile(8))
    assert external.train.mid == external.disk.checkpoint == 0 < external.evaluation.mid
