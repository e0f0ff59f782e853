"""Wrong manifests: one clear message a fault, with file, line, caret and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, ModelCard
from zoo.errors import Fault, InputError
from zoo.manifest.load import read
from zoo.planning.expand import expand

Write = Callable[..., Path]


def message(path: Path) -> str:
    """The whole message that reading and expanding gives."""
    with pytest.raises(InputError) as caught:
        expand(read(path), Catalog())
    assert caught.value.exit_code == 2
    return str(caught.value)


def faults(path: Path) -> list[Fault]:
    """All faults that reading and expanding finds, in the order of the file."""
    with pytest.raises(InputError) as caught:
        expand(read(path), Catalog())
    return caught.value.faults


def test_an_unknown_model_is_named_with_the_nearest_known_one(write: Write) -> None:
    path = write(grid="{model: [pocket-lama], reward: correctness, data: pocket-easy}")
    assert message(path) == (
        f"{path}:5:16: unknown model 'pocket-lama'; did you mean 'pocket-llama'?\n"
        "    grid: {model: [pocket-lama], reward: correctness, data: pocket-easy}\n"
        "                   ^"
    )


def test_a_model_unlike_any_other_gets_the_list(write: Write) -> None:
    path = write(grid="{model: gpt, reward: correctness, data: pocket-easy}")
    assert f"unknown model 'gpt'; available: {', '.join(Catalog().names(ModelCard))}" in message(
        path
    )


def test_a_misspelt_key_is_named_with_the_key_that_was_meant(write: Write) -> None:
    path = write(round="4")
    assert message(path) == (
        f"{path}:8:1: unknown key 'round'; did you mean 'rounds'?\n    round: 4\n    ^"
    )


def test_a_misspelt_key_deep_inside_is_understood_too(write: Write) -> None:
    path = write(evaluate="{full: {benchmark: [pocket-easy], at: [last]}}")
    assert message(path).startswith(
        f"{path}:7:19: unknown key 'evaluate.full.benchmark'; did you mean 'benchmarks'?\n"
    )


def test_all_faults_are_reported_together(write: Write) -> None:
    text = message(write(rounds="0", seeds="[1, 1]", recipe=None))
    assert [line.split(": ", 1)[1] for line in text.splitlines()[::3]] == [
        "'recipe' is missing",
        "rounds is 0; expected at least 1",
        "seeds is [1, 1]; expected seeds that differ",
    ]


def test_unknown_names_of_all_kinds_are_reported_together(write: Write) -> None:
    path = write(
        grid="{model: [a, b], reward: c, data: d, prompt: e, recipe: f, grpo.bta: 0}",
        evaluate="{full: {benchmarks: [g], at: [last], decodings: [h]}}",
    )
    text = message(path)
    for found in ("model 'a'", "model 'b'", "reward 'c'", "data 'd'", "prompt 'e'", "recipe 'f'"):
        assert f"unknown {found}" in text
    assert "unknown GRPO setting 'bta'; did you mean 'beta'?" in text
    assert "unknown benchmark 'g'" in text
    assert "unknown decoding 'h'; available: t1.0, t0" in text


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "no.yaml"
    assert message(path) == (
        f"{path}: cannot be read: No such file or directory; expected a YAML file; check the path"
    )


def test_a_file_that_is_not_yaml_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("schema: experiment/1\nname: [small\nrounds: 3\n")
    assert message(path).startswith(f"{path}:3:")
    assert "not YAML: while parsing a flow sequence" in message(path)


@pytest.mark.parametrize(
    ("text", "found"), [("", "nothing"), ("- a", "a list"), ("word", "'word'")]
)
def test_a_yaml_file_that_is_no_manifest_says_what_it_is(
    tmp_path: Path, text: str, found: str
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(text)
    assert message(path).startswith(f"{path}:1:1: {found}; expected keys and values (`key: value`)")


def test_the_name_is_the_name_of_the_file(write: Write) -> None:
    path = write(name="other")
    assert message(path).startswith(
        f"{path}:2:7: the manifest calls itself 'other'; expected 'small', as its file is named"
    )


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("beta: high", "beta is 'high'; expected a number of at least 0"),
        ("use_vllm: false", "'use_vllm' is not for a manifest; placement belongs to the compute"),
        ("seed: 3", "'seed' is not for a manifest; set `seeds: [0, 1, 2]`"),
        ("beta: .nan", "beta is nan; expected a number of at least 0"),
        ("num_iterations: 1.5", "num_iterations is 1.5; expected a whole number of at least 1"),
        ("temperature: from-card", "temperature cannot come from a card"),
    ],
)
def test_a_setting_that_is_not_for_a_manifest_says_why(
    write: Write, setting: str, found: str
) -> None:
    assert found in message(write(grpo=f"{{{setting}}}"))


def test_an_unknown_axis_is_understood(write: Write) -> None:
    path = write(grid="{model: pocket-llama, reward: correctness, data: pocket-easy, seed: [1]}")
    assert "unknown axis 'seed'" in message(path)
    path = write(grid="{model: pocket-llama, reward: correctness, data: pocket-easy, propmt: none}")
    assert "unknown axis 'propmt'; did you mean 'prompt'?" in message(path)


def test_an_axis_that_names_a_value_twice_is_refused(write: Write) -> None:
    path = write(
        grid="{model: [pocket-llama, pocket-llama], reward: correctness, data: pocket-easy}"
    )
    assert "axis 'model' names a value twice" in message(path)


def test_a_schedule_without_a_time_is_refused(write: Write) -> None:
    text = message(write(evaluate="{full: {benchmarks: [pocket-easy]}}"))
    assert "expected rounds to evaluate at: `every: ROUNDS` or `at: [0, last]`" in text


def test_a_batch_that_cannot_be_split_is_refused(write: Write) -> None:
    text = message(write(batch="{prompts: 5, updates: 2}"))
    assert "prompts (5) must be a multiple of updates (2)" in text
    assert message(write(batch="{promts: 5}")).count("unknown key 'batch.promts'") == 1


def test_a_model_folder_that_is_not_there_is_refused(write: Write) -> None:
    path = write(
        grid="{model: {path: nowhere, prompt: none}, reward: correctness, data: {path: no.jsonl}}"
    )
    text = message(path)
    assert "no model folder at 'nowhere'; expected a Hugging Face folder" in text
    assert "no file at 'no.jsonl'; expected a jsonl or parquet file; searched in the" in text


def test_a_folder_or_a_name_too_long_in_the_place_of_a_file_is_refused(write: Write) -> None:
    grid = "{{model: pocket-llama, reward: correctness, data: {{path: {}}}}}"
    assert "'.' is a folder; expected a jsonl or parquet file" in message(
        write(grid=grid.format("."))
    )
    assert "no file at 'aaa" in message(write(grid=grid.format("a" * 5000)))


def test_exclusions_that_match_nothing_are_faults(write: Write) -> None:
    assert "axis 'model' has no value 'pocket-lama'; did you mean 'pocket-llama'?" in message(
        write(exclude="[{model: pocket-lama, why: small}]")
    )
    assert "no axis 'modle'; did you mean 'model'?" in message(
        write(exclude="[{modle: pocket-llama, why: small}]")
    )
    assert "'why' is missing" in message(write(exclude="[{model: pocket-llama}]"))


def test_nothing_is_written_by_looking_at_a_manifest(write: Write) -> None:
    path = write(grid="{model: no, reward: no, data: no}")
    message(path)
    assert sorted(path.parent.iterdir()) == [path]


def test_a_misspelt_key_is_one_fault_even_where_the_key_is_needed(write: Write) -> None:
    path = write(recipe=None, recipee="pocket")
    assert message(path) == (
        f"{path}:7:1: unknown key 'recipee'; did you mean 'recipe'?\n    recipee: pocket\n    ^"
    )


def test_faults_of_form_and_faults_of_meaning_are_reported_together(write: Write) -> None:
    path = write(
        round="4",
        rounds=None,
        seeds="[0, -1]",
        grid="{model: [pocket-lama], reward: [], data: pocket-easy, grpo.bta: [0, 1]}",
        batch="{prompts: 0, updats: 2}",
        grpo="{temperature: 0}",
        overrides="[{when: {reward: correctness}, set: {grpo.betta: 1}}, "
        "{when: {reward: correctness}, set: {}}]",
        exclude="[{reward: correctness, why: it is left out}]",
    )
    found = [fault.found for fault in faults(path)]
    assert found == [
        "unknown model 'pocket-lama'",
        "grid.reward is []",
        "unknown GRPO setting 'bta'",
        "unknown key 'round'",
        "seeds.1 is -1",
        "batch.prompts is 0",
        "unknown key 'batch.updats'",
        "temperature is 0",
        "unknown GRPO setting 'betta'",
        "overrides.1.set is {}",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"grid": "{model: pocket-llama, reward: [], data: pocket-easy}"},
        {"grid": "pocket-llama"},
        {"recipe": None},
        {"recipe": "[pocket]"},
        {"rounds": "many"},
        {"evaluate": "{full: {benchmarks: [pocket-easy], at: [4], decodings: [x]}, decoding: {}}"},
        {"exclude": "[{reward: nothing}]"},
        {"zip": "[{reward: [], data: [pocket-easy]}]", "grid": "{model: pocket-llama}"},
        {"name": "No Name"},
        {"trainer": "trll"},
    ],
)
def test_a_part_that_is_wrong_makes_no_other_part_wrong(
    write: Write, change: dict[str, str | None]
) -> None:
    known = {"exclude": "[{reward: correctness, why: as above}]"} | change
    assert len(faults(write(**known))) == 1


def test_nothing_is_converted_without_a_word(write: Write) -> None:
    text = message(write(rounds='"4"', seeds="[true]", question="2024"))
    assert "question is 2024; expected a text" in text
    assert "rounds is '4'; expected a whole number" in text
    assert "seeds.0 is true; expected a whole number" in text


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("rounds", "1000000000000000000", "rounds is 1000000000000000000; expected at most 1,000,"),
        ("seeds", "[4294967296]", "seeds.0 is 4294967296; expected at most 4,294,967,295"),
        ("batch", "{prompts: 99999999}", "batch.prompts is 99999999; expected at most 10,000,000"),
        ("grpo", "{num_iterations: 9999999999}", "expected a number of at most 1,000,000,000"),
        ("grpo", f"{{learning_rate: {'9' * 400}}}", "expected a number of at most 1,000,000,000"),
        ("question", "' '", "expected a text that is not empty"),
        ("exclude", "[{model: '*', why: ''}]", "exclude.0.why is ''; expected a text that is not"),
    ],
)
def test_numbers_that_no_study_has_and_empty_texts_are_refused(
    write: Write, key: str, value: str, found: str
) -> None:
    assert found in message(write(**{key: value}))


@pytest.mark.parametrize(
    ("name", "schedule", "found"),
    [
        ("Fu ll", "every: 1", "7:12: the name 'Fu ll'; expected a name of small letters"),
        ("full", "every: 1, problems: 501", "7:66: problems is 501; expected at most 500"),
        ("full", "every: 1, decodings: []", "7:67: evaluate.full.decodings is []; expected 1 or"),
        ("full", "every: 1, samples: 99999999", "evaluate.full.samples is 99999999; expected at"),
    ],
)
def test_schedules_that_cannot_be_meant_are_refused(
    write: Write, name: str, schedule: str, found: str
) -> None:
    path = write(evaluate=f"{{{name}: {{benchmarks: [pocket-easy], {schedule}}}}}")
    assert found in message(path)


def test_a_temperature_without_end_is_refused(write: Write) -> None:
    full = "full: {benchmarks: [pocket-easy], at: [0]}"
    path = write(evaluate=f"{{{full}, decoding: {{t: {{temperature: .inf}}}}}}")
    assert "expected a finite number" in message(path)


@pytest.mark.parametrize("ids", ["[-1]", "[3, 3]"])
def test_stop_ids_are_token_ids_each_once(write: Write, ids: str) -> None:
    grid = f"{{model: {{path: m, prompt: none, stop_ids: {ids}}}, reward: correctness}}"
    assert "grid.model.stop_ids" in message(write(grid=grid))


CLAIMS = """
  - {id: a, says: s, kind: gain, compare: {reward: [x, y]}, metric: M, expect: {higher_by: 0}}
  - {id: b, says: s, compare: {reward: [box-strict, corectness]}, metric: M, expect: {higher_by: 0}}
  - {id: c, says: s, compare: {rewad: [box-strict, correctness]}, metric: N, expect: {higher_by: 0}}
  - {id: d, says: s, kind: gain, metric: M, expect: {higher_by: 100}}
  - {id: d, says: s, order: {reward: [correctness, box-strict]}, metric: M, expect: {lower_by: 0}}
""".replace("M,", "eval/pocket-easy/acc/t0,").replace("N,", "eval/pocket-esy/acc/t0,")
WIRES = "[{metric: eval/pocket-esy/acc/t0, above: 0.5}, {metric: train/accuracy, below: 5}]"
TOLD = [
    "claims.0.compare is {reward: [x, y]}",
    "axis 'reward' has no value 'corectness'",
    "no axis 'rewad'",
    "no evaluation has 'eval/pocket-esy/acc/t0'",
    "higher_by: 100 percentage points",
    "a second claim 'd'",
    "claims.4.expect is {lower_by: 0}",
    "no evaluation has 'eval/pocket-esy/acc/t0'",
    "train/accuracy below 5",
]


@pytest.mark.parametrize(
    ("model", "grpo", "more"),
    [
        ("pocket-llama", "{}", []),
        ("pocket-lama", "{}", ["unknown model 'pocket-lama'"]),
        ("pocket-llama", "{betta: 1}", ["unknown GRPO setting 'betta'"]),
        ("pocket-llama", "{bf16: true, fp16: true}", ["bf16 and fp16 at once"]),
    ],
)
def test_no_fault_hides_those_of_claims_and_tripwires(
    write: Write, model: str, grpo: str, more: list[str]
) -> None:
    path = write(
        grid=f"{{model: {model}, reward: [correctness, box-strict], data: pocket-easy}}",
        grpo=grpo,
        claims=CLAIMS,
        tripwires=WIRES,
    )
    assert [fault.found for fault in faults(path)] == more + TOLD


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("kind: gain, compare: {reward: [x, y]}, metric: m", "compare"),
        ("compare: {reward: [x, y]}, metric: m, k: [1]", "k"),
        ("kind: crossover, metric: m, k: [1], expect: {not_before: 3}", "metric"),
        ("kind: crossover, metric: 'm{k}', k: [3], expect: {not_before: 3}", "k"),
        ("order: {reward: [x, y]}, metric: m, expect: {lower_by: 0}", "expect"),
        ("kind: gain, metric: m, expect: {not_before: 3}", "expect"),
    ],
)
def test_a_claim_of_a_wrong_shape_is_placed_at_the_key(write: Write, change: str, key: str) -> None:
    said = change if "expect" in change else f"{change}, expect: {{higher_by: 0}}"
    path = write(claims=f"[{{id: a, says: s, {said}}}]")
    line = path.read_text(encoding="utf-8").splitlines()[7]
    (fault,) = [fault for fault in faults(path) if fault.found.startswith("claims.0.")]
    assert fault.place.endswith(f":8:{line.index(f'{key}:') + 1}")


def test_a_part_that_is_left_out_hides_no_fault_of_the_next(write: Write) -> None:
    path = write(exclude="[{model: pocket-llama, why: ''}, {why: x}, {model: nobody, why: y}]")
    assert [fault.found for fault in faults(path)] == [
        "exclude.0.why is ''",
        "this exclusion names no axis",
        "axis 'model' has no value 'nobody'",
    ]


def test_looks_that_do_not_reach_their_last_seed_are_refused(write: Write) -> None:
    told = message(write(seeds="{start: 3, add: 2, most: 8}"))
    assert "`most` reached from `start` in steps of `add`, such as most: 7" in told
    assert "'start' is missing" in message(write(seeds="{add: 2, most: 8}"))
    assert "unknown key 'seeds.begin'" in message(write(seeds="{begin: 2, add: 2, most: 8}"))


def test_looks_without_a_claim_to_decide_are_refused(write: Write) -> None:
    told = message(write(seeds="{start: 3, add: 2, most: 9, until: decided}"))
    assert "expected claims that looks can decide; without them, a list of seeds" in told
