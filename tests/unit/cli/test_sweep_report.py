"""The report and the table at the end of a sweep show one reading of its trials."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.findings.collect import collect
from zoo.planning.options import PlanOptions
from zoo.planning.study import load_study
from zoo.render.sweep_report import SweepReport
from zoo.report.terminal import table


def test_table_after_the_page_reads_no_trial_again(swept: Path) -> None:
    report = SweepReport(load_study("tiny"))
    page = report.write()
    assert page.name == "report.html"
    expected = table(report.results)
    shutil.rmtree(swept / "runs" / "train")
    assert report.table() == expected
    assert "4 done" in expected


def test_table_of_chosen_trials_holds_no_others(swept: Path) -> None:
    study = load_study("tiny", PlanOptions(only=("reward=correctness",)))
    found = SweepReport(study).table()
    assert found == table(collect(study.manifest.experiment, study.chosen, study.store))
    assert "box-strict" not in str(found)
    assert "2 done" in str(found)
