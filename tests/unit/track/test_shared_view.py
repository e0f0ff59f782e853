"""What MLflow's pages of a sweep open on."""

from __future__ import annotations

import base64
import json
import zlib
from hashlib import sha256
from pathlib import Path

from tests.support.made_up_sweep import four_cells, make_sweep
from zoo.track.parent import report_files, verdicts
from zoo.track.payload import cell_labels
from zoo.track.shared_view import note, view, view_state


def test_view_opens_on_the_axes_then_final_numbers(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path, data=("pocket-easy",))
    state = view_state(sweep.trials)
    columns = state["selectedColumns"]
    assert columns[:2] == ["params.`model`", "params.`reward`"]  # data: the same in all
    assert columns[2:4] == ["metrics.`final/avg2 t1.0`", "metrics.`final/avg2 t1.0 gain`"]
    assert state["columnOrder"][1:-1] == columns
    assert set(state["columnWidths"]) >= set(columns[:4])
    assert state["columnWidths"]["params.`model`"] > 7 * len("pocket-mistral")
    assert "groupBy" not in state  # one seed: a cell is a run


def test_view_of_several_seeds_is_grouped_by_cell(tmp_path: Path) -> None:
    sweep = four_cells(tmp_path)
    state = view_state(sweep.trials)
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "zoo.cell_label"}]
    assert state["selectedColumns"][0].startswith("metrics.`final/")
    assert "params.`seed`" in state["selectedColumns"]
    labels = cell_labels(sweep.trials)
    assert state["groupsExpanded"] == {
        f"tag.zoo.cell_label.{label}": False for label in labels.values()
    }
    assert state["columnWidths"]["attributes.`Run Name`"] > 7 * max(map(len, labels.values()))
    assert set(labels.values()) == {
        f"{model} · {reward}"
        for model in ("pocket-qwen2", "pocket-llama")
        for reward in ("correctness", "box-strict")
    }


def test_charts_begin_with_accuracy_reward_and_length(tmp_path: Path) -> None:
    state = view_state(make_sweep(tmp_path).trials)
    drawn = [(chart["type"], chart["metricKey"]) for chart in state["compareRunCharts"]]
    assert drawn[0] == ("LINE", "watch/avg2/acc/t1.0")  # measured more often than eval/...
    assert ("BAR", "final/avg2 t1.0") in drawn
    assert ("LINE", "train/reward") in drawn
    assert ("LINE", "train/completions/mean_length") in drawn
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == len(drawn)
    (section,) = state["compareRunSections"]
    assert {c["metricSectionId"] for c in state["compareRunCharts"]} == {section["uuid"]}


def test_view_is_stored_as_mlflow_reads_it_and_fits_a_tag(tmp_path: Path) -> None:
    trials = make_sweep(tmp_path).trials
    packed = view(trials)
    assert len(packed) < 5000
    head, _, body = packed.partition(";")
    assert head == "deflate"
    assert json.loads(zlib.decompress(base64.b64decode(body))) == view_state(trials)


def test_note_has_question_prediction_verdicts_and_a_link(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path)
    (tmp_path / "claims.csv").write_text(
        "id,label,says,verdict,sentence\n"
        'strict,,A strict box costs.,supported,"-4.0 points (95 %: -6.0 to -2.0)."\n'
        "other,,Nothing else.,,No estimate.\n"
    )
    told = verdicts(tmp_path / "report.html")
    assert told[0] == "**supported**: A strict box costs. -4.0 points (95 %: -6.0 to -2.0)."
    assert told[1].startswith("**no verdict**")
    text = note(sweep.experiment, "sweeps/x/report.html", "#/experiments/1/x", told)
    assert sweep.experiment.question in text
    assert "Predicted before the run: Every model gains" in text
    assert f"- {told[0]}" in text
    assert "[report.html](#/experiments/1/x)" in text
    assert verdicts(tmp_path / "nowhere" / "report.html") == []


def test_report_files_are_page_tables_and_figures_as_images(tmp_path: Path) -> None:
    names = ("report.html", "cells.csv", "report/figures/figure-1-a.svg")
    names += ("report/figures/figure-1-a.pdf", "report/tables/table-1-b.csv", "plan.lock.jsonl")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = report_files(tmp_path / "report.html")
    assert {f"{place}/{path.name}".lstrip("/") for path, place in found.items()} == {
        "report.html",
        "cells.csv",
        "figures/figure-1-a.svg",
        "tables/table-1-b.csv",
    }


def test_view_of_more_cells_than_a_tag_holds_leaves_groups_open(tmp_path: Path) -> None:
    (first, *_) = four_cells(tmp_path).trials
    many = [
        first.model_copy(
            update={
                "id": f"{first.id}{seed}{i}",
                "seed": seed,
                "cell": {"model": sha256(str(i).encode()).hexdigest()},
            }
        )
        for i in range(400)
        for seed in (0, 1)
    ]
    packed = view(many)
    assert len(packed) <= 5000
    state = json.loads(zlib.decompress(base64.b64decode(packed.partition(";")[2])))
    assert "groupsExpanded" not in state
    assert state["groupBy"]
