"""`zoo audition`: what it proposes is a valid card, and no card is ever overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.catalog import Catalog, ModelCard
from zoo.render.card_text import Proposal, card_text

REASONS = {"prompt": "leads", "stop_ids": "5 'Q\x1b[2J' follows", "cap": "room", "bucket": "mixed"}


def test_simulated_audition_measures_every_prompt_and_bucket_once(folder: Path) -> None:
    words = ("audition", "pocket-llama", "--simulated", "--data", "pocket-easy", "--problems", "4")
    words = (*words, "--prompt", "pocket", "--prompt", "none", "--data", "pocket-hard")
    done = zoo(*words)
    assert done.status == 0, done.error
    assert done.lines[0].startswith("SIMULATED")
    rows = [line for line in done.lines if line.startswith(("pocket ", "none "))]
    assert len(rows) == 8
    for word in ("prompt:", "stop_ids: []", "cap:", "bucket: pocket-"):
        assert word in done.text
    assert "no question is long enough" in done.text
    stamps = {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("*.parquet")}
    assert zoo(*words).text == done.text
    assert stamps == {p: p.stat().st_mtime_ns for p in (folder / "runs").rglob("*.parquet")}
    assert not (folder / "cards").exists()  # made-up numbers make no card


@pytest.mark.parametrize("model", ["pocket-llama", "qwen2.5-0.5b", "simplerl-llama-3.1-8b"])
def test_card_holds_what_was_proposed_with_its_evidence(tmp_path: Path, model: str) -> None:
    card = Catalog().get(ModelCard, model)
    proposal = Proposal("none", (7, 9), 256, "pocket-hard", REASONS, ["a: completes 0 of 2"])
    (tmp_path / "models").mkdir()
    text = card_text(card, "mine", proposal)
    assert "\x1b" not in text
    assert "# room\ncap: 256\n" in text
    assert "# a: completes 0 of 2" in text
    (tmp_path / "models/mine.yaml").write_text(text)
    found = Catalog(tmp_path).get(ModelCard, "mine")
    assert (found.prompt, found.stop_ids, found.cap) == ("none", (7, 9), 256)
    assert (found.repo, found.embedded, found.beta) == (card.repo, card.embedded, card.beta)
    assert found.origin["cap"].startswith("measured")


def test_card_that_is_there_is_never_overwritten(folder: Path) -> None:
    path = folder / "cards/models/pocket-llama.yaml"
    path.parent.mkdir(parents=True)
    card = Catalog().file(ModelCard, "pocket-llama").read_text()
    path.write_text(card)
    done = zoo("audition", "pocket-llama", "--simulated", "--problems", "4")
    assert done.status == 2
    assert "never overwritten; --as NAME" in done.error
    assert path.read_text() == card
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pocket-lama"], "did you mean 'pocket-llama'?"),
        (["pocket-llama", "--data", "pocket-esy"], "did you mean 'pocket-easy'?"),
        (["pocket-llama", "--prompt", "bxed"], "did you mean 'boxed'?"),
        (["pocket-llama", "--on", "mth500"], "did you mean 'math500'?"),
        (["pocket-llama", "--as", "../x"], "the name '../x'"),
    ],
)
def test_audition_refuses_at_its_option(folder: Path, words: list[str], found: str) -> None:
    done = zoo("audition", *words)
    assert done.status == 2
    assert found in done.error
    assert not (folder / "runs").exists()
