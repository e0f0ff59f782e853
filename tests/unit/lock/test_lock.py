"""The lock tells an edit from a drift, and seals claims before the first trial runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, DataCard, ModelCard
from zoo.errors import InputError
from zoo.lock import lock, preregistration
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials import rehearsal
from zoo.trials.card_lookup import Unpinned
from zoo.trials.trial import Trial

Write = Callable[..., Path]
CLAIM = (
    "{id: gains, says: It gains., kind: gain, metric: eval/pocket-easy/acc/t0, "
    "expect: {higher_by: 0}}"
)

REWARDS = ("correctness", "box-strict")


class Content(Unpinned):
    """A resolver that knows everything by one word."""

    def __init__(self, model: str = "m", problems: str = "p") -> None:
        self.words = (model, problems)

    def model(self, card: ModelCard) -> str:
        return self.words[0]

    def problems(self, card: DataCard) -> str:
        return self.words[1]


def trials(path: Path, resolver: Content | None = None, *sets: str) -> list[Trial]:
    """The trials of a manifest with some content behind its cards."""
    return expand(load(path, sets), Catalog(), resolver or Content())


def locked(
    folder: Path, path: Path, resolver: Content | None = None, *sets: str, ran: str = ""
) -> lock.Lock:
    """Write the lock of a manifest into `folder`; returns it as read. `ran`: a part of the ids of
    trials that ran."""
    made, before = trials(path, resolver, *sets), lock.read(folder)
    claims = load(path).experiment.claims
    text = lock.text(made, claims, before, lambda id_: bool(ran) and ran in id_)
    (folder / lock.NAME).write_text(text)
    found = lock.read(folder)
    assert found is not None
    return found


def test_without_a_lock_everything_is_new(write: Write, tmp_path: Path) -> None:
    assert lock.read(tmp_path) is None
    found = lock.compare(None, trials(write()))
    assert (found.locked, len(found.new), found.changed, found.gone) == (False, 1, (), ())


def test_the_same_plan_differs_in_nothing(write: Write, tmp_path: Path) -> None:
    path = write(seeds="[0, 1]")
    found = lock.compare(locked(tmp_path, path), trials(path))
    assert (found.locked, found.new, found.changed, found.gone) == (True, (), (), ())


def test_a_lock_holds_a_line_a_trial_with_what_was_hashed(write: Write, tmp_path: Path) -> None:
    path = write(seeds="[0, 1]")
    locked(tmp_path, path)
    rows = [json.loads(line) for line in (tmp_path / lock.NAME).read_text().splitlines()]
    assert [row["id"] for row in rows] == [trial.id for trial in trials(path)]
    assert rows[0]["identity"]["data"] == "p"
    assert rows[0]["benchmarks"] == {"pocket-easy": "p"}


def test_an_edit_of_the_manifest_is_no_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    (change,) = lock.compare(before, trials(write(grpo="{beta: 0.1}"))).changed
    assert (change.kind, str(change)) == ("edited", "grpo.beta 0.0 -> 0.1")
    (change,) = lock.compare(before, trials(write(), None, "grpo.beta=0.2")).changed
    assert change.kind == "edited"


def test_content_that_moved_under_an_unchanged_cell_is_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    found = lock.compare(before, trials(write(), Content(problems="q")))
    (change,) = found.of_kind("drift")
    assert change.fields == (("data", "p", "q"),)
    assert change.old_id == before.trials[0]["id"]


def test_pinning_what_was_unpinned_is_no_drift(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write(), Content(problems="unpinned"))
    (change,) = lock.compare(before, trials(write())).changed
    assert change.kind == "pinned"


def test_lock_of_before_the_entropy_mean_was_in_ids_names_that_field(
    write: Write, tmp_path: Path
) -> None:
    path = write(grpo="{entropy_coef: 0.01}")
    locked(tmp_path, path)
    file = tmp_path / lock.NAME
    (line,) = map(json.loads, file.read_text().splitlines())
    assert line["identity"].pop("entropy_mean") == "update"
    file.write_text(json.dumps(line | {"id": "older"}) + "\n")
    (change,) = lock.compare(lock.read(tmp_path), trials(path)).changed
    assert change.kinds == {"drift": (("entropy_mean", None, "update"),)}


def test_an_edit_hides_no_drift_of_the_same_cell(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    found = lock.compare(before, trials(write(grpo="{beta: 0.1}"), Content(problems="q")))
    (change,) = found.changed
    assert change.kinds == {"drift": (("data", "p", "q"),), "edited": (("grpo.beta", 0.0, 0.1),)}
    (drift,) = found.of_kind("drift")
    assert (drift.old_id, str(drift)) == (before.trials[0]["id"], "data p -> q")
    assert [str(edit) for edit in found.of_kind("edited")] == ["grpo.beta 0.0 -> 0.1"]


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": "simplerl-zoo-small"},
        {"grpo": "{entropy_coef: 0.01}"},
        {"grpo": "{lr_scheduler_type: linear}"},
        {"batch": "{prompts: 4, num_generations: 2, updates: 2}"},
        {"batch": "{prompts: 2, num_generations: 4, micro_batch: 2}"},
        {"overrides": "[{when: {reward: correctness}, set: {prompt: simple}}]"},
        {"grpo": "{lr_scheduler_kwargs: {num_cycles: 2}, lr_scheduler_type: cosine}"},
    ],
)
def test_what_follows_from_an_edit_is_no_drift(
    write: Write, tmp_path: Path, change: dict[str, str]
) -> None:
    before = locked(tmp_path, write())
    (change_,) = lock.compare(before, trials(write(**change))).changed
    assert set(change_.kinds) == {"edited"}
    before = locked(tmp_path, write(**change))
    (change_,) = lock.compare(before, trials(write())).changed
    assert set(change_.kinds) == {"edited"}


def test_a_model_given_in_place_drifts_where_only_its_files_moved(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/config.json").write_text("{}")
    model = "{model: {path: w, name: own, prompt: simple, cap: 64}, reward: correctness, "
    grid = model + "data: pocket-easy}"
    before = locked(tmp_path, write(grid=grid))
    edited = grid.replace("64", "65").replace("prompt: simple", "prompt: none, stop_ids: [1]")
    found = lock.compare(before, trials(write(grid=edited), Content(model="n")))
    assert [name for (change,) in [found.of_kind("drift")] for name, _, _ in change.fields] == [
        "model.content"
    ]
    assert {name for (change,) in [found.of_kind("edited")] for name, _, _ in change.fields} == {
        *("grpo.max_completion_length", "model.stop_ids", "prompt")
    }


def test_a_rehearsals_batch_follows_from_the_full_one(write: Write, tmp_path: Path) -> None:
    def rehearsed(**changes: str) -> list[Trial]:
        return expand(rehearsal.of(load(write(**changes))), Catalog(), Content())

    (tmp_path / lock.NAME).write_text(lock.text(rehearsed(), [], None, set().__contains__))
    batch = "{prompts: 4, num_generations: 2, updates: 2}"
    made = rehearsed(batch=batch, grpo="{max_completion_length: 32}")
    (change,) = lock.compare(lock.read(tmp_path), made).changed
    assert set(change.kinds) == {"edited"}
    assert {name for name, _, _ in change.fields} >= {"rehearsal.max_completion_length"}


def test_cells_that_come_and_go_are_told_apart_from_changes(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write(seeds="[0, 1]"))
    found = lock.compare(before, trials(write(seeds="[1, 2]")))
    assert [trial.seed for trial in found.new] == [2]
    assert [row["seed"] for row in found.gone] == [0]
    assert found.changed == ()


def test_an_axis_that_says_what_held_before_changes_nothing(write: Write, tmp_path: Path) -> None:
    before = locked(tmp_path, write())
    grid = "{model: pocket-llama, reward: correctness, data: pocket-easy, grpo.beta: [0]}"
    found = lock.compare(before, trials(write(grid=grid)))
    assert (found.new, found.changed, found.gone) == ((), (), ())


def test_claims_are_sealed_until_a_trial_ran(write: Write, tmp_path: Path) -> None:
    first = locked(tmp_path, write(claims=f"[{CLAIM}]"))
    assert [(row["claim"]["id"], row["sealed"]) for row in first.claims] == [("gains", True)]
    other = CLAIM.replace("gains", "later")
    second = locked(tmp_path, write(claims=f"[{CLAIM}, {other}]"), ran=".s0-")
    assert [row["sealed"] for row in second.claims] == [True, False]
    stricter = CLAIM.replace("higher_by: 0", "higher_by: 9")
    third = locked(tmp_path, write(claims=f"[{stricter}]"), ran=".s0-")
    assert [row["sealed"] for row in third.claims] == [False]


def test_a_claim_about_trials_that_ran_for_another_sweep_is_not_sealed(
    write: Write, tmp_path: Path
) -> None:
    path = write(claims=f"[{CLAIM}]")
    assert [row["sealed"] for row in locked(tmp_path, path, ran="llama").claims] == [False]


def test_a_claim_about_cells_that_did_not_run_is_sealed(write: Write, tmp_path: Path) -> None:
    grid = "{model: pocket-llama, reward: [correctness, box-strict], data: pocket-easy}"
    claim = CLAIM[:-1] + ", where: {reward: REWARD}}"
    claims = [claim.replace("gains", f"g{i}").replace("REWARD", r) for i, r in enumerate(REWARDS)]
    path = write(grid=grid, claims=f"[{', '.join(claims)}]")
    found = locked(tmp_path, path, ran="box-strict")
    assert [row["sealed"] for row in found.claims] == [True, False]


def test_what_was_sealed_is_kept_beside_a_claim_that_was_changed(
    write: Write, tmp_path: Path
) -> None:
    first = locked(tmp_path, write(claims=f"[{CLAIM}]"))
    said, stricter = first.claims[0]["claim"], CLAIM.replace("higher_by: 0", "higher_by: 9")
    changed = write(claims=f"[{stricter}]")
    found = locked(tmp_path, changed, ran="llama")
    assert [(row["sealed"], row["was"]) for row in found.claims] == [(False, said)]
    assert preregistration.words(found.claims, first.claims) == {"gains": "changed"}
    assert locked(tmp_path, changed, ran="llama").claims == found.claims
    back = locked(tmp_path, write(claims=f"[{CLAIM}]"), ran="llama")
    assert back.claims == first.claims


def test_a_rehearsal_seals_nothing(write: Write) -> None:
    manifest = load(write(claims=f"[{CLAIM}]"))
    made = expand(rehearsal.of(manifest), Catalog(), Content())
    assert '"sealed"' not in lock.text(made, manifest.experiment.claims, None, set().__contains__)


def test_a_sealed_claim_that_was_taken_out_is_kept_as_withdrawn(
    write: Write, tmp_path: Path
) -> None:
    locked(tmp_path, write(claims=f"[{CLAIM}]"))
    found = locked(tmp_path, write(), ran=".s0-")
    assert [(row["sealed"], row["withdrawn"]) for row in found.claims] == [(True, True)]


@pytest.mark.parametrize("text", [b"{", b'{"id": 1}\n', b"[1]\n", b'"id"\n', b"\xff\n", b"", b"\n"])
def test_a_lock_that_cannot_be_read_stops_everything(tmp_path: Path, text: bytes) -> None:
    (tmp_path / lock.NAME).write_bytes(text)
    with pytest.raises(InputError, match=r"lock.jsonl: .*; restore it, or move it away"):
        lock.read(tmp_path)


def test_a_folder_in_place_of_a_lock_stops_everything(tmp_path: Path) -> None:
    (tmp_path / lock.NAME).mkdir()
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\); .* move it away"):
        lock.read(tmp_path)


def test_lock_keeps_of_a_trial_what_finds_it_and_its_line(write: Write, tmp_path: Path) -> None:
    found = locked(tmp_path, write())
    (line,) = (tmp_path / lock.NAME).read_bytes().splitlines()
    whole = json.loads(line)
    short = {name: whole[name] for name in ("id", "cell", "seed", "rounds")}
    assert found.trials == (short | {"line": line},)


def test_claim_is_sealed_with_its_seeds(write: Write, tmp_path: Path) -> None:
    claims = f"[{CLAIM}]"
    first = locked(tmp_path, write(claims=claims, seeds="[0, 1]"))
    assert [row["seeds"] for row in first.claims] == [[0, 1]]
    found = locked(tmp_path, write(claims=claims, seeds="[0, 1, 2]"))
    assert [row["seeds"] for row in found.claims] == [[0, 1, 2]]  # nothing ran
    locked(tmp_path, write(claims=claims, seeds="[0, 1]"))
    more = write(claims=claims, seeds="[0, 1, 2]")
    found = locked(tmp_path, more, ran=".s0-")
    assert [(row["seeds"], row["seeds_now"]) for row in found.claims] == [([0, 1], [0, 1, 2])]
    assert preregistration.words(found.claims, first.claims) == {"gains": "extended"}
    assert locked(tmp_path, more, ran=".s0-").claims == found.claims
    back = locked(tmp_path, write(claims=claims, seeds="[0, 1]"), ran=".s0-")
    assert back.claims == first.claims


def test_lock_of_before_seeds_were_sealed_takes_those_of_its_trials(
    write: Write, tmp_path: Path
) -> None:
    claims = f"[{CLAIM}]"
    locked(tmp_path, write(claims=claims, seeds="[0, 1]"))
    file = tmp_path / lock.NAME
    *lines, last = map(json.loads, file.read_text().splitlines())
    del last["seeds"]
    file.write_text("".join(json.dumps(line) + "\n" for line in (*lines, last)))
    found = locked(tmp_path, write(claims=claims, seeds="[0, 1, 2]"), ran=".s0-")
    assert [(row["seeds"], row["seeds_now"]) for row in found.claims] == [([0, 1], [0, 1, 2])]


GRID = "{model: pocket-llama, reward: [REWARDS], data: pocket-easy}"


def with_rewards(write: Write, *rewards: str, claim: str = CLAIM, more: str = "") -> Path:
    """A manifest of some rewards with one claim."""
    grid = GRID.replace("REWARDS", ", ".join(rewards)).replace("}", f"{more}}}")
    return write(grid=grid, claims=f"[{claim}]")


def test_claim_whose_cells_were_added_to_after_a_trial_ran_is_extended(
    write: Write, tmp_path: Path
) -> None:
    one = with_rewards(write, "correctness")
    first = locked(tmp_path, one)
    assert [len(row["cells"]) for row in first.claims] == [1]
    found = locked(tmp_path, with_rewards(write, *REWARDS))
    assert [len(row["cells"]) for row in found.claims] == [2]  # nothing ran
    one = with_rewards(write, "correctness")
    locked(tmp_path, one)
    more = with_rewards(write, *REWARDS)
    found = locked(tmp_path, more, ran="correctness")
    assert [(len(row["cells"]), len(row["cells_now"])) for row in found.claims] == [(1, 2)]
    assert preregistration.words(found.claims, first.claims) == {"gains": "extended"}
    assert locked(tmp_path, more, ran="correctness").claims == found.claims
    back = locked(tmp_path, with_rewards(write, "correctness"), ran="correctness")
    assert back.claims == first.claims


def test_claim_that_lost_cells_after_a_trial_ran_is_changed_for_good(
    write: Write, tmp_path: Path
) -> None:
    first = locked(tmp_path, with_rewards(write, *REWARDS))
    for rewards in (["box-strict"], ["box-strict"], ["box-strict", "box-graded"]):
        path = with_rewards(write, *rewards)
        found = locked(tmp_path, path, ran="correctness")
        assert preregistration.words(found.claims, first.claims) == {"gains": "changed"}


def test_cells_that_a_claim_does_not_read_leave_it_sealed(write: Write, tmp_path: Path) -> None:
    claim = CLAIM[:-1] + ", where: {reward: correctness}}"
    first = locked(tmp_path, with_rewards(write, "correctness", claim=claim))
    found = locked(tmp_path, with_rewards(write, *REWARDS, claim=claim), ran="correctness")
    assert found.claims == first.claims
    assert preregistration.words(found.claims, first.claims) == {"gains": "sealed"}


def test_axis_that_says_what_held_before_leaves_a_claim_sealed(
    write: Write, tmp_path: Path
) -> None:
    first = locked(tmp_path, with_rewards(write, "correctness"))
    axis = with_rewards(write, "correctness", more=", grpo.beta: [0]")
    found = locked(tmp_path, axis, ran="correctness")
    assert preregistration.words(found.claims, first.claims) == {"gains": "sealed"}
    more = with_rewards(write, "correctness", more=", grpo.beta: [0, 0.1]")
    found = locked(tmp_path, more, ran="correctness")
    assert preregistration.words(found.claims, first.claims) == {"gains": "extended"}


def test_lock_of_before_cells_were_sealed_takes_those_of_its_trials(
    write: Write, tmp_path: Path
) -> None:
    first = locked(tmp_path, with_rewards(write, "correctness"))
    file = tmp_path / lock.NAME
    *lines, last = map(json.loads, file.read_text().splitlines())
    del last["cells"]
    file.write_text("".join(json.dumps(line) + "\n" for line in (*lines, last)))
    old = lock.read(tmp_path)
    assert old is not None
    assert preregistration.words(old.claims, old.claims) == {"gains": "sealed"}
    found = locked(tmp_path, with_rewards(write, *REWARDS), ran="correctness")
    assert preregistration.words(found.claims, first.claims) == {"gains": "extended"}


@pytest.mark.parametrize("old_lock", [False, True])
def test_claim_whose_trials_have_other_settings_after_they_ran_is_changed_until_reverted(
    write: Write, tmp_path: Path, old_lock: bool
) -> None:
    path = with_rewards(write, *REWARDS)
    first = locked(tmp_path, path)
    if old_lock:  # of before settings were sealed
        file = tmp_path / lock.NAME
        *lines, last = map(json.loads, file.read_text().splitlines())
        del last["settings"]
        file.write_text("".join(json.dumps(line) + "\n" for line in (*lines, last)))
    for _ in range(2):
        found = locked(tmp_path, path, None, "grpo.learning_rate=1e-5", ran="box-strict")
        assert preregistration.words(found.claims, first.claims) == {"gains": "changed"}
    assert locked(tmp_path, path, ran="box-strict").claims == first.claims


def test_claim_whose_settings_moved_before_a_trial_ran_is_sealed_with_the_new_ones(
    write: Write, tmp_path: Path
) -> None:
    path = with_rewards(write, *REWARDS)
    first = locked(tmp_path, path)
    found = locked(tmp_path, path, None, "grpo.learning_rate=1e-5")
    assert preregistration.words(found.claims, first.claims) == {"gains": "sealed"}
    assert found.claims[0]["settings"] != first.claims[0]["settings"]


def test_settings_of_cells_that_a_claim_does_not_read_leave_it_sealed(
    write: Write, tmp_path: Path
) -> None:
    claim = CLAIM[:-1] + ", where: {reward: correctness}}"
    rule = "[{when: {reward: box-strict}, set: {grpo.beta: 0.1}, why: it drifts}]"
    path = with_rewards(write, *REWARDS, claim=claim)
    first = locked(tmp_path, path)
    other = write(
        grid=GRID.replace("REWARDS", ", ".join(REWARDS)), claims=f"[{claim}]", overrides=rule
    )
    found = locked(tmp_path, other, ran="pocket")
    assert preregistration.words(found.claims, first.claims) == {"gains": "sealed"}
