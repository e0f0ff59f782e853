from tests.support.trials import manifest, trials_of
from zoo.catalog import Batch, Catalog, ComputeProfile
from zoo.train.config import context_tokens, grpo_arguments, micro_batch


def test_the_micro_batch_is_a_divisor_so_the_effective_batch_never_depends_on_compute() -> None:
    batch = Batch(prompts=12, num_generations=8, updates=2)
    for wanted in (1, 5, 7, 16, 48, 1000):
        micro = micro_batch(batch, wanted)
        assert micro <= max(wanted, 1)
        assert 48 % micro == 0


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
    assert context_tokens(trial, 2048) == 64 + 1024
    assert context_tokens(trial, 512) == 512
