"""Every field of manifest and cards is in an id or is not, as the table says: all are named, and
changing one moves the ids that it should and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from tests.support.world import (
    COMMITS,
    OUTSIDE,
    ROWS,
    STUDY,
    Ids,
    World,
    changed,
    digest_of,
    documents,
    renamed,
)
from zoo.catalog import (
    Batch,
    BenchmarkCard,
    Catalog,
    Columns,
    ComputeProfile,
    DataCard,
    Filters,
    GitSource,
    HubSource,
    LocalSource,
    ModelCard,
    Peft,
    PocketSource,
    ProblemCard,
    PromptCard,
    RecipeCard,
    RewardCard,
    RewardCode,
)
from zoo.catalog.index import FOLDERS
from zoo.catalog.model_card import RandomWeights
from zoo.catalog.problem_card import Ingredient
from zoo.manifest.json_schema import models_of
from zoo.manifest.schema import (
    Axes,
    Decoding,
    Exclude,
    Experiment,
    Include,
    InlineBenchmark,
    InlineData,
    InlineModel,
    Override,
    Schedule,
)
from zoo.manifest.seed_looks import SeedLooks
from zoo.trials.identity_fields import DERIVED, FIELDS, FORM, place
from zoo.trials.trial import Evaluation, Trial
from zoo.yamlio.validate import models_in

Model = type[BaseModel]
TOPS: list[Model] = [Experiment, Trial, *FOLDERS]
REACHED: list[Model] = list(dict.fromkeys(m for top in TOPS for m in models_of(top)))
MADE_OR_ELSEWHERE = {Trial, Evaluation, ComputeProfile}
"""Trials and evaluations are made of the rest; expansion is never told a compute profile."""


# -- the table is whole ----------------------------------------------------------------------------


def test_every_field_of_every_model_is_in_the_table() -> None:
    missing = [
        f"{model.__name__}.{field}"
        for model in REACHED
        for field in model.model_fields
        if place(model, field) is None
    ]
    assert not missing, f"say in zoo/trials/identity_fields.py in which ids they are: {missing}"


def test_the_table_names_no_model_and_no_field_that_is_not_there() -> None:
    there: dict[str, set[str]] = {}
    for model in REACHED:
        for made in model.__mro__:
            if issubclass(made, BaseModel):
                there.setdefault(made.__name__, set()).update(made.model_fields)
    gone = [
        f"{name}.{field}"
        for name, fields in FIELDS.items()
        for field in fields
        if field not in there.get(name, set())
    ]
    assert not gone, f"take out of zoo/trials/identity_fields.py: {gone}"


def test_what_is_in_by_its_own_fields_has_fields_and_what_is_out_has_none_that_are_in() -> None:
    for model in REACHED:
        for name, field in model.model_fields.items():
            inside = models_in(field.annotation)
            found = place(model, name)
            assert found is not None
            if found.ids == "parts":
                assert inside, f"{model.__name__}.{name} has no fields of its own"
    made = {Trial, Evaluation}
    for model in (model for model in REACHED if model not in open_models() and model not in made):
        found = {name: place(model, name) for name in model.model_fields}
        assert {p.ids for p in found.values() if p} == {"none"}, model.__name__


# -- the table is true -----------------------------------------------------------------------------


class Case(NamedTuple):
    """A change of one field: where it stands in the world, and another value."""

    model: Model
    field: str
    file: str
    path: tuple[str | int, ...]
    value: Any

    def __str__(self) -> str:
        return f"{self.model.__name__}.{self.field} in {Path(self.file).stem}"

    @property
    def expected(self) -> str:
        """The earliest ids that must move."""
        found = place(self.model, self.field)
        assert found is not None
        benchmark = "benchmarks" in self.file or "benchmarks" in self.path
        return found.ids if found.ids != "problems" else "sample" if benchmark else "train"


PROSE = {"about": "else", "source": "else"}
LAYERS = {"layers": 1, "hidden": 8, "heads": 1, "kv_heads": 1, "head_dim": 8, "ffn": 8, "vocab": 8}
MODEL = PROSE | {
    "path": "models/two",
    "family": "else",
    "parameters": 7,
    "geometry": LAYERS,
    "gated": True,
    "license": "else",
    "context": 99,
    "eos_ids": [9],
    "prompt": "tell",
    "stop_ids": [5, 6],
    "cap": 513,
    "beta": 0.2,
    "response": {"base": 5, "trained": 6},
    "origin": {"cap": "paper, page 1"},
    "traps": ["mind"],
    "stand_in": "pocket-llama",
}
TRAINED = {"by": "them", "reward": "wrong", "data": "hub-set", "rounds": 8}
PROBLEMS = PROSE | {"license": "else", "stand_in": "pocket-easy", "n": 5, "kept": 4}
BENCHMARK = {
    "extract": "gsm8k",
    "decoding": {"temperature": 0.6},
    "published": {"by-repo": {"before": 1, "after": 2}},
    "overlaps": {"local-set": {"problems": 1, "how": "else"}},
}
GAIN = {"id": "gains", "says": "It gains.", "kind": "gain", "metric": "eval/held/acc/t0"}
EXPERIMENT = {
    "name": "else",
    "question": "else",
    "prediction": "else",
    "recipe": "fast",
    "seeds": [1],
    "rounds": 5,
    "final": "mean-last-2",
    "trainer": "simulated",
    "grpo": {"beta": 0.3},
    "batch": {"prompts": 16},
    "peft": {"r": 4},
    "include": [],
    "tripwires": [{"metric": "train/reward", "below": 0.1, "for": 2, "then": "stop"}],
    "budget": {"gpu_hours": 9},
    "claims": [GAIN | {"expect": {"higher_by": 0}}],
    "max_trials": 99,
}
AXES = {
    "model": ["after", "by-repo", "in-package"],
    "reward": ["wrong"],
    "data": ["pocket-easy", "git-set"],
    "prompt": ["tell"],
    "recipe": ["fast"],
}

Changes = tuple[Model, str, tuple[str | int, ...], dict[str, Any]]
CARDS: list[Changes] = [
    (ModelCard, "models/by-folder", (), MODEL),
    (ModelCard, "models/in-package", (), {"embedded": "pocket-qwen2"}),
    (ModelCard, "models/by-repo", (), {"repo": "org/else", "revision": COMMITS[1]}),
    (ModelCard, "models/by-repo", (), {"trust_remote_code": True}),
    (ModelCard, "models/after", (), {"base": "by-repo", "trained": TRAINED}),
    (DataCard, "data/local-set", (), PROBLEMS | {"length_factor": 2}),
    (BenchmarkCard, "benchmarks/local-test", (), PROBLEMS | BENCHMARK),
    (BenchmarkCard, "benchmarks/hub-test", (), {"samples": 3}),
    (RewardCard, "rewards/half", (), PROSE | {"kind": "inverted", "version": 2}),
    (RewardCard, "rewards/half", (), {"extract": "gsm8k", "params": {}, "needs_box": True}),
    (PromptCard, "prompts/ask", (), PROSE | {"template": "{problem}!", "asks_for_box": True}),
    (RecipeCard, "recipes/slow", (), PROSE | {"grpo": {"learning_rate": 2e-6}}),
    (RecipeCard, "recipes/slow", (), {"entropy_mean": "micro_batch"}),
    (Batch, "recipes/slow", ("batch",), {"prompts": 16, "num_generations": 8}),
    (Batch, "recipes/slow", ("batch",), {"updates": 2, "micro_batch": 4}),
    (Peft, "recipes/slow", ("peft",), {"r": 4, "alpha": 8, "dropout": 0.1}),
    (Peft, "recipes/slow", ("peft",), {"target_modules": ["q_proj"]}),
]
SOURCES: list[Changes] = [  # of a training set and of a benchmark alike
    (LocalSource, "local", ("local",), {"path": "other.jsonl", "gold": "gsm8k"}),
    (Columns, "local", ("local", "columns"), {"problem": "sum", "answer": "sum", "level": "level"}),
    (Filters, "local", ("filters",), {"empty": True, "max_prompt_chars": 10_000}),
    (Filters, "local", ("filters",), {"prompt": "tell", "duplicates": True, "overlap": ["held"]}),
    (HubSource, "hub", ("hub",), {"repo": "org/other", "revision": COMMITS[1], "gold": "gsm8k"}),
    (HubSource, "hub", ("hub",), {"files": ["test.jsonl"]}),
    (GitSource, "git", ("git",), {"repo": "org/else", "commit": COMMITS[1], "path": "b.jsonl"}),
    (GitSource, "git", ("git",), {"sha256": digest_of(ROWS[1:]), "gold": "gsm8k"}),
    (PocketSource, "pocket", ("pocket",), {"level": "hard", "split": "test", "n": 21, "seed": 1}),
    (ProblemCard, "away", (), {"digest": "1" * 16}),
    (Ingredient, "built", ("built", "parts", 0), {"data": "pocket-set", "levels": ["3"]}),
]
IN_PLACE = {"path": "own.jsonl", "gold": "gsm8k", "name": "else"}
OTHERS = {"model": "in-package", "data": ["built-set", "git-set"], "why": "else"}
FULL, WATCH = ("evaluate", "full"), ("evaluate", "watch")
MANIFESTS: list[Changes] = [
    (Experiment, STUDY, (), EXPERIMENT),
    (Experiment, STUDY, (), {"exclude": [OTHERS]}),
    (Axes, STUDY, ("grid",), AXES),
    (Override, STUDY, ("overrides", 0), {"when": {"model": "by-folder"}, "why": "else"}),
    (Override, STUDY, ("overrides", 0), {"set": {"grpo.temperature": 0.8}}),
    (Exclude, STUDY, ("exclude", 0), {"why": "else"}),
    (Include, STUDY, ("include", 0), {"why": "else"}),
    (Schedule, STUDY, WATCH, {"problems": 2, "every": 2, "at": [0, 1], "decodings": ["t1"]}),
    (Schedule, STUDY, FULL, {"samples": 3}),
    (Decoding, STUDY, ("evaluate", "decoding", "t1"), {"temperature": 0.7, "top_p": 0.95}),
    (Decoding, STUDY, ("evaluate", "decoding", "t1"), {"max_tokens": 64}),
    (InlineModel, STUDY, ("grid", "model", 3), {"path": "models/one", "name": "else"}),
    (InlineModel, STUDY, ("grid", "model", 3), {"prompt": "tell", "stop_ids": [6]}),
    (InlineModel, STUDY, ("grid", "model", 3), {"cap": 513, "beta": 0.2}),
    (InlineModel, OUTSIDE, ("grid", "model", 1), {"base": "by-repo"}),
    (InlineData, STUDY, ("grid", "data", 6), IN_PLACE),
    (InlineBenchmark, STUDY, (*FULL, "benchmarks", 6), IN_PLACE | {"extract": "gsm8k"}),
]


def cases() -> list[Case]:
    """All changes of one field."""
    cards = [(model, f"cards/{name}.yaml", path, values) for model, name, path, values in CARDS]
    for kind, noun in (("data", "set"), ("benchmarks", "test")):
        for model, source, path, values in SOURCES:
            cards.append((model, f"cards/{kind}/{source}-{noun}.yaml", path, values))
    return [
        Case(model, field, file, (*path, field), value)
        for model, file, path, values in [*cards, *MANIFESTS]
        for field, value in values.items()
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the world's folder, with its cache of the hub."""
    monkeypatch.chdir(world.folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(world.folder / "hub"))


@pytest.fixture(scope="module")
def usual(world: World, tmp_path_factory: pytest.TempPathFactory) -> Ids:
    """The ids when nothing is changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world.folder)
        patch.setenv("HF_HUB_CACHE", str(world.folder / "hub"))
        return world.ids(documents(), tmp_path_factory.mktemp("usual"))


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_field_moves_the_ids_that_the_table_says(
    case: Case, world: World, usual: Ids, tmp_path: Path
) -> None:
    found = world.ids(changed(case.file, case.path, case.value), tmp_path)
    assert usual.moved(found) == case.expected, case


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "by-folder"),
        ("data", "local-set"),
        ("benchmarks", "held"),
        ("rewards", "half"),
        ("prompts", "ask"),
        ("recipes", "slow"),
    ],
)
def test_cards_of_one_content_and_other_names_have_one_hash(
    kind: str, name: str, world: World, usual: Ids, tmp_path: Path
) -> None:
    assert usual.moved(world.ids(renamed(kind, name, "renamed"), tmp_path)) == "none"


CODE = [("digest", "2" * 64), ("file", "/else/own.py"), ("entry", "own")]


@pytest.mark.parametrize(("field", "value"), CODE)
def test_a_reward_of_the_users_own_is_its_source_and_not_where_it_lies(
    field: str, value: str, world: World, tmp_path: Path
) -> None:
    def ids(folder: str, **changes: str) -> Ids:
        said = {"schema": "reward/1", "name": "own", "kind": "own"}
        code = {"digest": "1" * 64, "file": "/own.py"} | changes
        card = RewardCard.model_validate(said | {"code": code})
        study = changed(STUDY, ("grid", "reward"), ["own"])
        return world.ids(study, tmp_path / folder, made=[card])

    found = place(RewardCode, field)
    assert found is not None
    assert ids("before").moved(ids("after", **{field: value})) == found.ids


RANDOM: list[tuple[str, Any]] = [("config", {"model_type": "llama"}), ("seed", 1)]


@pytest.mark.parametrize(("field", "value"), RANDOM)
def test_random_weights_are_what_they_are_drawn_from(
    field: str, value: Any, world: World, tmp_path: Path
) -> None:
    def ids(folder: str, **changes: Any) -> Ids:
        said = {"schema": "model/1", "name": "own-random-weights", "prompt": "ask", "cap": 512}
        said |= {"geometry": LAYERS, "context": 2048, "eos_ids": [0]}
        drawn = {"config": {"model_type": "qwen2"}} | changes
        card = ModelCard.model_validate(said | {"random_weights": drawn})
        study = changed(STUDY, ("grid", "model"), ["own-random-weights"])
        study[STUDY] |= {"include": [], "exclude": [], "overrides": []}
        return world.ids(study, tmp_path / folder, made=[card])

    found = place(RandomWeights, field)
    assert found is not None
    assert ids("before").moved(ids("after", **{field: value})) == found.ids


LOOKS: list[tuple[str, int]] = [("start", 3), ("add", 2), ("most", 7)]


@pytest.mark.parametrize(("field", "value"), LOOKS)
def test_looks_say_which_seeds_there_are_and_move_no_id(
    field: str, value: int, world: World, tmp_path: Path
) -> None:
    def ids(folder: str, **changes: int) -> Ids:
        looks = {"start": 2, "add": 1, "most": 5, "until": "decided"} | changes
        looks |= {"most": 7} if changes.get("start") or changes.get("add") == 2 else {}
        looks |= {"start": 3} if changes.get("add") == 2 else {}
        study = changed(STUDY, ("seeds",), looks)
        study[STUDY] |= {"claims": [GAIN | {"expect": {"higher_by": 0}}]}
        return world.ids(study, tmp_path / folder)

    found = place(SeedLooks, field)
    assert found is not None
    assert ids("before").moved(ids("after", **{field: value})) == found.ids == "none"


def test_every_field_that_could_bear_on_a_result_was_changed() -> None:
    tried = {(case.model, case.field) for case in cases()}
    tried |= {(RewardCode, field) for field, _ in CODE}
    tried |= {(RandomWeights, field) for field, _ in RANDOM}
    tried |= {(SeedLooks, field) for field, _ in LOOKS}
    tried |= {(card, "name") for card in FOLDERS if card is not ComputeProfile}
    left = [
        f"{model.__name__}.{field}"
        for model in open_models()
        for field in model.model_fields
        for found in (place(model, field),)
        if found is not None
        and found is not FORM
        and found is not DERIVED
        and found.ids != "parts"
        and not any(issubclass(model, tried_of) and field == name for tried_of, name in tried)
    ]
    assert not left, f"change them in a case of this file: {left}"


def open_models() -> list[Model]:
    """The models of which a field could bear on a result: those that are not reached only through
    fields that are in no id."""
    found: list[Model] = [model for model in TOPS if model not in MADE_OR_ELSEWHERE]
    for model in found:
        for name, field in model.model_fields.items():
            where = place(model, name)
            if where is None or where.ids != "none":
                found += [m for m in models_in(field.annotation) if m not in found]
    return found


def test_a_hub_copy_and_a_local_copy_of_the_same_problems_are_one(
    world: World, usual: Ids, tmp_path: Path
) -> None:
    (local,) = (fields for name, fields in documents().items() if name.endswith("leveled.yaml"))
    copy = local | {"name": "hub-set"}
    found = changed("cards/data/hub-set.yaml", ("about",), "")
    found["cards/data/hub-set.yaml"] = copy
    assert usual.moved(world.ids(found, tmp_path)) == "none"


def test_a_digest_on_the_card_stands_for_the_problems_before_they_are_fetched(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(tmp_path / "cards")
    world.ids(documents(), tmp_path)
    measured = world.resolver.problems(catalog.get(DataCard, "hub-set"))
    found = changed("cards/data/hub-set.yaml", ("digest",), measured)
    here = world.ids(found, tmp_path / "here")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nothing"))
    found["cards/benchmarks/hub-test.yaml"]["digest"] = measured
    assert here.moved(world.ids(found, tmp_path / "away")) == "none"
