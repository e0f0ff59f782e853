"""What executors give to trials that train, and to engines over stored weights."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support import study_models
from tests.support.study_models import trial
from zoo.resources import engine_gpus, engine_trial, gpus_of, nodes_of, place, processes

profile = partial(study_models.profile, gpus_per_trial=1)


@pytest.mark.parametrize(
    ("name", "trains", "evaluates"),
    [("qwen2.5-0.5b", 1, 1), ("qwen2.5-7b", 4, 1), ("qwen2.5-14b", 8, 2), ("qwen2.5-32b", 16, 4)],
)
def test_stored_weights_are_evaluated_by_one_engine_of_the_trial(
    name: str, trains: int, evaluates: int
) -> None:
    made, node = trial(name), profile(64)
    assert (processes(made, node), gpus_of(made, node)) == (trains, trains)
    assert engine_gpus(made, node) == evaluates == place(made, node).tensor_parallel
    assert engine_trial(made, node) is made


@pytest.mark.parametrize(
    ("name", "per_node", "nodes"),
    [("qwen2.5-0.5b", 8, 1), ("qwen2.5-32b", 8, 2), ("qwen2.5-32b", 6, 4), ("qwen2.5-7b", 3, 2)],
)
def test_trial_has_as_many_gpus_on_each_of_its_nodes(name: str, per_node: int, nodes: int) -> None:
    made, cluster = trial(name), profile(64).model_copy(update={"gpus_per_node": per_node})
    assert nodes_of(made, cluster) == nodes
    assert processes(made, cluster) % nodes == 0
    assert processes(made, cluster) / nodes <= per_node


def test_engine_takes_the_gpus_of_the_weights_where_training_does_not_fit() -> None:
    made, one = trial("qwen2.5-7b"), profile(1)
    assert place(made, one).fits is False
    assert place(engine_trial(made, one), one).fits
    assert engine_gpus(made, one) == 1
    assert engine_gpus(trial("qwen2.5-32b"), profile(8)) == 2  # 61 GiB of weights and a cache


def test_checkpoint_trained_elsewhere_has_one_process_and_the_gpus_of_its_engine() -> None:
    made = trial("qwen2.5-32b").model_copy(update={"trainer": "external"})
    assert processes(made, profile(8)) == 1
    assert gpus_of(made, profile(8)) == engine_gpus(made, profile(8)) == 2
    small = trial("qwen2.5-0.5b").model_copy(update={"trainer": "external"})
    assert gpus_of(small, profile(8, gpus_per_trial=2)) == 1


def test_engine_shares_a_gpu_as_the_profile_says_and_takes_none_of_a_cpu() -> None:
    small = trial("qwen2.5-0.5b")
    assert engine_gpus(small, profile(1, gpus_per_trial=0.5)) == 0.5
    assert engine_gpus(small, profile(1, gpus_per_trial=4)) == 1
    assert engine_gpus(small, profile(0, device="cpu", gpu=None, gpus_per_trial=0)) == 0
