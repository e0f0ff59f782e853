"""What stops `zoo sweep` before it starts: exit status 2, everything that is in the way at once,
and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Told, files, zoo
from tests.support.model_folders import write_model
from zoo.planning.machine import count_gpus
from zoo.pocket import generator as pocket

PARAMS = {"right_boxed": 1.0, "right_plain": -1.0, "wrong_boxed": 0.0, "wrong_plain": 0.0}
EMBEDDED = Path(pocket.__file__).parent / "models"
Refused = Callable[..., Told]


@pytest.fixture
def refused(folder: Path) -> Refused:
    """Run a sweep that has to be refused without leaving anything."""

    def run(*words: str) -> Told:
        before = files(folder)
        told = zoo("sweep", *words)
        assert (told.status, told.text) == (2, "")
        assert files(folder) == before
        return told

    return run


def card(folder: Path, kind: str, name: str, /, **fields: object) -> None:
    """Write a card of the user's own."""
    path = folder / "cards" / kind / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": f"{kind.removesuffix('s')}/1", "name": name} | fields))


def test_models_that_are_not_pinned_and_problems_that_are_not_here_are_told_in_one_command_each(
    folder: Path, refused: Refused
) -> None:
    card(folder, "models", "loose", repo="org/loose", prompt="none", cap=64)
    models = "grid.model=[loose, hf:org/other, pocket-llama]"
    data = "grid.data=[simplerl-easy, simplerl-hard]"
    told = refused("tiny", "--set", "trainer=trl", "--set", models, "--set", data)
    assert (
        "models: not pinned (revision: null): loose, other; expected a full commit each; "
        "`zoo models pin loose hf:org/other`"
    ) in told.error
    assert (
        "data: not on this machine: simplerl-easy, simplerl-hard; "
        "`zoo data fetch simplerl-easy simplerl-hard`"
    ) in told.error


def test_a_pinned_model_that_was_not_fetched_is_refused(folder: Path, refused: Refused) -> None:
    card(folder, "models", "far", repo="org/far", revision="a" * 40, prompt="none", cap=64)
    told = refused(
        "tiny", "--set", "trainer=trl", "--set", "grid.model=far", "--set", "overrides=[]"
    )
    assert told.error.endswith(
        "far: org/far at aaaaaaaaaaaa is not on this machine; `zoo models fetch far` (a model "
        f"without a card: hf:org/far@{'a' * 40})"
    )


def test_sweep_with_a_missing_shard_is_refused_as_is_its_plan(
    folder: Path, refused: Refused
) -> None:
    shard = write_model(folder / "m") / "model-00002-of-00002.safetensors"
    shard.unlink()
    card(folder, "models", "near", path="../../m", prompt="none", cap=64)
    words = ("--set", "trainer=trl", "--set", "grid.model=near", "--set", "overrides=[]")
    told = refused("tiny", *words)
    assert told.error.startswith(f"{folder / 'm'}: weights missing: {shard.name}; copy")
    assert zoo("plan", "tiny", *words).error == told.error


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"model_type": None}, "m/config.json: no `model_type`; expected a `model_type` that"),
        ({"vocab_size": 3}, "m/tokenizer.json: token ids up to 3, and config.json has vocab_size"),
    ],
)
def test_sweep_over_a_model_that_no_trial_could_load_is_refused(
    folder: Path, refused: Refused, config: dict[str, Any], found: str
) -> None:
    write_model(folder / "m", **config)
    vocabulary = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 3}}}
    (folder / "m/tokenizer.json").write_text(json.dumps(vocabulary))
    card(folder, "models", "near", path="../../m", prompt="none", cap=64)
    words = ("--set", "trainer=trl", "--set", "grid.model=near", "--set", "overrides=[]")
    assert refused("tiny", *words).error.startswith(f"{folder}/{found}")


def write_rows(path: Path, count: int) -> None:
    """Problems, the first of them twice."""
    texts = ["0 + 1"] + [f"{n} + 1" for n in range(count - 1)]
    said = [{"problem": text, "answer": str(int(text[0]) + 1)} for text in texts]
    path.write_text("".join(json.dumps(row) + "\n" for row in said))


def test_sweep_with_fewer_problems_than_a_round_is_refused_after_the_filters_as_is_its_plan(
    folder: Path, refused: Refused
) -> None:
    write_rows(folder / "mine.jsonl", 4)
    filters = {"duplicates": True}
    card(folder, "data", "mine", local={"path": "../../mine.jsonl"}, filters=filters)
    words = ("--set", "grid.data=mine", "--set", "batch.prompts=4")
    told = refused("tiny", *words)
    assert told.error.startswith("--set batch.prompts=4: 'mine' has 3 problems, for rounds of 4;")
    assert "expected at least 4 after the filters; lower `batch.prompts`" in told.error
    assert zoo("plan", "tiny", *words).error == told.error
    assert zoo("plan", "tiny", "--set", "grid.data=mine", "--set", "batch.prompts=3").status == 0


def test_a_set_that_is_too_small_for_the_recipe_is_refused_where_it_is_named(
    folder: Path, refused: Refused
) -> None:
    write_rows(folder / "mine.jsonl", 15)
    edit(folder / "experiments/tiny.yaml", "batch: {prompts: 2, num_generations: 4}\n", "")
    edit(folder / "experiments/tiny.yaml", "[pocket-easy]\nrounds", "[{path: mine.jsonl}]\nrounds")
    told = refused("tiny").error
    assert "tiny.yaml:9:9: 'mine' has 15 problems, for rounds of 16; expected at least 16" in told


def test_more_problems_than_a_benchmark_has_are_refused_where_only_its_file_says_how_many(
    folder: Path, refused: Refused
) -> None:
    write_rows(folder / "experiments/own.jsonl", 3)
    benchmarks = "evaluate.full.benchmarks=[{path: own.jsonl}]"
    told = refused("tiny", "--set", benchmarks, "--set", "claims=[]")
    assert "problems is 4; expected at most 3: no benchmark of this schedule has more" in told.error


def test_trial_that_is_wider_than_the_machine_is_refused(refused: Refused) -> None:
    sets = (
        "trainer=trl",
        "recipe=simplerl-zoo",
        "batch={}",
        "overrides=[]",
        "grid.model=qwen2.5-7b",
    )
    told = refused("tiny", "--on", "h100x8", *[w for text in sets for w in ("--set", text)])
    assert "--on h100x8: a trial of qwen2.5-7b needs 4 GPUs, this machine has 0;" in told.error


def test_gpus_that_are_not_there_are_refused_and_not_waited_for(refused: Refused) -> None:
    if count_gpus():
        pytest.skip("this machine has a GPU")
    why = (
        "--on gpu: a trial needs 1 GPU, this machine has 0; choose another profile "
        "(`--on laptop` needs no GPU)"
    )
    assert why in refused("tiny", "--on", "gpu", "--set", "trainer=trl").error
    assert why in refused("tiny", "--on", "gpu", "--executor", "ray").error
    assert zoo("sweep", "tiny", "--bare", "--on", "gpu").status == 0  # in this process
    assert zoo("plan", "tiny", "--on", "gpu", "--set", "trainer=trl").status == 0


def test_a_trial_that_asks_for_more_than_the_profile_or_the_machine_has_is_refused(
    folder: Path, refused: Refused
) -> None:
    card(folder, "profiles", "wide", gpus=2, gpus_per_trial=4)
    card(folder, "profiles", "many", cpus_per_trial=100_000)
    told = refused("tiny", "--on", "wide", "--set", "trainer=trl")
    assert "--on wide: a trial needs 4 GPUs, and the profile has 2 in all" in told.error
    told = refused("tiny", "--on", "many", "--executor", "ray")
    assert "--on many: a trial needs 100000 CPUs, this machine has " in told.error


def test_profile_without_gpus_is_refused_once_and_not_for_every_model(
    folder: Path, refused: Refused
) -> None:
    gpu = {"name": "H100", "memory_gib": 80}
    card(folder, "profiles", "none", device="cuda", gpu=gpu, gpus=0, gpus_per_trial=1)
    assert refused("tiny", "--on", "none", "--set", "trainer=trl").error == (
        "--on none: a trial needs 1 GPU, and the profile has 0 in all; correct gpus or "
        "gpus_per_trial in its card"
    )


def test_a_wrong_manifest_starts_nothing(folder: Path, refused: Refused) -> None:
    path = folder / "experiments/tiny.yaml"
    path.write_text(path.read_text().replace("box-strict, correctness", "box-strct, correctness"))
    assert (
        "tiny.yaml:19:24: axis 'reward' has no value 'box-strct'; did you mean"
        in refused("tiny").error
    )


def test_simulated_trials_need_no_models_but_their_problems(folder: Path, refused: Refused) -> None:
    models = ("--set", "grid.model=[qwen2.5-0.5b]", "--set", "overrides=[]")
    told = refused("tiny", *models, "--set", "grid.data=simplerl-easy")
    assert told.error.startswith("data: not on this machine: simplerl-easy;")
    assert zoo("sweep", "tiny", "--bare", *models, "--set", "claims=[]").status == 0


# -- drift -----------------------------------------------------------------------------------------


@pytest.fixture
def own(folder: Path) -> Path:
    """The folder after a sweep over a model, problems and a reward of the user's own."""
    shutil.copytree(EMBEDDED / "pocket-llama", folder / "weights")
    (folder / "mine.jsonl").write_text(
        "".join(f'{{"problem": "{n} + 1", "answer": "{n + 1}"}}\n' for n in range(8))
    )
    card(folder, "models", "pocket-own", path="../../weights", prompt="none", cap=64)
    card(folder, "data", "mine", local={"path": "../../mine.jsonl"})
    card(folder, "rewards", "box-own", kind="matrix", params=PARAMS)
    path = folder / "experiments/tiny.yaml"
    text = path.read_text().replace("box-strict", "box-own").replace("pocket-qwen2", "pocket-own")
    path.write_text(text.replace("data: [pocket-easy]", "data: [mine]"))
    assert zoo("sweep", "tiny", "--bare").status == 0
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


DRIFTS = {
    "problems": ("mine.jsonl", "7 + 1", "7 + one", 4, "data "),
    "weights": ("weights/config.json", "{", "{ ", 2, "model.content "),
    "a card": (
        "cards/rewards/box-own.yaml",
        ": 1.0",
        ": 2.0",
        2,
        "reward.params.right_boxed 1.0 -> 2.0",
    ),
}


@pytest.mark.parametrize("what", DRIFTS)
def test_what_moved_under_an_unchanged_cell_is_refused_until_it_is_accepted(
    own: Path, refused: Refused, what: str
) -> None:
    file, old, new, moved, field = DRIFTS[what]
    edit(own / file, old, new)
    error = refused("tiny", "--bare").error
    assert "plan.lock.jsonl: " in error
    assert f"and {moved - 1} more: moved since the sweep last started: {field}" in error
    assert "restore it, or accept it: --relock (finished runs under the old ids are kept)" in error
    plan = zoo("plan", "tiny", "--diff")
    assert sum(line.endswith(": drift") for line in plan.lines) == moved
    edit(own / file, new, old)
    assert "nothing to do" in zoo("sweep", "tiny", "--bare").text
    edit(own / file, old, new)
    told = zoo("sweep", "tiny", "--bare", "--relock")
    assert told.status == 0
    assert f"~ {moved} stale" in told.text
    assert "nothing changed" in zoo("plan", "tiny", "--diff").text
    assert len(list((own / "runs/train").iterdir())) == 4 + moved


def test_an_edit_in_the_same_command_does_not_hide_what_moved(own: Path, refused: Refused) -> None:
    file, old, new, _, field = DRIFTS["a card"]
    edit(own / file, old, new)
    words = ("tiny", "--set", "grpo.epsilon=0.3")
    error = refused(*words, "--bare").error
    assert f"moved since the sweep last started: {field}; expected" in error
    plan = zoo("plan", *words)
    assert "~ 4 changed in the manifest: grpo.epsilon 0.2 -> 0.3" in plan.lines
    assert f"~ 2 DRIFT: {field}" in plan.lines
    assert f"    {field.replace(' 1.0', ': 1.0')} (drift)" in zoo("plan", *words, "--diff").lines


def test_what_moved_is_refused_where_nothing_is_left_to_run(own: Path, refused: Refused) -> None:
    file, old, new, *_ = DRIFTS["a card"]
    edit(own / file, old, new)
    assert zoo("sweep", "tiny", "--bare", "--relock").status == 0
    edit(own / file, new, old)
    assert "moved since the sweep last started" in refused("tiny", "--bare").error
    assert "nothing to do" in zoo("sweep", "tiny", "--bare", "--relock").text


def test_an_edit_of_the_manifest_needs_no_word(swept: Path) -> None:
    told = zoo("sweep", "tiny", "--bare", "--set", "grpo.beta=0.5")
    assert told.status == 0
    assert "~ 2 changed in the manifest: grpo.beta 0.01 -> 0.5" in told.lines
    assert "~ 2 changed in the manifest: grpo.beta 0.0 -> 0.5" in told.lines


def test_only_what_is_asked_for_runs_and_the_lock_has_the_whole_plan(folder: Path) -> None:
    told = zoo("sweep", "tiny", "--bare", "--only", "reward=box-strict")
    assert told.text.count(" started") == 2
    lock = (folder / "sweeps/tiny/plan.lock.jsonl").read_text().splitlines()
    assert sum('"id": "pocket-' in line for line in lock) == 4
    assert zoo("plan", "tiny", "--diff").lines == ["nothing changed since the sweep last started"]
    assert "+ 2 to run  = 2 done" in zoo("plan", "tiny").lines


def test_what_is_left_is_told_with_the_words_that_do_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:1")
    only = "id=*llama.box-strict*"
    told = zoo("sweep", "tiny.rehearsal", "--bare", "--set", "seeds=[1]", "--only", only)
    assert told.status == 1
    words = f"zoo sweep experiments/tiny.yaml --rehearse --set 'seeds=[1]' --only '{only}' --bare"
    assert f"not all done; `{words}` does what is left" in told.lines


# -- the lock of a sweep with nothing to run -------------------------------------------------------


def test_trials_of_another_sweep_are_locked_and_their_claims_are_not_sealed(swept: Path) -> None:
    path = swept / "experiments/other.yaml"
    path.write_text(
        (swept / "experiments/tiny.yaml").read_text().replace("name: tiny", "name: other")
    )
    assert zoo("plan", "other", "--diff").lines == [
        "other never started: all 4 trials are new",
        "claim box: exploratory",
    ]
    told = zoo("sweep", "other", "--bare")
    assert told.lines == [
        "other: nothing to do, all 4 trials are done",
        "claims: exploratory, as their trials ran before: box",
    ]
    (row,) = (row for row in rows(swept, "other") if "claim" in row)
    assert (row["claim"]["id"], row["sealed"]) == ("box", False)
    nothing = "nothing changed since the sweep last started"
    assert zoo("plan", "other", "--diff").lines == ["claim box: exploratory", nothing]
    assert "  exploratory, as their trials ran before: box" in zoo("plan", "other").lines
    data = json.loads(zoo("plan", "other", "--json").text)
    assert [claim["seal"] for claim in data["claims"]] == ["exploratory"]


def test_a_claim_that_changes_when_all_is_done_is_recorded(swept: Path) -> None:
    assert "  sealed: box" in zoo("plan", "tiny").lines
    edit(swept / "experiments/tiny.yaml", "{lower_by: 1}", "{lower_by: 2}")
    assert zoo("plan", "tiny", "--diff").lines == ["claim box: changed"]
    told = zoo("sweep", "tiny", "--bare")
    assert "claims: changed after their trials ran, so exploratory: box" in told.lines
    (row,) = (row for row in rows(swept, "tiny") if "claim" in row)
    assert (row["claim"]["expect"], row["sealed"]) == ({"lower_by": 2.0}, False)
    assert row["was"]["expect"] == {"lower_by": 1.0}


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a sweep's lock."""
    text = (folder / f"sweeps/{name}/plan.lock.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]
