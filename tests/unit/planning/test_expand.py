"""A manifest and the catalog make trials: product, exclusions, inclusions, values by precedence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials.trial import Trial

Write = Callable[..., Path]
POCKET = Path(__file__).parents[3] / "experiments" / "pocket.yaml"


def trials(path: Path) -> list[Trial]:
    """What a manifest expands to."""
    return expand(load(path), Catalog())


def grid(**axes: str) -> str:
    """A grid of one cell with some axes changed or added."""
    said = {"model": "pocket-llama", "reward": "correctness", "data": "pocket-easy"} | axes
    return "{" + ", ".join(f"{axis}: {values}" for axis, values in said.items()) + "}"


def test_the_demo_is_twelve_trials() -> None:
    found = trials(POCKET)
    assert len(found) == 12
    assert len({trial.id for trial in found}) == 12
    assert {trial.rounds for trial in found} == {20}
    assert list(found[0].cell) == ["model", "reward", "data"]


def test_the_product_runs_row_by_row_with_seeds_innermost(write: Write) -> None:
    path = write(grid=grid(model="[pocket-llama, pocket-qwen2]", data="[pocket-easy, pocket-hard]"))
    path.write_text(path.read_text() + "seeds: [3, 1]\n")
    found = [(t.cell["model"], t.cell["data"], t.seed) for t in trials(path)]
    assert found[:3] == [
        ("pocket-llama", "pocket-easy", 3),
        ("pocket-llama", "pocket-easy", 1),
        ("pocket-llama", "pocket-hard", 3),
    ]
    assert len(found) == 8


def test_an_id_reads_model_reward_data_seed(write: Write) -> None:
    (trial,) = trials(write(seeds="[7]"))
    assert trial.id.startswith("pocket-llama.correctness.pocket-easy.s7-")
    assert len(trial.id.rsplit("-", 1)[1]) == 10


def test_later_words_win_over_earlier_ones(write: Write) -> None:
    """recipe < card < manifest < axis < overrides."""
    (recipe,) = trials(write())
    assert recipe.grpo["learning_rate"] == 3e-4
    assert recipe.grpo["beta"] == 0.0  # the card's, since the recipe says from-card
    assert recipe.cap == 64
    (manifest,) = trials(write(grpo="{learning_rate: 1e-4, beta: 0.5}"))
    assert (manifest.grpo["learning_rate"], manifest.grpo["beta"]) == (1e-4, 0.5)
    axis = trials(write(grpo="{beta: 0.5}", grid=grid(**{"grpo.beta": "[0.1, 0.2]"})))
    assert [trial.grpo["beta"] for trial in axis] == [0.1, 0.2]
    overridden = trials(
        write(
            grid=grid(**{"grpo.beta": "[0.1, 0.2]"}),
            grpo="{epsilon: 0.1}",
            overrides="[{when: {grpo.beta: 0.2}, set: {grpo.epsilon: 0.3, batch.prompts: 8}}]",
        )
    )
    assert [trial.grpo["epsilon"] for trial in overridden] == [0.1, 0.3]
    assert [trial.batch.prompts for trial in overridden] == [16, 8]


def test_a_prompt_comes_from_the_card_the_axis_or_an_override(write: Write) -> None:
    (card,) = trials(write())
    assert card.prompt.name == "pocket"
    assert [t.prompt.name for t in trials(write(grid=grid(prompt="[none, pocket]")))] == [
        "none",
        "pocket",
    ]
    (overridden,) = trials(write(overrides="[{when: {model: pocket-llama}, set: {prompt: none}}]"))
    assert overridden.prompt.name == "none"


def test_exclusions_leave_cells_out_and_inclusions_add_them(write: Write) -> None:
    both = grid(model="[pocket-llama, pocket-qwen2]", data="[pocket-easy, pocket-hard]")
    left = trials(write(grid=both, exclude="[{model: pocket-qwen2, data: pocket-hard, why: slow}]"))
    assert [(t.cell["model"], t.cell["data"]) for t in left] == [
        ("pocket-llama", "pocket-easy"),
        ("pocket-llama", "pocket-hard"),
        ("pocket-qwen2", "pocket-easy"),
    ]
    lists = trials(write(grid=both, exclude="[{model: [pocket-qwen2], data: pocket-hard, why: x}]"))
    assert [t.id for t in lists] == [t.id for t in left]
    more = trials(write(grid=both, include="[{model: pocket-mistral}, {data: pocket-medium}]"))
    assert [(t.cell["model"], t.cell["data"]) for t in more[4:]] == [
        ("pocket-mistral", "pocket-easy"),
        ("pocket-llama", "pocket-medium"),
    ]


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("[{model: pocket-llama}]", r"small.yaml:8:11: this cell is there already"),
        (
            "[{model: pocket-qwen2}, {model: pocket-qwen2}]",
            r"small.yaml:8:34: this cell is there already",
        ),
        ("[{why: x}]", r"small.yaml:8:11: this cell names no axis"),
        (
            "[{model: [pocket-qwen2]}]",
            r"small.yaml:8:19: model is \[pocket-qwen2\]; expected one plain value",
        ),
        ("[{model: null}]", r"small.yaml:8:19: model is null; expected a name"),
        ("[{data: 3}]", r"small.yaml:8:18: data is 3; expected a name"),
    ],
)
def test_inclusions_that_add_nothing_or_are_no_cell_are_faults(
    write: Write, include: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        trials(write(include=include))


def test_unknown_names_in_inclusions_are_faults(write: Write) -> None:
    with pytest.raises(InputError, match="unknown model 'pocket-xl'"):
        trials(write(include="[{model: pocket-xl}]"))
    with pytest.raises(InputError, match=r"no axis 'grpo\.beta'"):
        trials(write(include="[{grpo.beta: 0.1}]"))


def test_evaluations_are_merged_by_benchmark_subset_and_decoding(write: Write) -> None:
    path = write(
        rounds="10",
        evaluate="{watch: {benchmarks: [pocket-easy], problems: 50, every: 4, decodings: [t0]}, "
        "full: {benchmarks: [pocket-easy, pocket-hard], at: [0, last5]}}",
    )
    (trial,) = trials(path)
    found = {(e.benchmark.name, e.problems, e.decoding_name): e.rounds for e in trial.evaluations}
    assert found == {
        ("pocket-easy", 50, "t0"): (0, 4, 8),
        ("pocket-easy", None, "t1.0"): (0, 4, 8, 10),
        ("pocket-easy", None, "t0"): (0, 4, 8, 10),
        ("pocket-hard", None, "t1.0"): (0, 4, 8, 10),
        ("pocket-hard", None, "t0"): (0, 4, 8, 10),
    }
    names = [e.metric("acc") for e in trial.evaluations if e.decoding_name == "t0"]
    easy, hard = "pocket-easy/acc/t0", "pocket-hard/acc/t0"
    assert names == [f"watch/{easy}", f"eval/{easy}", f"eval/{hard}"]


def test_last5_is_the_horizon_and_the_four_watch_points_before_it(write: Write) -> None:
    path = write(
        rounds="100",
        evaluate="{watch: {benchmarks: [pocket-easy], problems: 9, every: 5}, "
        "full: {benchmarks: [pocket-easy], at: [last5]}}",
    )
    assert trials(path)[0].evaluations[-1].rounds == (80, 85, 90, 95, 100)


def test_a_round_beyond_the_horizon_is_refused_and_not_dropped(write: Write) -> None:
    with pytest.raises(InputError, match=r"round 9; expected at most \d+, as rounds"):
        trials(write(evaluate="{full: {benchmarks: [pocket-easy], at: [0, 2, 9]}}"))


def test_a_folder_and_a_file_work_without_cards(write: Write, tmp_path: Path) -> None:
    (tmp_path / "My Model").mkdir()
    (tmp_path / "My Model" / "config.json").write_text("{}")
    (tmp_path / "données.jsonl").write_text(json.dumps({"question": "1+1?", "answer": "#### 2"}))
    path = write(
        grid="{model: {path: My Model, prompt: none, cap: 32, stop_ids: [2]}, reward: correctness, "
        "data: {path: données.jsonl, columns: {problem: question}, gold: gsm8k}}",
        evaluate="{full: {benchmarks: [{path: données.jsonl, name: mine}], at: [last]}}",
    )
    (trial,) = trials(path)
    assert trial.id.startswith("my-model.correctness.donn-es.s0-")
    assert (trial.model.path, trial.cap, trial.model.stop_ids) == (
        str(tmp_path / "My Model"),
        32,
        (2,),
    )
    assert trial.data.local is not None
    assert (trial.data.local.columns.problem, trial.data.local.columns.answer) == (
        "question",
        "answer",
    )
    assert trial.evaluations[0].benchmark.name == "mine"


def test_two_things_of_one_name_are_refused(write: Write, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "pocket-x").mkdir(parents=True)
        (tmp_path / folder / "pocket-x" / "config.json").write_text("{}")
    both = "[{path: a/pocket-x, prompt: none}, {path: b/pocket-x, prompt: none}]"
    with pytest.raises(InputError, match="'pocket-x' is taken; give it another with `name:`"):
        trials(write(grid=grid(model=both)))
    named = both.replace("b/pocket-x,", "b/pocket-x, name: other,")
    assert [t.cell["model"] for t in trials(write(grid=grid(model=named)))] == ["pocket-x", "other"]


def test_an_axis_of_lists_is_refused_not_crashed_on(write: Write) -> None:
    with pytest.raises(InputError, match=r"grpo\.beta"):
        trials(write(grid=grid(**{"grpo.beta": "[[0.1], [0.2]]"})))
    with pytest.raises(InputError, match="has a value that is a list or a mapping"):
        trials(write(grid=grid(**{"grpo.lr_scheduler_kwargs": "[{num_cycles: 1}]"})))


def test_a_trial_survives_the_way_through_json(write: Write) -> None:
    (trial,) = trials(write())
    text = json.dumps(trial.model_dump(mode="json", by_alias=True))
    assert Trial.model_validate(json.loads(text)) == trial
    assert Trial.model_validate(json.loads(json.dumps(trial.model_dump(mode="json")))) == trial
