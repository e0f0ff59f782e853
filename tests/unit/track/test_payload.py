from dataclasses import replace

import pytest

from tests.support.made_up_sweep import make_sweep, write_trial
from zoo.runs.outcome import load
from zoo.store import journal, record
from zoo.track import payload


def one(tmp_path, **changes):
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        **({"rounds": 5, "problems": 200} | changes),
    ).run()
    return sweep, load(sweep.trials[0], sweep.store)


def test_points_are_the_same_every_time_and_one_a_name_and_step(tmp_path):
    _, found = one(tmp_path)
    points = list(payload.points(found))
    assert points == list(payload.points(found))
    assert len({(p.name, p.step) for p in points}) == len(points)


def test_watch_and_full_of_other_problems_are_two_series(tmp_path):
    _, found = one(tmp_path)
    for name, size in (("eval/pocket-easy/acc/t1.0", 200), ("watch/pocket-easy/acc/t1.0", 100)):
        sent = {p.step: p.value for p in payload.points(found) if p.name == name}
        same = {m.round: m for m in found.measured if (m.decoding, m.n) == ("t1.0", size)}
        assert sent == {r: m.values["acc"] for r, m in same.items()}
        assert sorted(sent) == [0, 5]


def test_final_numbers_are_sent_in_per_cent_under_short_names(tmp_path):
    _, found = one(tmp_path)
    (base, last) = (
        next(m for m in found.measured if (m.round, m.n, m.decoding) == (r, 200, "t1.0"))
        for r in (0, 5)
    )
    sent = {p.name: (p.step, p.value) for p in payload.points(found) if p.name.startswith("final/")}
    assert sent["final/pocket-easy t1.0"] == (5, round(100 * last.values["acc"], 3))
    gain = 100 * (last.values["acc"] - base.values["acc"])
    assert sent["final/pocket-easy t1.0 gain"] == (5, pytest.approx(gain, abs=1e-3))
    assert sent["final/pocket-easy t1.0 mean_length"] == (5, round(last.values["mean_length"], 3))
    assert not any("audit" in name or name.count("/") > 1 for name in sent)


def test_final_number_that_is_a_mean_is_sent_as_the_mean(tmp_path):
    _, found = one(tmp_path, problems=100, extra="final: mean-last-2\n", rounds=10)
    acc = {m.round: m.values["acc"] for m in found.measured if m.decoding == "t1.0"}
    sent = {(p.name, p.step): p.value for p in payload.points(found)}
    assert sent["final/pocket-easy t1.0", 10] == pytest.approx(
        100 * (acc[5] + acc[10]) / 2, abs=1e-3
    )
    assert not any(name.startswith("final/") and step != 10 for name, step in sent)


def test_time_is_sent_by_launch_without_the_waiting_between(tmp_path):
    sweep = make_sweep(tmp_path, models=("pocket-llama",), rewards=("correctness",), rounds=4)
    trial = sweep.trials[0]
    write_trial(sweep, trial, stop_after=1, state="preempted", failure_class="interrupted")
    assert not any(p.name.startswith("time/") for p in payload.points(load(trial, sweep.store)))
    folder = sweep.store.train(trial.id)
    waited = 5000.0  # seconds until the second launch, which went on with round 2
    said = {"attempt": 2, "lineage": 1, "metrics": {}}
    for round_ in (2, 3, 4):
        at = sweep.clock(trial, 1, 1) + waited + 10 * round_
        journal.append(folder / "metrics.jsonl", said | {"round": round_, "time": at})
    found = record.read(folder)
    ended = {"state": "done", "round": 4, "attempt": 2, "lineage": 1, "seconds": 33.0}
    record.write(folder, found.model_copy(update=ended | {"failure_class": None}))
    found = replace(load(trial, sweep.store), state="done")
    sent = {(p.name, p.step): p.value for p in payload.points(found)}
    assert sent[payload.LAUNCH_SECONDS, 1] == pytest.approx(4.25)
    assert sent[payload.LAUNCH_SECONDS, 2] == 33.0
    assert sent[payload.SECONDS, 4] == pytest.approx(37.25)
    tags = payload.tags(sweep.experiment, found)
    assert tags["zoo.launches"] == "1: rounds 0 to 1, 4 s; 2: rounds 2 to 4, 33 s"


def test_what_a_round_logs_of_the_machine_is_among_system_metrics(tmp_path):
    _, found = one(tmp_path)
    rounds = {r: m | {"train/peak_memory": 1.5 + r} for r, m in found.rounds.items()}
    sent = {(p.name, p.step): p.value for p in payload.points(replace(found, rounds=rounds))}
    assert sent["system/peak_memory_gib", 5] == sent["train/peak_memory", 5] == 6.5


def test_points_carry_the_time_at_which_their_round_ended(tmp_path):
    sweep, found = one(tmp_path)
    times = {p.step: p.time_ms for p in payload.points(found)}
    assert times[5] == round(1000 * sweep.clock(sweep.trials[0], 1, 5))


def test_tags_say_axes_seed_attempt_state_digests_and_stack(tmp_path):
    sweep, found = one(tmp_path)
    tags = payload.tags(sweep.experiment, found)
    wanted = {
        "zoo.sweep": "made-up",
        "zoo.trial": found.trial.id,
        "zoo.cell": "model=pocket-llama reward=correctness data=pocket-easy",
        "zoo.axis.reward": "correctness",
        "zoo.seed": "0",
        "zoo.attempt": "1",
        "zoo.state": "done",
        "zoo.failure_class": "",
        "zoo.model_digest": "unpinned",
        "zoo.data_digest": "unpinned",
        "zoo.simulated": "false",
    }
    assert wanted.items() <= tags.items()
    assert tags["zoo.stack"].startswith("torch=2.13")


def test_the_mark_changes_with_everything_that_there_is_to_send(tmp_path):
    sweep, found = one(tmp_path)
    (found.folder / "record.json").unlink()
    write_trial(sweep, found.trial, attempt=2, stop_after=1, state=None)
    assert payload.mark(load(found.trial, sweep.store)) != payload.mark(found)


def test_the_table_pairs_the_same_problems_before_and_after(tmp_path):
    sweep, found = one(tmp_path)
    table = payload.table(found, sweep.store)
    assert table is not None
    assert table["columns"][5] == "round 5 verdict"
    assert len(table["data"]) == 20
    assert all(len(row) == len(table["columns"]) and row[4] for row in table["data"])


def test_a_trial_without_evaluations_has_no_table(tmp_path):
    sweep = make_sweep(tmp_path)
    assert payload.table(load(sweep.trials[0], sweep.store), sweep.store) is None


def test_params_fit_into_one_batch(tmp_path):
    sweep = make_sweep(tmp_path)
    params = payload.params(sweep.trials[0])
    assert len(params) <= 100
    assert params["model"] == "pocket-qwen2"
    assert params["grpo.learning_rate"] == "0.0003"
