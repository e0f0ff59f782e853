"""Tables as files of a paper: CSV, LaTeX and Markdown; health of training; published numbers."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.made_up_sweep import Sweep, four_cells, make_sweep, write_trial
from tests.support.page import Page
from zoo.findings.collect import Results, collect
from zoo.report.bibliography import bibliography
from zoo.report.health import health_notes, health_table
from zoo.report.page import Report, html, write
from zoo.report.paragraph import paragraphs
from zoo.report.published import published_table
from zoo.report.table_files import Table, latex_text, markdown_text, numbered, write_tables

ROOT = Path(__file__).resolve().parents[3]
WIRE = "tripwires:\n  - {metric: train/box_ratio, below: 0.65, for: 1, then: mark}\n"


def results(made: Sweep) -> Results:
    return collect(made.experiment, made.trials, made.store)


def columns(table: Table) -> list[dict[str, object]]:
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A written report of four cells with three seeds."""
    write(results(four_cells(tmp_path / "a").run()), tmp_path / "out")
    return tmp_path / "out"


def test_every_table_is_written_as_csv_latex_and_markdown(out: Path) -> None:
    names = {path.stem for path in (out / "report/tables").iterdir()}
    assert {"table-1-cells-eval-pocket-easy-acc-t1.0", "table-3-effects"} <= names
    for name in names:
        with (out / f"report/tables/{name}.csv").open() as stream:
            rows = list(csv.reader(stream))
        tex = (out / f"report/tables/{name}.tex").read_text()
        markdown = (out / f"report/tables/{name}.md").read_text()
        for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
            assert tex.count(rule) == 1
        lines = [line for line in tex.splitlines() if line.endswith(r"\\")]
        assert len(lines) == len(rows)
        assert {line.count(" & ") for line in lines} == {len(rows[0]) - 1}
        assert len([x for x in markdown.splitlines() if x.startswith("|")]) == len(rows) + 1


def test_table_of_cells_has_the_means_of_compare(tmp_path: Path) -> None:
    found = results(four_cells(tmp_path).run())
    table = Report.of(found).tables[0].table
    for row, cell in zip(columns(table), found.answer.cells, strict=True):
        assert cell.interval is not None
        assert (row["mean"], row["low"], row["n"]) == (cell.mean, cell.interval[0], 3)


def test_texts_of_tables_are_taken_literally_by_latex_and_markdown() -> None:
    assert latex_text("a_b & 50 % $x$ {y} \\z ± −1") == (
        r"a\_b \& 50 \% \$x\$ \{y\} \textbackslash{}z $\pm$ $-$1"
    )
    assert markdown_text("a|b <img> *x* `y`\n[z](u)") == r"a\|b &lt;img> \*x\* \`y\` \[z\](u)"


def test_tables_of_an_earlier_report_go(tmp_path: Path) -> None:
    table = Table("a", "A", "A.", ("x",), ((1.0,),), {})
    write_tables(numbered([table, Table("b", "B", "B.", ("x",), ((2,),), {})]), tmp_path)
    write_tables(numbered([table, Table("none", "N", "N.", ("x",), (), {})]), tmp_path)
    names = {path.name for path in (tmp_path / "report/tables").iterdir()}
    assert names == {"table-1-a.csv", "table-1-a.tex", "table-1-a.md"}


def test_latex_tables_compile(out: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here")
    inputs = "".join(f"\\input{{{p}}}\n" for p in sorted((out / "report/tables").glob("*.tex")))
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}"
    (out / "all.tex").write_text(f"{head}{inputs}\\end{{document}}")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]


def test_health_counts_collapsed_trials_with_rate_and_round(tmp_path: Path) -> None:
    made = four_cells(tmp_path, extra=WIRE)
    first, *others = made.trials
    made.run(others)
    write_trial(made, first, stop_after=2, state="stopped")
    found = results(made)
    rows = columns(health_table(found))
    assert [row["collapsed"] for row in rows] == [3, 3, 3, 3]  # box_ratio 0.59 at round 1
    assert {row["round"] for row in rows} == {1}
    assert rows[0]["low %"] == pytest.approx(29.24, abs=0.01)
    assert rows[0]["high %"] == 100
    notes = health_notes(found)
    assert notes[0].startswith("12 of 12 trials that ended collapsed")
    assert "crossed by 12 trials" in notes[1]


def test_health_without_tripwires_says_so(tmp_path: Path) -> None:
    found = results(four_cells(tmp_path).run())
    assert health_notes(found)[0].startswith("The manifest has no tripwires")
    assert {row["collapsed"] for row in columns(health_table(found))} == {0}
    assert "KL" not in health_table(found).head  # not logged


def test_published_numbers_stand_beside_ours_and_are_not_subtracted(tmp_path: Path) -> None:
    card = (ROOT / "zoo/catalog/benchmarks/pocket-easy.yaml").read_text()
    card = card.replace("name: pocket-easy", "name: known")
    said = "decoding: {temperature: 1.0, top_p: 0.95}\n"
    said += "published:\n  pocket-qwen2: {before: 12.5, after: 61.25}\n"
    place = tmp_path / "cards/benchmarks"
    place.mkdir(parents=True)
    (place / "known.yaml").write_text(card + said)
    made = make_sweep(
        tmp_path,
        models=("pocket-qwen2", "pocket-llama"),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("known",),
        rounds=4,
        problems=20,
    ).run()
    found = results(made)
    rows = columns(published_table(found))
    assert {row["model"] for row in rows} == {"pocket-qwen2"}
    assert {(row["study base %"], row["study trained %"]) for row in rows} == {(12.5, 61.25)}
    by_decoding = {row["our decoding"]: row["comparable"] for row in rows}
    assert by_decoding == {"greedy": "base", "temperature 1": "neither"}  # ours has top-p 1
    text = Page(html(found)).text
    assert "61.2" in text
    assert "Nothing is subtracted" in text


def test_methods_name_models_data_decoding_seeds_and_stack(tmp_path: Path) -> None:
    made = four_cells(tmp_path).run()
    text = " ".join(paragraphs(results(made)))
    trial = made.trials[0]
    for words in (
        f"pocket-qwen2 (files with digest {trial.model_digest})",
        f"pocket-easy (2,000 problems, digest {trial.data_digest})",
        "seeds 0, 1, 2",
        "temperature 1",
        "greedy",
        "torch 2.13, transformers 5.17, trl 1.16, vllm 0.31",
        "Welch's t",
        "learning rate",
    ):
        assert words in text


def test_bibliography_has_an_entry_for_every_key_of_the_methods(tmp_path: Path) -> None:
    found = results(four_cells(tmp_path).run())
    text = bibliography(found)
    keys = re.findall(r"^@\w+\{([^,]+),$", text, re.M)
    assert len(keys) == len(set(keys))
    assert {"trl", "vllm", "ray", "mlflow", "arxiv-2503.18892"} <= set(keys)
    cited = set(re.findall(r"\[([a-z][\w.-]+)\]", " ".join(paragraphs(found))))
    assert cited <= set(keys)
    assert text.count("{") == text.count("}")


def test_markdown_report_has_answer_tables_and_figures_with_their_files(tmp_path: Path) -> None:
    made = four_cells(tmp_path / "a").run()
    path = write(results(made), tmp_path / "out", "md")
    text = path.read_text()
    assert path.name == "report.md"
    assert made.experiment.question in text
    assert "**Table 1." in text
    links = re.findall(r"\]\((report/[^)]+)\)", text)
    assert len(links) > 4
    assert all((tmp_path / "out" / link).is_file() for link in links)
    assert not (tmp_path / "out/report.html").exists()


def test_no_host_name_is_in_any_file_of_the_report(tmp_path: Path) -> None:
    made = four_cells(tmp_path / "a").run()
    for path in made.store.root.glob("train/*/record.json"):
        path.write_text(path.read_text().replace('"commit"', '"host": "secret-host", "commit"'))
    write(results(made), tmp_path / "out", "md")
    write(results(made), tmp_path / "out")
    texts = [p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert any(b"torch 2.13" in text for text in texts)
    assert not any(b"secret-host" in text for text in texts)
