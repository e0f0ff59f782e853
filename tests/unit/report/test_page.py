import re

from tests.support.made_up_sweep import make_sweep, write_trial
from tests.support.page import Page
from zoo.findings.collect import collect
from zoo.grading import GRADER_VERSION
from zoo.report.page import html, write
from zoo.rewards.replay import Replay
from zoo.runs import grader_drift
from zoo.store import journal, record

HOSTILE = "<script>alert(1)</script></pre><img src=x onerror=alert(2)>{{ 7*7 }}&amp;\x00\x1b[31m"


def page(sweep):
    return Page(html(collect(sweep.experiment, sweep.trials, sweep.store)))


def one(tmp_path, **changes):
    return make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=2,
        problems=8,
        **changes,
    )


def test_what_a_model_wrote_stays_text(tmp_path):
    sweep = one(tmp_path)
    sweep.hostile = HOSTILE
    write_trial(sweep, sweep.trials[0], state="failed", failure_class="error", message=HOSTILE)
    read = page(sweep)
    names = {tag for tag, _ in read.tags}
    assert names.isdisjoint({"script", "img", "iframe", "object", "link"})
    assert "<script>alert(1)</script></pre><img src=x onerror=alert(2)>{{ 7*7 }}&amp;" in read.text
    assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)
    assert "\x00" not in read.text
    assert "\x1b" not in read.text


def test_the_page_loads_nothing(mixed):
    read = page(mixed)
    assert "url(" not in read.style
    assert "@import" not in read.style
    for _, attrs in read.tags:
        for name in ("src", "href", "data", "action"):
            assert (attrs.get(name) or "#").startswith("#")


def test_every_trial_has_its_row_and_its_reason(mixed):
    read = page(mixed)
    assert "1 of 4 done" in read.text
    assert "failed at round 2 (oom)" in read.text
    assert "running or cut off at round 1" in read.text
    assert "not run" in read.text
    for trial in mixed.trials:
        assert trial.id in read.text


def test_question_prediction_plan_and_making_are_told(mixed):
    read = page(mixed)
    assert mixed.experiment.question in read.text
    assert mixed.experiment.prediction in read.text
    assert "1 round = 1 update = 128 completions" in read.text
    for word in ("95 % interval", "greedy", "temperature 1", "simplerl", "torch 2.13", "unpinned"):
        assert word in read.text
    assert "RuntimeError: out of memory" in read.text


def test_simulated_results_carry_a_banner_and_real_ones_do_not(tmp_path):
    real, simulated = one(tmp_path / "a"), one(tmp_path / "b", extra="trainer: simulated\n")
    assert "Not a real result" not in page(real.run()).text
    read = page(simulated.run())
    assert "Not a real result" in read.text
    assert "NOT REAL" in read.text


def test_ids_of_the_page_are_its_own_and_lead_somewhere(mixed):
    text = html(collect(mixed.experiment, mixed.trials, mixed.store))
    assert text.count('<figure id="figure-') == 2
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    assert used <= set(ids)


def test_the_same_results_give_the_same_bytes(mixed, tmp_path):
    results = collect(mixed.experiment, mixed.trials, mixed.store)
    first = write(results, tmp_path / "one")
    second = write(results, tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "one" / "results.csv").read_text().startswith("trial,model,reward,data,seed")


def test_a_sweep_of_which_nothing_has_run_makes_a_report_too(tmp_path):
    text = page(one(tmp_path)).text
    assert "No trial has a final number yet" in text
    assert "There is no curve: no trial was trained or measured over several rounds yet." in text


def test_several_seeds_and_further_axes_have_their_columns(tmp_path):
    sweep = one(tmp_path, seeds=(0, 1)).run()
    read = page(sweep)
    assert "bands reach from the lowest seed to the highest" in read.text
    assert "2 trials (1 model" in read.text


def test_completions_that_are_gone_from_the_store_are_said_to_be(tmp_path):
    sweep = one(tmp_path).run()
    for path in (sweep.store.root / "samples").glob("*/completions.parquet"):
        path.unlink()
    assert "No completions are stored yet" in page(sweep).text


def test_what_another_grader_graded_or_rewarded_is_told_with_the_command(tmp_path):
    sweep = one(tmp_path).run()
    assert "zoo grade" not in page(sweep).text
    (trial,) = sweep.trials
    folder = sweep.store.train(trial.id)
    row = journal.read(folder / "evals.jsonl")[-1]
    journal.append(folder / "evals.jsonl", row | {"scores": "old", "grader": "older"})
    found = record.read(folder)
    aged = found.model_copy(update={"about": found.about | {"grader": "older"}})
    record.write(folder, aged, durable=False)
    text = page(sweep).text
    assert f"another grader than the current one ({GRADER_VERSION}): 1. `zoo grade made-up`" in text
    assert "`zoo grade made-up` checks whether their rewards would change now" in text
    assert f"{GRADER_VERSION}, older" in text  # in the table of evaluations
    grader_drift.write(folder, Replay(round=2, rewards_changed=3, first_changed_round=2))
    text = page(sweep).text
    assert f"shown as they were trained: {trial.id} (from round 2)." in text
    assert "would change now" not in text


def test_sections_are_in_the_order_of_a_paper(tmp_path):
    sweep = one(tmp_path, seeds=(0, 1)).run()
    text = html(collect(sweep.experiment, sweep.trials, sweep.store))
    found = re.findall(r'<section id="([a-z]+)"', text)
    middle = ["curves", "pass", "responses", "behaviours", "health", "completions"]
    assert found == ["answer", "results", *middle, "plan", "made"]
    assert '<details id="trials">' in text  # seeds are folded away


def test_interactions_and_health_are_tables_with_numbers_and_captions(tmp_path):
    sweep = make_sweep(
        tmp_path,
        models=("pocket-qwen2", "pocket-llama"),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        seeds=(0, 1),
        rounds=2,
        problems=8,
    ).run()
    text = page(sweep).text
    for title in ("Effects of an axis within each level of another", "Health of training by cell"):
        assert re.search(rf"Table \d+\. {title}\.?", text)
    assert "0 of 8 trials that ended collapsed (0 to 37 %)." in text
    assert "Models are trained by GRPO" in text
