"""A trial's checkpoints and data sets, as MLflow gets them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.made_up_sweep import make_sweep
from zoo.runs.outcome import load
from zoo.track.checkpoint_pages import checkpoint_pages, data_uses


def test_base_model_is_one_page_for_all_trials_that_start_from_it(tmp_path: Path) -> None:
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        data=("pocket-easy",),
        seeds=(0, 1),
        rounds=2,
        problems=8,
    ).run()
    found = [load(trial, sweep.store) for trial in sweep.trials]
    pages = [list(checkpoint_pages(one, one.trial.id, sweep.store)) for one in found]
    assert {tuple(page.role for page in both) for both in pages} == {("base", "final")}
    assert len({both[0].key for both in pages}) == 1
    assert len({both[1].key for both in pages}) == len(found)
    for base, final in pages:
        assert not set("/:.%\"'") & set(base.name + final.name)
        assert {point.step for point, _ in base.points} == {0}
        assert {point.step for point, _ in final.points} == {2}
        names = {point.name for point, _ in final.points}
        assert {"eval/pocket-easy/acc/t1.0", "final/pocket-easy t1.0"} <= names
        by_name = {point.name: use for point, use in final.points}
        use = by_name["eval/pocket-easy/acc/t1.0"]
        assert use is not None
        assert use.name == "pocket-easy"
        assert by_name["eval/avg2/acc/t1.0"] is None
        assert final.tags["zoo.weights"] == "not kept"


def test_unfinished_trial_has_no_final_checkpoint(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, models=("pocket-llama",), rounds=2, problems=8).run()
    found = replace(load(sweep.trials[0], sweep.store), state="preempted")
    assert [page.role for page in checkpoint_pages(found, "x", sweep.store)] == ["base"]


def test_kept_weights_are_named_below_the_run_store(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, models=("pocket-llama",), rounds=2, problems=8).run()
    trial = sweep.trials[0]
    sweep.store.checkpoint(trial.id, 2).mkdir(parents=True)
    *_, final = checkpoint_pages(load(trial, sweep.store), "x", sweep.store)
    assert final.tags["zoo.weights"] == f"train/{trial.id}/checkpoints/round-0002"


def test_data_sets_are_each_named_once_with_digest_and_use(tmp_path: Path) -> None:
    trial = make_sweep(tmp_path, models=("pocket-llama",)).trials[0]
    digest = "d" * 64
    evaluations = tuple(
        e.model_copy(update={"digest": e.benchmark.name[-4:] * 16}) for e in trial.evaluations
    )
    trial = trial.model_copy(update={"data_digest": digest, "evaluations": evaluations})
    uses = data_uses(trial)
    assert (uses[0].name, uses[0].context) == ("pocket-easy", "training")
    assert {(use.name, use.context) for use in uses[1:]} == {
        ("pocket-easy", "evaluation"),
        ("pocket-hard", "evaluation"),
    }
    assert len(uses) == 3
    assert max(len(use.digest) for use in uses) == 36
