"""The report answers the claims of its manifest, in the words of `zoo compare`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.support.cli import zoo
from tests.support.page import Page
from tests.unit.cli.test_compare import CLAIMS, MANIFEST

PREDICTION = "prediction: Every model gains, and hard data end above easy ones.\n"


def sweep(folder: Path, text: str = MANIFEST + PREDICTION + CLAIMS, *words: str) -> Path:
    """Run a manifest; returns its path."""
    path = folder / "experiments/many.yaml"
    path.write_text(text)
    assert zoo("sweep", "many", "--bare", *words).status == 0
    return path


def report(name: str = "many") -> Page:
    """The page that `zoo report` writes."""
    assert zoo("report", name).status == 0
    return Page(Path(f"sweeps/{name}/report.html").read_text())


def data() -> dict[str, Any]:
    """What `zoo compare --json` says."""
    return json.loads(zoo("compare", "many", "--json").text)


def spaced(text: str) -> str:
    """Words without the marks of code and the spaces that tags leave."""
    return re.sub(r"\s+([;,.:])", r"\1", " ".join(text.replace("`", "").split()))


def test_report_has_the_verdicts_and_sentences_of_compare(folder: Path) -> None:
    sweep(folder)
    page = spaced(report().text)
    rows = data()["claims"]
    assert {row["verdict"] for row in rows} >= {"supported", "refuted"}
    for row in rows:
        label = f"{row['label']}: " if row["label"] else ""
        assert f"{row['verdict']} {label}{spaced(row['sentence'])}" in page
    assert "4 sealed verdicts, corrected together (Holm): 3 supported, 1 refuted." in page
    assert "hard-costs · sealed before its trials ran" in page
    prediction, refuted = page.index("hard data end above easy"), page.index("1 refuted")
    assert prediction < refuted < page.index("Before and after")
    assert "6 against 6 trials, 95 % without correction:" in page
    assert "0 of 6 trials collapsed (0 to 46 %)" in page
    assert "these trials detect" in page


def test_report_at_the_end_of_a_first_sweep_knows_what_that_sweep_sealed(folder: Path) -> None:
    (folder / "experiments/many.yaml").write_text(MANIFEST + CLAIMS)
    assert zoo("sweep", "many").status == 0
    page = Page(Path("sweeps/many/report.html").read_text()).text
    assert "sealed before its trials ran" in page
    assert "not sealed yet" not in page
    assert "3 supported, 1 refuted." in page


def test_report_marks_a_late_claim_and_gives_it_no_verdict(folder: Path) -> None:
    path = sweep(folder, MANIFEST)
    path.write_text(MANIFEST + CLAIMS)
    page = report().text
    assert "hard-costs · exploratory: stated after its trials had begun" in page
    assert "No claim was sealed before its trials ran, so none gets a verdict." in page
    assert page.count("no verdict") >= 4
    assert "these trials detect" not in page


def test_report_and_compare_name_a_sealed_claim_that_was_taken_out(folder: Path) -> None:
    path = sweep(folder)
    path.write_text(MANIFEST + PREDICTION + CLAIMS[: CLAIMS.index("  - id: reversed")])
    words = "Sealed and then taken out of the manifest, so not judged: reversed."
    assert words in report().text
    assert words in zoo("compare", "many").prose
    assert data()["withdrawn"] == ["reversed"]


def test_report_of_an_unfinished_sweep_decides_nothing(folder: Path) -> None:
    sweep(folder, MANIFEST + CLAIMS, "--only", "seed=0,1")
    page = report().text
    assert "4 of 12 trials have not ended; nothing is decided before all trials" in page
    assert "4 sealed verdicts, corrected together (Holm): 4 undecided." in page
    assert "so far; " in page


def test_report_without_claims_says_that_the_prediction_is_not_judged(folder: Path) -> None:
    sweep(folder, MANIFEST + PREDICTION)
    assert "does not state the prediction as a claim, so nothing here is judged" in report().text


def test_report_of_a_rehearsal_judges_no_claim(folder: Path) -> None:
    (folder / "experiments/many.yaml").write_text(MANIFEST + CLAIMS)
    page = report("many.rehearsal").text
    assert "A rehearsal decides nothing, so its claims are not judged." in page
    assert "undecided" not in page
