"""`zoo plan`: text and JSON, one trial, what changed, parts of a plan, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import files, zoo
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study
from zoo.store import record
from zoo.store.record import Record

NAMES = (
    "pocket-qwen2.correctness.pocket-easy",
    "pocket-qwen2.box-strict.pocket-easy",
    "pocket-llama.correctness.pocket-easy",
    "pocket-llama.box-strict.pocket-easy",
)

REAL = ("trainer=trl",)


def told(*words: str) -> dict[str, Any]:
    """The plan for programs."""
    return json.loads(zoo("plan", "--json", *words).text)


def listed(text: str, symbol: str = "+") -> list[str]:
    """Names of the trials that a plan lists under a symbol."""
    found = (line.split() for line in text.splitlines() if line.startswith(f"{symbol} "))
    return [words[1] for words in found if "pocket-" in words[1]]


# -- the whole plan --------------------------------------------------------------------------------


def test_it_says_what_is_asked_what_runs_and_what_next_and_writes_nothing(folder: Path) -> None:
    before = files(folder)
    plan = zoo("plan", "tiny")
    assert plan.status == 0
    assert plan.lines[0] == "tiny: Does anything happen?"
    assert "  4 cells x 1 seed = 4 trials of 3 rounds" in plan.lines
    assert "  override 1 where model=pocket-llama: grpo.beta = 0.01; 2 trials (it drifts)" in (
        plan.lines
    )
    assert "+ 4 to run: never ran (--all names them)" in plan.lines
    assert "  A strict box costs accuracy. (box)" in plan.lines
    assert any(line.startswith("  ! reward box-strict needs a box") for line in plan.lines)
    assert "+ 4 to run" in plan.lines
    assert plan.lines[-2].endswith(" at a time; run them:")
    assert plan.lines[-1] == "  zoo sweep experiments/tiny.yaml"
    assert files(folder) == before


def test_it_names_the_series_of_other_sets_and_the_rounds_of_final_numbers(folder: Path) -> None:
    watch = "evaluate.watch={benchmarks: [pocket-easy], problems: 4, every: 1, decodings: [t1.0]}"
    words = ("--set", watch, "--set", "final=mean-last-2")
    plan = zoo("plan", "tiny", *words)
    assert "  evaluate   watch, full: pocket-easy (4 problems) under t1.0 at rounds 0, 1, 2, 3" in (
        plan.lines
    )
    assert (
        "final pocket-easy t1.0: mean of the last 2 evaluations: rounds 2, 3; pocket-easy "
        "t0: round 3, the only evaluation of the last 2 required"
    ) in plan.prose
    other = zoo("plan", "tiny", "--set", watch.replace("4", "2"), "--set", "final=mean-last-2")
    assert (
        "  evaluate   watch: pocket-easy (2 problems) under t1.0 at rounds 0, 1, 2, 3, "
        "named watch/..."
    ) in other.lines
    assert "  final      round 3, the only evaluation of the last 2 required" in other.lines


def test_a_manifest_is_found_by_name_and_by_path(folder: Path) -> None:
    assert zoo("plan", "tiny").text == zoo("plan", "experiments/tiny.yaml").text
    assert "did you mean 'tiny'?" in zoo("plan", "tinny").error
    error = zoo("plan", "experiments/tinny.yaml").error
    assert error == "experiments/tinny.yaml: no such file; did you mean 'experiments/tiny.yaml'?"
    assert "cannot be read: No such file" in zoo("plan", "experiments/else.yaml").error
    (folder / "near.yaml").write_text("")
    assert "did you mean 'near.yaml'?" in zoo("plan", "near").error


def test_an_unknown_profile_is_told_at_the_option(folder: Path) -> None:
    error = zoo("plan", "tiny", "--on", "latop").error
    assert error == "--on latop: unknown profile 'latop'; did you mean 'laptop'?"


def test_trials_are_counted_by_reason_and_all_names_each(folder: Path) -> None:
    sets = ("--set", "seeds=[0, 1]")
    short, long = zoo("plan", "tiny", *sets), zoo("plan", "tiny", *sets, "--all")
    assert "+ 8 to run: never ran (--all names them)" in short.lines
    assert listed(short.text) == []
    assert listed(long.text) == [f"{name}.s{seed}" for name in NAMES for seed in (0, 1)]


def test_trials_that_something_happened_to_are_named(swept: Path) -> None:
    for trial in (swept / "runs/train").glob("pocket-llama.*"):
        (trial / "record.json").unlink()
    told = " ".join(zoo("plan", "tiny").text.split())
    assert "= 2 done: 3 rounds (--all names them) > 2 unfinished: no record" in told
    assert f"; starts again: {NAMES[2]}, {NAMES[3]}" in told


def test_the_plan_for_programs_has_all_parts(folder: Path) -> None:
    plan = told("tiny")
    assert set(plan) == {
        *("references", "prompts", "looks", "random_weights"),
        *("name", "simulated", "rehearsal", "profile", "counts", "trials", "changes"),
        *("grading", "claims", "warnings", "placement", "cost"),
    }
    assert (plan["name"], plan["simulated"], plan["rehearsal"]) == (
        "tiny",
        True,
        False,
    )
    counts = {"new": 4, "stale": 0, "done": 0, "unfinished": 0, "failed": 0, "void": 0}
    assert plan["counts"] == counts | {"trials": 4, "to_run": 4}
    cell = {"model": "pocket-qwen2", "reward": "correctness", "data": "pocket-easy"}
    assert plan["trials"][0]["cell"] == cell
    assert set(plan["trials"][0]) == {"id", "name", "cell", "seed", "symbol", "why"}
    assert plan["changes"] == {"locked": False, "new": 0, "gone": [], "changed": []}
    assert [(c["id"], c["enough"]) for c in plan["claims"]] == [("box", False)]
    assert {w["id"] for w in plan["warnings"]} >= {"box-not-asked", "seeds-cannot-decide"}
    assert [(p["model"], p["trials"]) for p in plan["placement"]] == [
        ("pocket-qwen2", 2),
        ("pocket-llama", 2),
    ]
    assert plan["placement"][0]["profiles"]["h100"]["fits"] is True
    assert set(plan["cost"]) >= {"unit", "hours", "by_arm", "usd", "disk_bytes", "worst_loss"}
    assert plan["cost"]["rounds"] == 4 * 3
    assert plan["cost"]["completions"] == 4 * 3 * 8


def test_text_and_programs_agree(folder: Path) -> None:
    assert listed(zoo("plan", "--all", "tiny").text) == [t["name"] for t in told("tiny")["trials"]]


def test_what_the_command_line_sets_wins_and_is_said(folder: Path) -> None:
    words = ("tiny", "--set", "grpo.beta=0.1", "--set", "seeds=[3]")
    plan = zoo("plan", *words)
    assert any(line.endswith("-> 0.1 (--set)") for line in plan.lines)
    assert {row["seed"] for row in told(*words)["trials"]} == {3}
    before = {row["id"] for row in told("tiny")["trials"]}
    assert not {row["id"] for row in told(*words)["trials"]} & before
    assert "--set 'seeds=[3]'" in plan.lines[-1]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("grpo.betta=1", "unknown GRPO setting 'betta'; did you mean 'beta'?"),
        ("grpo.beta", "expected NAME=VALUE"),
        ("rounds=many", "--set rounds=many: "),
        ("grid.model=[pocket-lama]", "unknown model 'pocket-lama'; did you mean 'pocket-llama'?"),
    ],
)
def test_a_change_that_cannot_be_is_refused_at_the_option(
    folder: Path, change: str, error: str
) -> None:
    plan = zoo("plan", "tiny", "--set", change)
    assert plan.status == 2
    assert "--set" in plan.error
    assert error in plan.error


def test_changes_are_said_as_a_manifest_says_them_and_only_where_something_changes(
    folder: Path,
) -> None:
    said = "epsilon_high: null, epsilon: 0.2, delta: 2, mask_truncated_completions: true"
    plan = zoo("plan", "tiny", "--set", f"grpo={{{said}}}", "--set", "batch={}")
    assert [line for line in plan.lines if line.startswith("  changed")] == [
        "  changed    grpo.delta null -> 2",
        "  changed    grpo.mask_truncated_completions false -> true",
    ]


def test_an_override_that_the_command_line_beats_is_not_told_as_in_force(folder: Path) -> None:
    plan = zoo("plan", "tiny", "--set", "grpo.beta=0.5")
    assert "grpo.beta = 0.01 (but --set wins); 2 trials" in plan.text


def test_on_a_cpu_no_gpu_takes_part_in_the_batch(folder: Path) -> None:
    plan = zoo("plan", "tiny").text
    assert " completions an update" in plan
    assert "GPU " not in plan.split("placement")[1].split("cost of")[0]


def test_a_rehearsal_has_a_batch_of_its_own(folder: Path) -> None:
    change = ("--set", "batch.prompts=64")
    assert "batch.prompts" in zoo("plan", "tiny", *change).text
    assert "changed    batch" not in zoo("plan", "tiny", "--rehearse", *change).text


def test_the_detailed_exit_status_says_whether_there_is_work(folder: Path) -> None:
    assert zoo("plan", "tiny").status == 0
    assert zoo("plan", "tiny", "--detailed-exitcode").status == 3
    assert zoo("sweep", "tiny", "--bare", "--only", "model=*llama").status == 0
    assert zoo("plan", "tiny", "--detailed-exitcode", "--only", "model=*llama").status == 0
    assert zoo("plan", "tiny", "--detailed-exitcode").status == 3
    assert zoo("plan", "tiny", "--detailed-exitcode", "--json").status == 3


def trained(rounds: int = 3) -> None:
    """Records of real trials of `tiny`, as if they had been trained; nothing was measured yet."""
    made = load_study("tiny", PlanOptions(sets=REAL))
    for trial in made.trials:
        folder = made.store.train(trial.id)
        found = Record(
            form=2, id=trial.id, stage="train", state="done", round=rounds, seconds=72_000
        )
        record.write(folder, found)
        (folder / "checkpoints/round-0003").mkdir(parents=True)
        (folder / "checkpoints/round-0003/config.json").write_text("{}")


def test_trained_trials_that_lack_an_evaluation_cost_no_training(folder: Path) -> None:
    sets = [word for said in REAL for word in ("--set", said)]
    whole = told("tiny", *sets)["cost"]
    trained()
    left = told("tiny", *sets)
    assert {t["why"].split(" at ")[0] for t in left["trials"]} == {
        "evaluation missing: pocket-easy/t1.0, pocket-easy/t0"
    }
    assert (whole["training"]["mid"] > 0, left["cost"]["training"]["mid"]) == (True, 0)
    assert left["cost"]["evaluation"] == whole["evaluation"]
    assert left["cost"]["base_models"] == whole["base_models"]
    assert (whole["rounds"], left["cost"]["rounds"]) == (12, 0)


def test_trials_that_need_training_again_are_one_line_and_no_work(folder: Path) -> None:
    trained()
    for at, path in enumerate(sorted((folder / "runs/train").glob("*/record.json"))):
        path.write_text(path.read_text().replace("72000.0", f"{1000 + 3600 * at}"))
    sets = [
        word for said in (*REAL, "rounds=5", "evaluate={}", "claims=[]") for word in ("--set", said)
    ]
    found = zoo("plan", "tiny", *sets, "--detailed-exitcode")
    assert found.status == 0
    assert (
        "~ 4 stale: has 3 of 5 rounds, its optimiser was not kept, needs training again: "
        "pocket-qwen2" in found.prose
    )


def test_a_rehearsal_is_planned_by_flag_and_by_name(folder: Path) -> None:
    plan = zoo("plan", "tiny", "--rehearse")
    assert plan.lines[0] == "tiny.rehearsal: Does anything happen?"
    assert any("REHEARSAL" in line for line in plan.lines)
    assert "4 cells x 1 seed = 4 trials of 2 rounds" in plan.text
    long = zoo("plan", "--all", "tiny", "--rehearse")
    assert len([line for line in long.lines if line.startswith("+ rehearsal.pocket-")]) == 4
    assert plan.text == zoo("plan", "tiny.rehearsal").text
    assert plan.lines[-1].endswith("zoo sweep experiments/tiny.yaml --rehearse")
    assert told("tiny.rehearsal")["rehearsal"] is True


@pytest.mark.parametrize("rehearse", [[], ["--rehearse"]])
def test_a_stand_in_that_no_rehearsal_may_take_is_refused(
    folder: Path, rehearse: list[str]
) -> None:
    hub = f"repo: org/mine\nrevision: {'a' * 40}\nprompt: none\ncap: 64"
    for kind, form, rest, stand_in in (
        ("models", "model", hub, "qwen2.5-7b"),
        ("data", "data", "local: {path: ../../mine.jsonl}", "pocket-esy"),
    ):
        (folder / "cards" / kind).mkdir(parents=True)
        text = f"schema: {form}/1\nname: mine\n{rest}\nstand_in: {stand_in}\n"
        (folder / "cards" / kind / "mine.yaml").write_text(text)
    (folder / "mine.jsonl").write_text('{"problem": "1 + 1", "answer": "2"}\n' * 2)
    sets = ("grid.model=mine", "grid.data=mine", "overrides=[]")
    plan = zoo("plan", "tiny", *rehearse, *[word for s in sets for word in ("--set", s)])
    assert "cards/models/mine.yaml:7:11: 'qwen2.5-7b' is none of zoo's pocket models" in plan.error
    assert "cards/data/mine.yaml:4:11: unknown data 'pocket-esy'; did you mean" in plan.error


# -- parts of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "left"),
    [
        (["model=*llama"], {2, 3}),
        (["reward=box-strict"], {1, 3}),
        (["reward=box-*", "model=pocket-q*"], {1}),
        (["model=pocket-llama,pocket-qwen2", "reward=correctness"], {0, 2}),
        (["seed=0"], {0, 1, 2, 3}),
        (["id=*qwen2.box*"], {1}),
    ],
)
def test_only_leaves_what_fits_every_pattern(folder: Path, only: list[str], left: set[int]) -> None:
    words = [word for text in only for word in ("--only", text)]
    found = listed(zoo("plan", "--all", "tiny", *words).text)
    assert {NAMES.index(name) for name in found} == left


def test_only_by_seed_takes_one_of_several(folder: Path) -> None:
    plan = told("tiny", "--set", "seeds=[0, 1]", "--only", "seed=1")
    assert [row["seed"] for row in plan["trials"]] == [1] * 4


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ("grpo.beta=1e-3", [(0.001, True), (0.001, False)]),
        ("grpo.beta=0", [(0.0, True), (0.0, False)]),
        ("grpo.beta=0.00*", [(0.001, True), (0.001, False)]),
        ("grpo.shuffle_dataset=false", [(0.0, False), (0.001, False)]),
        ("grpo.beta=0,.001", [(0.0, True), (0.0, False), (0.001, True), (0.001, False)]),
    ],
)
def test_only_takes_values_as_a_manifest_says_them(
    folder: Path, only: str, left: list[tuple[float, bool]]
) -> None:
    grid = (
        "{model: pocket-llama, reward: correctness, data: pocket-easy, grpo.beta: [0, 1.0e-3], "
        "grpo.shuffle_dataset: [true, false]}"
    )
    sets = ("--set", f"grid={grid}", "--set", "overrides=[]", "--set", "claims=[]")
    cells = [row["cell"] for row in told("tiny", *sets, "--only", only)["trials"]]
    assert [(cell["grpo.beta"], cell["grpo.shuffle_dataset"]) for cell in cells] == left


def test_only_is_said_beside_the_size_of_the_study(folder: Path) -> None:
    plan = zoo("plan", "tiny", "--only", "model=*llama")
    assert "  4 cells x 1 seed = 4 trials of 3 rounds; --only keeps 2 of them" in plan.lines


@pytest.mark.parametrize(
    ("only", "error"),
    [
        (["modle=x"], "no axis 'modle'; expected AXIS=PATTERN, such as model=qwen*; did you mean"),
        (["model"], "--only model: no `=PATTERN` after 'model'; expected AXIS=PATTERN, such as"),
        (["colour=red"], "available: model, reward, data, seed, id"),
        (["model=pocket-lama"], "no model fits 'pocket-lama'; did you mean 'pocket-llama'?"),
        (["reward=correctness,bax"], "no reward fits 'bax'"),
        (["model=*llama,seed=0"], "no model fits 'seed=0'"),
        (["seed=7"], "no seed fits '7'; available: 0"),
        (["id=*llama*", "model=*qwen2"], "no trial fits; expected at least one that fits all"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(folder: Path, only: list[str], error: str) -> None:
    plan = zoo("plan", "tiny", *[word for text in only for word in ("--only", text)])
    assert plan.status == 2
    assert error in plan.error


def test_all_wrong_patterns_are_told_at_once(folder: Path) -> None:
    error = zoo("plan", "tiny", "--only", "modle=x", "--only", "seed=7").error
    assert "'modle'" in error
    assert "'7'" in error


# -- one trial -------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["2", "llama.correctness", NAMES[2]])
def test_a_trial_is_explained_by_number_by_a_part_of_its_id_and_by_its_name(
    folder: Path, word: str
) -> None:
    plan = zoo("plan", "tiny", "--explain", word)
    assert plan.lines[0].startswith(f"+ {NAMES[2]}")
    assert plan.lines[0].endswith(": never ran")
    for start in (
        "folder: ",
        "placement: CPU",
        "cost: ",
        "name: ",
        "the id is a hash of:",
        "  trainer: ",
    ):
        assert any(line.startswith(start) for line in plan.lines), start


def test_a_number_counts_what_only_leaves(folder: Path) -> None:
    plan = zoo("plan", "tiny", "--explain", "0", "--only", "model=*llama")
    assert plan.lines[0].startswith(f"+ {NAMES[2]}")


@pytest.mark.parametrize(
    ("word", "error"),
    [
        (
            "pocket",
            "--explain: 'pocket' names more than one trial of 'tiny'; it fits: pocket-qwen2.",
        ),
        ("9", "--explain: 'tiny' has no trial 9; there are 4, counted from 0"),
        ("nothing", "--explain: 'nothing' names no trial of 'tiny'; available: pocket-qwen2."),
    ],
)
def test_a_word_that_names_no_one_trial_is_refused(folder: Path, word: str, error: str) -> None:
    plan = zoo("plan", "tiny", "--explain", word)
    assert plan.status == 2
    assert plan.error.startswith(error)


def test_an_explanation_for_programs_has_the_hashed_payload_and_what_moved(swept: Path) -> None:
    one = json.loads(zoo("plan", "tiny", "--json", "--explain", "3").text)
    assert set(one) >= {"id", "symbol", "why", "identity", "digest", "placement", "hours", "unit"}
    assert one["id"].endswith(one["digest"])
    assert one["identity"]["grpo"]["beta"] == 0.01
    assert (one["symbol"], one["changed"]) == ("=", None)
    words = ("--json", "--explain", "3", "--set", "grpo.beta=0.5")
    edited = json.loads(zoo("plan", "tiny", *words).text)
    assert (edited["symbol"], edited["changed"]["was"]) == ("~", one["id"])
    field = {"field": "grpo.beta", "was": 0.01, "is": 0.5, "kind": "edited"}
    assert edited["changed"]["fields"] == [field]


# -- what changed ----------------------------------------------------------------------------------


def test_a_sweep_that_never_started_has_no_changes(folder: Path) -> None:
    plan = zoo("plan", "tiny", "--diff")
    assert plan.lines == ["tiny never started: all 4 trials are new"]


def test_nothing_changed_is_said(swept: Path) -> None:
    assert zoo("plan", "tiny", "--diff").lines == ["nothing changed since the sweep last started"]
    plan = told("tiny")
    assert plan["changes"] == {"locked": True, "new": 0, "gone": [], "changed": []}
    assert plan["counts"]["done"] == 4


def test_a_longer_horizon_is_told_though_no_id_moves(swept: Path) -> None:
    assert zoo("plan", "tiny", "--diff", "--set", "rounds=5").text.count(": rounds 3 -> 5") == 4
    assert "> 4 trained for another number of rounds: 3 -> 5" in (
        zoo("plan", "tiny", "--set", "rounds=5").text
    )


def test_an_edit_is_told_with_the_field_and_the_old_run_is_stale(swept: Path) -> None:
    plan = zoo("plan", "tiny", "--diff", "--set", "grpo.beta=0.5")
    assert [line for line in plan.lines if line.startswith("~")][3].endswith(": edited")
    assert plan.lines.count("    grpo.beta: 0.01 -> 0.5") == 2
    assert told("tiny", "--set", "grpo.beta=0.5")["counts"]["stale"] == 4


def test_cells_that_come_and_go_are_told(swept: Path) -> None:
    words = ("--set", "grid.model=[pocket-llama, pocket-mistral]")
    plan = zoo("plan", "tiny", "--diff", *words)
    assert len([line for line in plan.lines if line.startswith("+ pocket-mistral.")]) == 2
    assert len([line for line in plan.lines if line.startswith("- pocket-qwen2.")]) == 2
    changes = told("tiny", *words)["changes"]
    assert (changes["new"], len(changes["gone"]), changes["changed"]) == (2, 2, [])
