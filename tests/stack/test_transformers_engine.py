"""Trials whose responses transformers generates: vLLM is never imported, draws depend on nothing
but the seed, and what holds of trials with vLLM holds here."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
import torch
from accelerate.utils import convert_outputs_to_fp32
from safetensors.numpy import load_file

from tests.support.same_trial import traces
from tests.support.trials import finish, manifest, start, trials_of
from zoo.catalog import Catalog, ComputeProfile
from zoo.data.resolve import EMBEDDED
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store
from zoo.trainer.policy import end_ids, load_policy
from zoo.trainer.transformers_engine import Draw, Generator, Sampling, mixed_precision
from zoo.trials.trial import Trial

ROOT = Path(__file__).parents[2]
BLOCK = """import sys
from importlib.machinery import ModuleSpec

class Block:  # vLLM is there and its import fails, which is worse than if it were not there
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] == "vllm" else None

    def create_module(self, spec):
        raise ImportError("vllm is blocked in this test")

    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Block())
"""


MEASURED = (
    "{full: {benchmarks: [pocket-easy], problems: 16, at: [0, last]}, "
    "watch: {benchmarks: [pocket-easy], problems: 16, at: [last]}}"
)
"""Both schedules ask for the same responses."""


class Runs(NamedTuple):
    trial: Trial
    store: Store
    again: Store
    """The same trial in other batches of generation."""
    later: Store
    """Trained without evaluations, measured afterwards."""
    killed: Store
    """Killed after the checkpoint of round 1, and continued."""


def launch(trial: Trial, store: Store, blocked: Path, **more: Any) -> Any:
    """Start a trial on `cpu-transformers`, in a process that cannot import vLLM."""
    profile = Catalog().get(ComputeProfile, "cpu-transformers")
    faults = more.pop("faults", {})
    env = profile.env | {"PYTHONPATH": f"{blocked}{os.pathsep}{ROOT}"} | faults
    said = {"engine": "transformers", "generation_batch": 128, "env": env, "save_every": 1}
    return start(trial, store, **said | more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    top = tmp_path_factory.mktemp("transformers")
    (top / "blocked").mkdir()
    (top / "blocked/sitecustomize.py").write_text(BLOCK)
    (trial,) = trials_of(manifest(top, model="pocket-llama", evaluate=MEASURED))
    (plain,) = trials_of(manifest(top, "plain", model="pocket-llama", evaluate="{}"))
    stores = [Store(top / name) for name in ("a", "again", "later", "killed")]
    blocked = top / "blocked"
    started = [
        (launch(trial, stores[0], blocked), trial, stores[0]),
        (launch(trial, stores[1], blocked, generation_batch=5), trial, stores[1]),
        (launch(plain, stores[2], blocked), plain, stores[2]),
    ]
    for one in started:
        finish(*one)
    finish(launch(trial, stores[2], blocked), trial, stores[2])
    dying = launch(trial, stores[3], blocked, faults={"ZOO_FAULT": "synced@1"})
    assert dying.wait(timeout=280) != 0
    finish(launch(trial, stores[3], blocked), trial, stores[3])
    return Runs(trial, *stores)


def texts(store: Store, folder: Path) -> dict[tuple[int, str], Any]:
    """Responses by round and decoding, as the trial's index has them."""
    return {
        (row["round"], row["decoding"]): pq.read_table(
            store.completions(row["samples"]), columns=["text", "token_ids", "finish"]
        )
        for row in journal.read(folder / "evals.jsonl")
    }


def test_trial_runs_to_its_end_where_vllm_cannot_be_imported(runs: Runs) -> None:
    folder = runs.store.train(runs.trial.id)
    record = records.read(folder)
    assert record is not None
    assert record.done(2)
    assert record.stack["engine"] == "transformers"
    assert "vllm" not in record.stack
    rows = journal.read(folder / "metrics.jsonl")
    assert [row["round"] for row in rows] == [0, 1, 2]
    assert not any(name.startswith("train/sampling/") for name in rows[1]["metrics"])
    assert len(texts(runs.store, folder)) == 4


def test_kl_to_the_base_is_measured_and_the_same_however_a_trial_gets_there(runs: Runs) -> None:
    found: list[tuple[float, Any]] = []
    for store in (runs.store, runs.killed):
        folder = store.train(runs.trial.id)
        metrics = journal.read(folder / "metrics.jsonl")[-1]["metrics"]
        assert metrics["train/generation_time"] > 0
        base = pq.read_table(folder / "base_completions.parquet").to_pydict()
        found.append((metrics["train/kl_base_policy"], base))
    assert found[0] == found[1]
    assert found[0][0] != 0
    assert len(found[0][1]["token_ids"]) == 64


def test_stack_of_the_samples_names_the_engine(runs: Runs) -> None:
    for row in journal.read(runs.store.train(runs.trial.id) / "evals.jsonl"):
        found = records.read(runs.store.folder("samples", row["samples"]))
        assert found is not None
        assert found.identity["stack"]["engine"] == "transformers"


def test_responses_do_not_depend_on_how_many_are_generated_at_a_time(runs: Runs) -> None:
    folders = [store.train(runs.trial.id) for store in (runs.store, runs.again)]
    rollouts = [
        pq.read_table(folder / "rollouts/round-0001.parquet", columns=["token_ids", "reward"])
        for folder in folders
    ]
    assert rollouts[0].equals(rollouts[1])
    one, other = (texts(s, f) for s, f in zip((runs.store, runs.again), folders, strict=True))
    assert all(one[at].equals(other[at]) for at in one if at[0] == 0)


def test_measuring_later_from_kept_weights_equals_the_live_one_bit_for_bit(runs: Runs) -> None:
    stores = (runs.store, runs.later)
    live, later = (texts(store, store.train(runs.trial.id)) for store in stores)
    assert live.keys() == later.keys()
    assert all(live[at].equals(later[at]) for at in live)
    weights = [
        load_file(store.train(runs.trial.id) / "checkpoints/round-0002/model.safetensors")
        for store in stores
    ]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_trial_killed_and_continued_equals_the_undisturbed_one(runs: Runs) -> None:
    record = records.read(runs.killed.train(runs.trial.id))
    assert record is not None
    assert record.about["resumed_from"] == 1
    again, once = traces(runs.trial, runs.killed), traces(runs.trial, runs.store)
    for name, expected in once.items():
        assert again[name] == expected, name


# -- generation in this process --------------------------------------------------------------------


@cache
def policy() -> tuple[Any, Any]:
    torch.set_num_threads(1)
    return load_policy(EMBEDDED / "pocket-llama", ())


PROMPTS = ["Question: What is 2+3?\nAnswer:", "Question: What is 12+30?\nAnswer:", "Why"]


def generator(batch: int = 8, context: int = 256, ends: tuple[int, ...] = ()) -> Generator:
    model, tokenizer = policy()
    return Generator(model, tokenizer, [*end_ids(model), *ends], context=context, batch=batch)


def prompts() -> list[list[int]]:
    return [list(ids) for ids in policy()[1](PROMPTS)["input_ids"]]


def test_greedy_responses_are_those_of_transformers() -> None:
    model, _ = policy()
    found = generator()(prompts(), Sampling(0.0), 20, (1,))
    for ids, row in zip(prompts(), found, strict=True):
        made = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=20)
        assert made[0, len(ids) :].tolist() == row


def test_generation_touches_no_generator_and_leaves_the_model_training() -> None:
    model, _ = policy()
    model.train()
    before = torch.get_rng_state()
    generator()(prompts(), Sampling(1.0, top_p=0.9), 8, (1,))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    model.eval()


def test_equal_seeds_draw_alike_and_rows_draw_apart() -> None:
    same = [prompts()[0]] * 6
    one = generator(batch=2)(same, Sampling(1.0), 24, (1,))
    assert one == generator(batch=6)(same, Sampling(1.0), 24, (1,))
    assert len({tuple(row) for row in one}) > 1
    assert one != generator()(same, Sampling(1.0), 24, (2,))


def test_mixed_precision_generates_alike_inside_the_trainers_wrapper_and_outside() -> None:
    """During training accelerate wraps the model's forward; kept weights are measured without."""
    model, tokenizer = policy()
    plain = model.forward
    own = Generator(
        model,
        tokenizer,
        end_ids(model),
        context=256,
        batch=8,
        dtype=mixed_precision({"bf16": True}),
    )
    outside = own(prompts(), Sampling(1.0), 24, (1,))
    try:
        model.forward = convert_outputs_to_fp32(torch.autocast("cpu", torch.bfloat16)(plain))
        assert own(prompts(), Sampling(1.0), 24, (1,)) == outside
    finally:
        model.forward = plain
    assert outside != generator()(prompts(), Sampling(1.0), 24, (1,))  # it does compute otherwise


def test_stop_id_ends_a_response_and_is_part_of_it() -> None:
    (row,) = generator()(prompts()[:1], Sampling(0.0), 20, (1,))
    (cut,) = generator(ends=(row[2],))(prompts()[:1], Sampling(0.0), 20, (1,))
    assert cut == row[: row.index(row[2]) + 1]


def test_response_ends_where_the_context_does() -> None:
    ids = prompts()
    room = len(ids[0]) + 5
    found = generator(context=room)(ids[:1] + ids[2:], Sampling(0.0), 64, (1,))
    assert len(found[0]) <= 5 < len(found[1])


def test_prompt_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(Exception, match="tokens, and the model has room for 4"):
        generator(context=4)(prompts(), Sampling(1.0), 8, (1,))


def drawn(sampling: Sampling, logits: list[float], n: int = 20_000) -> list[float]:
    """Share of each token among `n` draws from the same logits."""
    uniforms = torch.rand(n, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ids = torch.zeros(n, 1, dtype=torch.long)
    draw = Draw(sampling, uniforms, torch.ones_like(ids))
    chosen = draw(ids, torch.tensor([logits]).expand(n, -1)).argmax(dim=1)
    return (torch.bincount(chosen, minlength=len(logits)) / n).tolist()


LOGITS = [2.0, 1.0, 0.0, -1.0]


@pytest.mark.parametrize(
    ("sampling", "scale", "kept"),
    [
        (Sampling(1.0), 1.0, 4),
        (Sampling(0.5), 2.0, 4),
        (Sampling(1.0, top_k=2), 1.0, 2),
        (Sampling(1.0, top_p=0.7), 1.0, 2),
        (Sampling(1.0, min_p=0.2), 1.0, 2),
    ],
)
def test_tokens_are_drawn_as_often_as_the_sampling_says(
    sampling: Sampling, scale: float, kept: int
) -> None:
    expected = torch.softmax(scale * torch.tensor(LOGITS[:kept]), dim=0).tolist()
    found = drawn(sampling, LOGITS)
    assert found[kept:] == [0.0] * (4 - kept)
    assert found[:kept] == pytest.approx(expected, abs=0.015)


def test_repetition_penalty_reads_tokens_and_not_padding() -> None:
    ids, mask = torch.tensor([[3, 1]]), torch.tensor([[0, 1]])  # 3 is padding here
    draw = Draw(Sampling(0.0, repetition_penalty=2.0), torch.zeros(1, 1), mask)
    assert draw(ids, torch.tensor([LOGITS])).tolist() == [[2.0, 0.5, 0.0, -1.0]]
