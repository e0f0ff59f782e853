from pathlib import Path

import pytest

from tests.support.study_models import profile
from tests.support.study_models import trial as study_trial
from tests.support.trials import manifest, trials_of
from zoo.catalog import Batch, Catalog, ComputeProfile
from zoo.resources import place
from zoo.trainer.grpo_config import engine_arguments, grpo_arguments


def test_a_round_is_one_generation_phase_and_its_updates(tmp_path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    trial = trial.model_copy(update={"batch": Batch(prompts=16, num_generations=8, updates=4)})
    profile = Catalog().get(ComputeProfile, "laptop").model_copy(update={"micro_batch": 16})
    arguments = grpo_arguments(trial, profile, "out", 2048)
    micro, accumulation = (
        arguments["per_device_train_batch_size"],
        arguments["gradient_accumulation_steps"],
    )
    assert micro * accumulation * 4 == 128
    assert micro * arguments["steps_per_generation"] == 128
    assert arguments["max_steps"] == trial.rounds * 4
    assert arguments["seed"] == trial.seed


def test_the_recipe_reaches_trl_as_it_stands(tmp_path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    arguments = grpo_arguments(trial, Catalog().get(ComputeProfile, "laptop"), "out", 2048)
    assert arguments.items() >= trial.grpo.items()
    assert arguments["beta"] == trial.model.beta
    assert arguments["max_completion_length"] == trial.model.cap == 64
    assert "generation_kwargs" not in arguments


def test_stop_ids_of_the_card_reach_the_engine(tmp_path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    model = trial.model.model_copy(update={"stop_ids": (5, 7)})
    arguments = grpo_arguments(
        trial.model_copy(update={"model": model}),
        Catalog().get(ComputeProfile, "laptop"),
        "out",
        2048,
    )
    assert arguments["generation_kwargs"] == {"stop_token_ids": [5, 7]}


def test_the_engine_is_sized_for_training_and_evaluation_and_never_beyond_the_model(
    tmp_path,
) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    laptop = Catalog().get(ComputeProfile, "laptop")
    for context, wanted in ((2048, 64 + 1024), (512, 512)):
        arguments = grpo_arguments(trial, laptop, "out", context)
        assert arguments["vllm_max_model_length"] == wanted
    arguments = grpo_arguments(trial, laptop, "out", 2048, longest_prompt=1208)
    assert arguments["vllm_max_model_length"] == 64 + 1208


def test_a_pinned_micro_batch_reaches_trl(tmp_path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    pinned = Batch(prompts=16, num_generations=8, updates=4, micro_batch=2)
    arguments = grpo_arguments(
        trial.model_copy(update={"batch": pinned}),
        Catalog().get(ComputeProfile, "laptop"),
        "out",
        2048,
    )
    assert arguments["per_device_train_batch_size"] == 2
    assert arguments["gradient_accumulation_steps"] == 16


def test_on_a_known_gpu_the_plans_placement_is_what_runs() -> None:
    planned, made = profile(1), study_trial("qwen2.5-1.5b")
    arguments, placed = grpo_arguments(made, planned, "out", 32768), place(made, planned)
    assert arguments["per_device_train_batch_size"] == placed.micro_batch
    assert arguments["gradient_accumulation_steps"] == placed.accumulation
    assert arguments["vllm_gpu_memory_utilization"] == placed.utilisation


def test_updates_that_are_done_several_times_are_more_steps_and_no_more_rounds(tmp_path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    trial = trial.model_copy(update={"grpo": trial.grpo | {"num_iterations": 3}})
    arguments = grpo_arguments(trial, Catalog().get(ComputeProfile, "laptop"), "out", 2048)
    assert arguments["max_steps"] == trial.rounds * trial.batch.updates * 3


def test_arguments_without_vllm_say_nothing_to_it(tmp_path: Path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    on_cpu = Catalog().get(ComputeProfile, "cpu-transformers")
    arguments = grpo_arguments(trial, on_cpu, "out", 2048)
    assert arguments["use_vllm"] is False
    more = {name for name in arguments.keys() - trial.grpo.keys() if name.startswith("vllm")}
    assert more == set()
    assert "generation_kwargs" not in arguments  # stop ids are the model's end ids


def test_trial_over_several_gpus_is_sharded_and_checkpoints_its_layers(tmp_path: Path) -> None:
    trial = trials_of(manifest(tmp_path, recipe="simplerl-zoo", batch="{}"))[0]
    node = Catalog().get(ComputeProfile, "h100x8")
    wide = node.model_copy(update={"gpus_per_trial": 4})
    one, four = (grpo_arguments(trial, profile, "out", 2048) for profile in (node, wide))
    assert "fsdp" not in one
    assert one["gradient_checkpointing"]
    assert four["fsdp"] is True
    assert not four["gradient_checkpointing"]  # of the sharding's own
    assert four["fsdp_config"]["activation_checkpointing"]
    assert four["fsdp_config"]["version"] == 2
    each = four["per_device_train_batch_size"] * four["gradient_accumulation_steps"]
    assert each * 4 == trial.batch.per_update
    assert four["steps_per_generation"] == four["gradient_accumulation_steps"] * trial.batch.updates


def test_weights_are_whole_on_each_gpu_where_transformers_generates(tmp_path: Path) -> None:
    trial = trials_of(manifest(tmp_path, recipe="simplerl-zoo", batch="{}"))[0]
    said = {"gpus_per_trial": 4, "engine": "transformers", "vllm_enable_sleep_mode": False}
    wide = Catalog().get(ComputeProfile, "h100x8").model_copy(update=said)
    arguments = grpo_arguments(trial, wide, "out", 2048)
    assert "fsdp" not in arguments
    assert arguments["gradient_checkpointing"]


def test_cpu_processes_split_an_update_and_are_not_sharded(tmp_path: Path) -> None:
    trial = trials_of(manifest(tmp_path))[0]
    laptop = Catalog().get(ComputeProfile, "laptop")
    two = laptop.model_copy(update={"processes_per_trial": 2})
    arguments = grpo_arguments(trial, two, "out", 2048)
    each = arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"]
    assert each * 2 == trial.batch.per_update
    assert "fsdp" not in arguments


@pytest.mark.parametrize(
    ("name", "width", "backend", "share"),
    [("qwen2.5-7b", 1, "external_launcher", 0.3), ("qwen2.5-32b", 4, "mp", 0.35)],
)
def test_engine_over_stored_weights_is_as_wide_as_one_of_the_trial(
    name: str, width: int, backend: str, share: float
) -> None:
    made, node = study_trial(name), profile(64)
    live = grpo_arguments(made, node, "out", 8192)
    placed = place(made, node)
    assert engine_arguments(live, "bfloat16") == {
        "tensor_parallel_size": width,
        "max_model_len": 8192,
        "gpu_memory_utilization": share,
        "max_num_seqs": made.batch.completions // placed.processes * width,  # as TRL counts
        "max_num_batched_tokens": 4096,
        "logprobs_mode": "processed_logprobs",
        "distributed_executor_backend": backend,
        "seed": 0,
        "dtype": "bfloat16",
    }
