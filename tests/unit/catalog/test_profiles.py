"""The compute profiles: what they have, and what a GPU-hour costs."""

from __future__ import annotations

import pytest

from zoo.catalog import Catalog, ComputeProfile
from zoo.catalog.profile import SlurmOptions

CATALOG = Catalog()
CARDS = {name: CATALOG.get(ComputeProfile, name) for name in CATALOG.names(ComputeProfile)}


def test_the_profiles_are_there() -> None:
    assert CARDS.keys() >= {
        "laptop",
        "cpu-transformers",
        "ci",
        "gpu",
        "h100",
        "h100x8",
        "ray-cluster",
        "slurm",
    }


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.gpu])
def test_a_price_says_that_it_is_an_example(name: str) -> None:
    gpu = CARDS[name].gpu
    assert gpu is not None
    assert gpu.usd_per_hour
    assert "example" in gpu.usd_source


def test_gpus_fill_their_nodes() -> None:
    told = {name: (c.gpus, c.gpus_per_node) for name, c in CARDS.items() if c.gpus}
    assert told == {"h100": (1, 1), "h100x8": (8, 8), "ray-cluster": (64, 8), "slurm": (64, 8)}


@pytest.mark.parametrize("name", CARDS)
def test_a_profile_counts_its_trials_by_what_it_has(name: str) -> None:
    card = CARDS[name]
    assert (card.device == "cuda") == (card.gpus_per_trial > 0)
    if card.gpus is not None:
        assert card.concurrency * card.gpus_per_trial <= card.gpus


@pytest.mark.parametrize("name", CARDS)
def test_a_profile_states_the_threads_of_a_trial(name: str) -> None:
    """Ray sets one thread for each CPU that it was asked for, else."""
    assert int(CARDS[name].env["OMP_NUM_THREADS"]) >= 1


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.device == "cpu"])
def test_a_cpu_profile_keeps_compilation_off_and_one_thread(name: str) -> None:
    env = CARDS[name].env
    assert (env["TORCH_COMPILE_DISABLE"], env["OMP_NUM_THREADS"]) == ("1", "1")
    assert env["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    "said",
    [
        {"address": "ray://head:10001"},
        {"address": "head"},
        {"address": "auto", "processes_per_trial": 3, "nodes_per_trial": 2},
        {"processes_per_trial": 2, "nodes_per_trial": 2},
        {"address": "auto", "device": "cuda", "processes_per_trial": 2, "nodes_per_trial": 2},
    ],
)
def test_profile_of_a_cluster_that_cannot_be_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        ComputeProfile.model_validate({"schema": "profile/1", "name": "own"} | said)


@pytest.mark.parametrize(
    "said",
    [
        *({"env": {"A=B": "c"}}, {"env": {"": "c"}}, {"cpus_per_trial": float("inf")}),
        {"gpu": {"name": "X", "memory_gib": 1e308}},
        {"gpu": {"name": "X", "memory_gib": 80, "usd_per_hour": float("inf")}},
        {"concurrency": 10**20},
    ],
)
def test_profile_with_values_beyond_any_machine_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        ComputeProfile.model_validate({"schema": "profile/1", "name": "own"} | said)


@pytest.mark.parametrize(
    "said",
    [
        {"engine_dtype": "bfloat16"},
        {"vllm_gpu_memory_utilization": 0.5},
        {"vllm_enable_sleep_mode": True},
    ],
)
def test_setting_of_vllm_without_vllm_is_refused(said: dict[str, object]) -> None:
    whole = {"schema": "profile/1", "name": "own", "engine": "transformers"}
    with pytest.raises(ValueError, match=f"`{next(iter(said))}` is for `engine: vllm`"):
        ComputeProfile.model_validate(whole | said)
    made = ComputeProfile.model_validate(whole)
    again = ComputeProfile.model_validate(made.model_dump(by_alias=True))  # as `trial.json` does
    assert again == made


def test_warm_starts_on_a_gpu_are_refused() -> None:
    whole = {"schema": "profile/1", "name": "own", "warm_starts": True}
    assert ComputeProfile.model_validate(whole).warm_starts
    with pytest.raises(ValueError, match="`warm_starts` is for `device: cpu`"):
        ComputeProfile.model_validate(whole | {"device": "cuda"})


@pytest.mark.parametrize(("name", "warm"), [("laptop", True), ("ci", True), ("gpu", False)])
def test_bundled_profiles_start_warm_on_small_cpus_only(name: str, warm: bool) -> None:
    assert Catalog().get(ComputeProfile, name).warm_starts is warm


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        *(("90", 5400), ("90:30", 5430), ("1:00:00", 3600)),
        *(("2-00", 172_800), ("2-03:30", 185_400), ("1-00:00:30", 86_430), (None, None)),
    ],
)
def test_time_limit_of_slurm_is_read_as_sbatch_reads_it(
    time: str | None, seconds: int | None
) -> None:
    assert SlurmOptions(time=time).limit_s == seconds


@pytest.mark.parametrize(
    "slurm",
    [
        *({"time": "soon"}, {"time": "1-1:1"}, {"partition": "a b"}, {"account": "x\n#SBATCH"}),
        *({"extra": ["mem=4G"]}, {"extra": ["--a\nrm"]}, {"nodes": 2}),
        {"time": "3"},
    ],
)
def test_slurm_section_with_what_no_script_can_hold_is_refused(slurm: dict[str, object]) -> None:
    whole = {"schema": "profile/1", "name": "own", "executor": "slurm", "grace_s": 100}
    with pytest.raises(ValueError, match="1 validation error"):
        ComputeProfile.model_validate(whole | {"slurm": slurm})
