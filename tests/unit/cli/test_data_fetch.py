"""`zoo models|data fetch`, `check`, `pin` and `show`, against a hub of our own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub_mirror import GOOD_TOKEN, Mirror
from tests.support.model_folders import CARD, model_files
from zoo.catalog import Catalog, ModelCard
from zoo.cli.card_commands import show
from zoo.cli.data_check import check
from zoo.cli.data_fetch import fetch, pin

ROOT = Path(__file__).parents[3]
OLD, NEW = "a" * 40, "b" * 40
ROWS = b'{"problem": "1+1?", "answer": "2"}\n{"problem": "1+1?", "answer": "2"}\n'


@pytest.fixture
def tiny(hub: Mirror, empty_home: Path) -> Path:
    """A hub with a model at two commits, and the user's card of it; returns the card's file."""
    hub.put("models/org/tiny", model_files(), commit=OLD)
    hub.repos["models/org/tiny"].commits[NEW] = model_files(vocab_size=33)
    card = empty_home / "cards/models/tiny.yaml"
    card.parent.mkdir(parents=True)
    card.write_text(CARD)
    return card


@pytest.mark.parametrize(
    ("kind", "command"), [("models", "zoo models pin near"), ("data", "zoo data fetch near")]
)
def test_commands_in_messages_name_the_folder_of_the_cards(
    empty_home: Path, capsys: pytest.CaptureFixture[str], kind: str, command: str
) -> None:
    said = {
        "models": "schema: model/1\nname: near\nrepo: org/near\nprompt: none\ncap: 64\n",
        "data": "schema: data/1\nname: near\n"
        f"hub: {{repo: org/near, revision: {OLD}, files: [a]}}\n",
    }
    file = empty_home / "my cards" / kind / "near.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(said[kind])
    assert check(kind, ("near",), ("my cards",)) == 1
    assert f"`{command} --cards 'my cards'`" in capsys.readouterr().out


def test_fetch_names_the_folder_of_the_cards_in_its_messages(
    empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = empty_home / "mine/models/near.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("schema: model/1\nname: near\nrepo: org/near\nprompt: none\ncap: 64\n")
    assert fetch("models", ("near",), ("mine",)) == 2
    assert "`zoo models pin near --cards mine`" in capsys.readouterr().err


def far(folder: Path, *lines: str) -> None:
    """A card of a file in a git repository."""
    file = folder / "cards/data/far.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(ROWS).hexdigest()
    source = f"git: {{repo: own/name, commit: {OLD}, path: a.jsonl, sha256: {sha256}}}"
    file.write_text("\n".join(("schema: data/1", "name: far", source, *lines)) + "\n")


def test_a_model_is_pinned_fetched_and_checked(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("models", ("tiny",), ()) == 2
    assert "org/tiny is not pinned to a commit; `zoo models pin tiny`" in capsys.readouterr().err
    assert check("models", ("tiny",), ()) == 1
    capsys.readouterr()

    assert pin(("tiny",), (), None) == 0
    told = f"tiny: org/tiny unpinned -> {OLD} (cards/models/tiny.yaml)\n"
    assert capsys.readouterr().out == told
    assert tiny.read_text() == CARD.replace("null", OLD)  # comments and all

    assert fetch("models", ("tiny",), ()) == 0
    assert f"tiny: org/tiny at {OLD[:12]}, " in capsys.readouterr().out
    assert check("models", ("tiny",), ()) == 0
    told = capsys.readouterr().out
    assert "ok     config.json and card agree\n  digest " in told
    assert fetch("models", ("tiny",), ()) == 0
    assert "was here" in capsys.readouterr().out


def test_a_pin_moves_to_the_commit_of_a_branch_and_says_from_where(
    hub: Mirror, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pin(("tiny",), (), None) == 0
    assert pin(("tiny",), (), None) == 0
    assert f"pinned to {OLD} already" in capsys.readouterr().out
    hub.repos["models/org/tiny"].refs["next"] = NEW
    assert pin(("tiny",), (), "next") == 0
    assert f"{OLD} -> {NEW}" in capsys.readouterr().out
    assert Catalog(Path("cards")).get(ModelCard, "tiny").revision == NEW
    assert pin(("tiny",), (), "nowhere") == 2
    assert "no revision 'nowhere'" in capsys.readouterr().err
    assert fetch("models", ("tiny",), ()) == 1  # 33 words where the card says 32
    assert "geometry.vocab: 33 in config.json, 32 in the card" in capsys.readouterr().out


def test_a_shipped_card_is_pinned_in_a_copy_under_cards(
    hub: Mirror, empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.put("models/HuggingFaceTB/SmolLM2-1.7B", model_files(), commit=NEW, gated=True)
    shipped = Catalog().get(ModelCard, "smollm2-1.7b")
    assert pin(("smollm2-1.7b",), (), None) == 0
    told = capsys.readouterr()
    assert "(cards/models/smollm2-1.7b.yaml)" in told.out
    assert "note: on the hub, HuggingFaceTB/SmolLM2-1.7B is gated" in told.err
    pinned = Catalog(empty_home / "cards").get(ModelCard, "smollm2-1.7b")
    assert pinned == shipped.model_copy(update={"revision": NEW})
    assert Catalog().get(ModelCard, "smollm2-1.7b") == shipped


def test_a_revision_is_added_where_the_card_says_none(hub: Mirror, tiny: Path) -> None:
    tiny.write_text(CARD.replace("revision: null # not yet\n", ""))
    assert pin(("tiny",), (), None) == 0
    assert f"repo: org/tiny # where it is\nrevision: {OLD}\n" in tiny.read_text()


def test_a_card_that_cannot_be_edited_is_left_alone(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "{schema: model/1, name: tiny, repo: org/tiny, prompt: none, cap: 8}\n"
    tiny.write_text(text)
    assert pin(("tiny",), (), None) == 2
    assert f"write `revision: {OLD}` into it" in capsys.readouterr().err
    assert tiny.read_text() == text


def test_a_hub_model_without_a_card_goes_by_its_name_and_commit(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pin(("hf:org/tiny",), (), None) == 0
    assert capsys.readouterr().out == f"hf:org/tiny@{OLD}\n"
    assert fetch("models", (f"hf:org/tiny@{OLD}",), ()) == 0
    assert check("models", (f"hf:org/tiny@{OLD}",), ()) == 0
    capsys.readouterr()
    assert fetch("models", ("hf:org/tiny@main", "hf:tiny"), ()) == 2
    told = capsys.readouterr().err
    assert "'main' is no commit" in told
    assert "'hf:tiny' names no model of the hub" in told


def test_one_name_that_fails_does_not_keep_the_others(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(("tiny",), (), None)
    assert fetch("models", ("tinny", "tiny"), ()) == 2
    told = capsys.readouterr()
    assert "unknown model 'tinny'; did you mean 'tiny'?" in told.err
    assert " came: " in told.out


def test_problems_are_fetched_counted_and_kept_for_planning(
    hub: Mirror, empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far(empty_home, "filters: {duplicates: true}", "n: 2")
    assert show("data", "far", ()) == 0
    assert "not on this machine; `zoo data fetch far`" in capsys.readouterr().out
    assert check("data", ("far",), ()) == 1
    hub.raw[f"own/name/{OLD}/a.jsonl"] = ROWS
    capsys.readouterr()
    assert fetch("data", ("far",), ()) == 0
    told = capsys.readouterr().out
    assert f"far: own/name/a.jsonl at {OLD[:12]}, {len(ROWS)} B came: " in told
    assert "  read               2\n  duplicates        -1\n  kept               1\n" in told
    assert (empty_home / "runs/cache/digests.json").is_file()
    assert show("data", "far", ()) == 0
    assert "  1+1?\n  -> 2\n" in capsys.readouterr().out
    far(empty_home, "n: 3")
    assert check("data", ("far",), ()) == 1
    told = capsys.readouterr().out
    assert "wrong  far: 2 rows; expected 3, as in the card (`n`)" in told


def test_a_name_of_both_kinds_means_both(
    empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("data", ("pocket-easy",), ()) == 0
    told = capsys.readouterr().out
    assert "2,000" in told
    assert "500" in told
    assert show("data", "pocket-easy", ()) == 0
    assert "---\nschema: benchmark/1\nname: pocket-easy\n" in capsys.readouterr().out


def test_what_a_card_names_is_not_shown_as_part_of_it(
    empty_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show("data", "gsm8k-math-easy", ()) == 0
    told = capsys.readouterr().out
    assert "overlap:\n  - math500" in told
    assert "uses" not in told


def test_the_command_itself_says_what_to_do_and_no_token_is_printed_or_kept(
    hub: Mirror, tiny: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["models/org/tiny"].gated = True
    pin(("tiny",), (), None)
    env = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", "models", "fetch", "tiny"],
        capture_output=True,
        text=True,
        env=env | {"HF_TOKEN": "hf_another"},
        timeout=60,
    )
    assert done.returncode == 1
    assert "is gated: accept its licence at" in done.stderr
    assert "hf_another" not in done.stdout + done.stderr
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert fetch("models", ("tiny",), ()) == 0
    written = [path for path in empty_home.rglob("*") if path.is_file()]
    assert not [path for path in written if GOOD_TOKEN.encode() in path.read_bytes()]
