"""Report and CSV over stores whose indexes have values under the metrics' names."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.support.made_up_sweep import Sweep, make_sweep
from zoo.catalog import Catalog
from zoo.data import LocalResolver
from zoo.findings.collect import Results, collect
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.report.page import csv_text, html
from zoo.report.terminal import table
from zoo.store import journal
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

GOLDEN = Path(__file__).parents[2] / "golden" / "store-v1.tar.gz"
ACC = "eval/pocket-easy/acc/t1.0"


@pytest.fixture
def old(tmp_path: Path) -> Results:
    """The results of the store that zoo 0.1.0 wrote."""
    with tarfile.open(GOLDEN) as packed:
        packed.extractall(tmp_path, filter="data")
    manifest = load(tmp_path / "experiments" / "store_v1.yaml")
    trials = expand(manifest, Catalog(), LocalResolver())
    return collect(manifest.experiment, trials, Store(tmp_path / "runs"))


def read(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(results))))


def test_a_store_of_the_first_form_gives_the_numbers_that_it_holds(old: Results) -> None:
    found: dict[str, list[tuple[int, float, str, str]]] = {}
    for row in read(old):
        if row["metric"] == ACC:
            value = (int(row["round"]), float(row["value"]), row["n"], row["role"])
            found.setdefault(f"{row['reward']} {row['data']}", []).append(value)
    base = (0, 0.0, "2", "base")
    assert found == {
        "correctness pocket-easy": [base, (1, 0.5, "2", ""), (2, 0.0, "2", "final")],
        "correctness pocket-hard": [base, (1, 1.0, "2", ""), (2, 0.5, "2", "final")],
        "box-strict pocket-easy": [base, (1, 0.0, "2", ""), (2, 1.0, "2", "final")],
        "box-strict pocket-hard": [base, (1, 0.5, "2", ""), (2, 0.5, "2", "final")],
        "format-only pocket-easy": [base, (1, 0.0, "2", "")],
        "format-only pocket-hard": [base, (1, 0.0, "2", "")],
    }
    assert {row["metric"].split("/")[0] for row in read(old)} == {"eval", "train"}


def test_the_report_over_a_store_of_the_first_form_has_the_numbers_of_the_csv(old: Results) -> None:
    assert [(e.metric("acc"), e.problems) for e in old.headline] == [
        (ACC, 2),
        ("eval/pocket-easy/acc/t0", 2),
    ]
    final = {(r["trial"], r["metric"]): r for r in read(old) if r["role"] == "final"}
    for outcome in old.outcomes:
        for e in old.headline:
            side, row = (
                old.contrast(outcome, e).after,
                final.get((outcome.trial.id, e.metric("acc"))),
            )
            assert (side is None) == (row is None)
            if side and row:
                assert (side.values["acc"], str(side.n)) == (float(row["value"]), row["n"])
    assert "PREEMPTED at round 1" in table(old)
    assert "seed rules" not in html(old)


def test_a_trial_file_without_series_loads(old: Results) -> None:
    for outcome in old.outcomes:
        data = json.loads((outcome.folder / "trial.json").read_text())["trial"]
        assert all("series" not in e for e in data["evaluations"])
        assert {e.series for e in Trial.model_validate(data).evaluations} == {"eval"}


def test_old_lines_that_shared_a_name_are_told_apart_by_their_sets(tmp_path: Path) -> None:
    """Watch and full were both `eval/...`, at the end of `metrics.jsonl` lines as well."""
    sweep = make_sweep(tmp_path, models=("pocket-llama",), rounds=10, problems=300).run()
    new = collect(sweep.experiment, sweep.trials, sweep.store)
    was = csv_text(new), table(new), html(new)
    for trial in sweep.trials:
        age(sweep, trial)
    aged = collect(sweep.experiment, sweep.trials, sweep.store)
    assert (csv_text(aged), table(aged), html(aged)) == was


def age(sweep: Sweep, trial: Trial) -> None:
    """Write a trial's index and metrics as zoo 0.1.0 did."""
    folder = sweep.store.train(trial.id)
    lines, shared = journal.read(folder / "evals.jsonl"), {}
    (folder / "evals.jsonl").unlink()
    for line in lines:
        place = line["benchmark"], line["decoding"]
        names = {m: f"eval/{place[0]}/{m}/{place[1]}" for m in line["values"]}
        metrics = {names[m]: value for m, value in line.pop("values").items()}
        del line["each"]
        journal.append(folder / "evals.jsonl", line | {"metrics": metrics})
        shared.setdefault(line["round"], {}).update(metrics)
    rows = journal.read(folder / "metrics.jsonl")
    (folder / "metrics.jsonl").unlink()
    for row in rows:
        row["metrics"] |= shared.get(row["round"], {})
        journal.append(folder / "metrics.jsonl", row)
