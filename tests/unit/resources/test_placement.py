from __future__ import annotations

from typing import Any

import pytest

from tests.support.study_models import H100, ROWS, model, profile, trial
from zoo.catalog import Batch, Catalog, ComputeProfile, Gpu, ModelCard
from zoo.resources import fits_each, longest_sequence, micro_batch, place

ANY = profile(None)


@pytest.mark.parametrize(
    ("name", "gpus"),
    [("qwen2.5-7b", 16), ("qwen2.5-14b", 16), ("mistral-small-24b", 128), ("qwen2.5-32b", 64)],
)
def test_the_studys_own_runs_fit_where_they_ran(name: str, gpus: int) -> None:
    found = place(trial(name), profile(gpus), gpus=gpus)
    assert found.fits
    assert found.gpus == gpus
    assert place(trial(name), profile(gpus)).fits  # and so does the smallest that is enough


# What TRL needs on cards of 80 GB without a KL term: 14B "4 tight, 8 comfortable", 24B and 32B
# "8 tight, 16".
@pytest.mark.parametrize(
    ("name", "gpus"),
    [
        *(("qwen2.5-0.5b", 1), ("qwen2.5-1.5b", 1), ("llama-3.2-1b", 1), ("qwen2.5-3b", 1)),
        *(("qwen2.5-7b", 4), ("llama-3.1-8b", 4), ("mistral-7b", 4), ("deepseek-math-7b", 4)),
        *(("qwen2.5-14b", 8), ("mistral-small-24b", 8), ("qwen2.5-32b", 16)),
    ],
)
def test_the_smallest_number_of_gpus_is_the_planning_tables(name: str, gpus: int) -> None:
    assert place(trial(name, beta=0.0), ANY).gpus == gpus


def test_a_reference_model_takes_room() -> None:
    without, with_kl = place(trial("qwen2.5-3b", beta=0.0), ANY), place(trial("qwen2.5-3b"), ANY)
    assert without.memory
    assert with_kl.memory
    assert without.memory.reference == 0 < with_kl.memory.reference
    assert without.gpus < with_kl.gpus


def test_eight_bit_adam_needs_fewer_gpus() -> None:
    plain, small = (
        place(trial("qwen2.5-7b", beta=0.0, optim=optim), ANY)
        for optim in ("adamw_torch", "adamw_8bit")
    )
    assert (plain.gpus, small.gpus) == (4, 2)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("gpus", [None, 1, 2, 8, 128])
def test_the_effective_batch_never_depends_on_compute(name: str, gpus: int | None) -> None:
    found = place(trial(name), ANY, gpus=gpus)
    assert found.micro_batch * found.accumulation * found.gpus == 2048
    assert found.proof.endswith("= 2,048 completions an update")


def test_the_proof_reads_as_a_product() -> None:
    found = place(trial("qwen2.5-7b", max_completion_length=16384), profile(16), gpus=16)
    assert found.proof == "micro 8 x accum 16 x 16 GPUs = 2,048 completions an update"


@pytest.mark.parametrize("name", ROWS)
def test_tensor_parallelism_divides_gpus_and_query_heads(name: str) -> None:
    for gpus in (1, 2, 4, 8, 16):
        width = place(trial(name), ANY, gpus=gpus).tensor_parallel
        assert gpus % width == 0
        assert int(ROWS[name][2]) % width == 0
        assert width <= 8


def test_a_model_with_many_key_heads_is_split_wider() -> None:
    wide, narrow = place(trial("deepseek-math-7b"), ANY), place(trial("qwen2.5-7b"), ANY)
    assert wide.gpus == narrow.gpus == 4
    assert wide.tensor_parallel == 4  # 480 KiB a token
    assert narrow.tensor_parallel == 1  # 56


def test_a_pinned_micro_batch_is_left_alone() -> None:
    pinned = Batch(prompts=1024, num_generations=8, updates=4, micro_batch=2)
    found = place(trial("qwen2.5-0.5b", batch=pinned), ANY)
    assert (found.micro_batch, found.accumulation) == (2, 1024)


def test_the_profiles_micro_batch_is_an_upper_bound_and_memory_another() -> None:
    small, long = trial("qwen2.5-0.5b"), trial("qwen2.5-7b")
    assert place(small, profile(1, micro_batch=4)).micro_batch == 4
    assert place(small, profile(1, micro_batch=64)).micro_batch == 64
    assert place(long, profile(4, micro_batch=64)).micro_batch < 16


def test_an_update_that_does_not_split_evenly_is_refused() -> None:
    odd = Batch(prompts=6, num_generations=3, updates=2)  # 9 completions an update
    found = place(trial("qwen2.5-7b", batch=odd), ANY)
    assert not found.fits
    assert found.gpus == 1
    two = place(trial("qwen2.5-7b", batch=odd), ANY, gpus=2)
    assert not two.fits
    assert two.why == "9 completions an update do not split evenly over 2 GPUs"


def test_it_says_where_a_trial_fits_and_why_not_on_less() -> None:
    one, node, two = (place(trial(n), ANY) for n in ("qwen2.5-1.5b", "qwen2.5-7b", "qwen2.5-32b"))
    assert [p.where for p in (one, node, two)] == [
        *("1 GPU", "4 GPUs of one node", "16 GPUs of 2 nodes")
    ]
    assert [p.processes for p in (one, node, two)] == [1, 4, 16]
    assert "2 GPUs too few" in node.why


def test_a_trial_too_wide_for_the_profile_does_not_fit_and_says_so() -> None:
    found = place(trial("qwen2.5-32b"), profile(8))
    assert found.fits is False
    assert found.why.startswith("needs 16 GPUs, the profile has 8; 8 GPUs too few")


def test_each_card_is_told_apart() -> None:
    kinds = {"24gb": 24, "48gb": 48, "80gb": 80, "192gb": 192}
    profiles = [profile(1, Gpu(name=n, memory_gib=g), name=n) for n, g in kinds.items()]
    small, large = (fits_each(trial(n), profiles) for n in ("qwen2.5-1.5b", "qwen2.5-7b"))
    assert {name: found.fits for name, found in small.items()} == {
        **{"24gb": False, "48gb": True, "80gb": True, "192gb": True}
    }
    assert [name for name, found in large.items() if found.fits] == ["192gb"]


@pytest.mark.parametrize("name", ROWS)
def test_what_fits_stays_within_nine_tenths_of_the_card(name: str) -> None:
    found = place(trial(name), ANY)
    assert found.memory
    assert found.memory.peak <= 0.9 * H100.memory_gib
    assert found.memory.engine == pytest.approx(found.utilisation * H100.memory_gib)
    assert found.utilisation * 20 == pytest.approx(round(found.utilisation * 20))


def test_without_sleep_mode_training_has_less_room() -> None:
    awake = place(trial("qwen2.5-1.5b"), profile(1, vllm_enable_sleep_mode=False, micro_batch=64))
    asleep = place(trial("qwen2.5-1.5b"), profile(1, micro_batch=64))
    assert awake.micro_batch < asleep.micro_batch


def test_a_checkpoint_trained_elsewhere_needs_room_for_the_engine_alone() -> None:
    only_measured = trial("qwen2.5-32b").model_copy(update={"trainer": "external"})
    found = place(only_measured, profile(8))
    assert found.memory
    assert found.memory.persistent == 0
    assert found.gpus == 2  # 61 GiB of weights and a cache


def test_a_cpu_is_taken_as_it_is() -> None:
    laptop = Catalog().get(ComputeProfile, "laptop")
    found = place(trial(Catalog().get(ModelCard, "pocket-qwen2")), laptop)
    assert (found.where, found.fits, found.memory) == ("CPU", True, None)
    assert found.micro_batch == laptop.micro_batch
    large = place(trial("qwen2.5-32b"), laptop)
    assert (large.where, large.fits, large.why) == ("CPU", None, "memory not modelled")


def test_what_is_not_stated_is_not_known() -> None:
    bare = model("qwen2.5-7b").model_copy(update={"geometry": None})
    assert place(trial(bare), ANY).fits is None
    assert "geometry" in place(trial(bare), ANY).why
    assert "GPU" in place(trial("qwen2.5-7b"), profile(8, None)).why


def test_the_micro_batch_is_a_divisor_of_one_gpus_share() -> None:
    batch = Batch(prompts=12, num_generations=8, updates=2)
    for gpus in (1, 2, 4):
        for limit in (-3, 0, 1, 5, 7, 16, 48, 1000):
            micro = micro_batch(batch, limit, gpus)
            assert 1 <= micro <= max(limit, 1)
            assert 48 // gpus % micro == 0


def test_the_longest_sequence_is_training_or_evaluation_within_the_context() -> None:
    made = trial("qwen2.5-7b")
    assert longest_sequence(made, None) == 8192 + 1024
    assert longest_sequence(made, 4096) == 4096


def test_memory_is_of_the_longest_prompt_where_it_was_measured() -> None:
    made = trial("qwen2.5-1.5b")

    def activations(prompt: int | None) -> float:
        memory = place(made, profile(1, micro_batch=1), prompt=prompt).memory
        assert memory is not None
        return memory.activations

    assert activations(1024) == activations(None)
    per_token = activations(None) / (made.cap + 1024)
    assert activations(200) == pytest.approx(per_token * (made.cap + 200))
    assert activations(9000) == pytest.approx(per_token * (made.cap + 9000))


def test_the_longest_sequence_holds_a_prompt_that_was_measured() -> None:
    made = trial("qwen2.5-7b")
    assert longest_sequence(made, None, 1208) == 8192 + 1208
    assert longest_sequence(made, 9300, 1208) == 9300
    assert longest_sequence(made, None, 300) == longest_sequence(made, None)  # never less than else


def own_engine(gpus: int | None = 1, **said: Any) -> ComputeProfile:
    """One H100 a trial, where transformers generates."""
    off = {"engine_dtype": "float32", "vllm_gpu_memory_utilization": 0.3}
    return profile(gpus, engine="transformers", vllm_enable_sleep_mode=False, **off, **said)


def test_no_share_of_a_card_is_reserved_where_transformers_generates() -> None:
    made = trial("qwen2.5-1.5b")
    found, with_vllm = place(made, own_engine()), place(made, profile(1))
    assert found.fits
    assert found.memory
    assert with_vllm.memory
    assert (found.utilisation, with_vllm.generation_batch) == (0.0, 0)
    assert found.memory.asleep  # generation leaves nothing behind for training
    assert found.memory.training == pytest.approx(
        found.memory.persistent + found.memory.activations + found.memory.context
    )
    assert found.memory.kv_cache > 0


def test_weights_are_whole_on_each_of_several_gpus_where_transformers_generates() -> None:
    made = trial("qwen2.5-1.5b")
    one, four = (place(made, own_engine(8), gpus=gpus).memory for gpus in (1, 4))
    assert one
    assert four
    assert four.persistent == one.persistent
    assert four.gathered == four.gradients  # averaged in buckets


def test_generation_batch_is_what_fits_and_at_most_the_profiles() -> None:
    small, large = trial("qwen2.5-0.5b"), trial("qwen2.5-3b", beta=0.0)
    assert place(small, own_engine(generation_batch=4)).generation_batch == 4
    found = place(large, own_engine(generation_batch=4096))
    assert found.memory
    assert 1 <= found.generation_batch < 4096
    assert found.memory.peak <= 0.9 * H100.memory_gib
    longer = place(
        trial("qwen2.5-3b", beta=0.0, max_completion_length=16384),
        own_engine(generation_batch=4096),
    )
    assert longer.generation_batch < found.generation_batch


def test_engine_without_a_card_that_is_known_takes_the_profiles_generation_batch() -> None:
    on_cpu = Catalog().get(ComputeProfile, "cpu-transformers")
    assert place(trial("qwen2.5-0.5b"), on_cpu).generation_batch == on_cpu.generation_batch == 128
