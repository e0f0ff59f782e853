"""The documentation says what the code does: generated pages are whole, links resolve, commands and
cards in it exist, and it builds without the network.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml
from pydantic import BaseModel

from zoo.catalog import (
    BenchmarkCard,
    ComputeProfile,
    DataCard,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.index import BY_CATALOG
from zoo.cli.main import cli
from zoo.manifest.claim_schema import Claim
from zoo.manifest.schema import Evaluate, Experiment
from zoo.trials.metrics import MEASURES, PHASES, TRAIN_METRICS, is_logged

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
FORMS: dict[str, type[BaseModel]] = {
    "model/1": ModelCard,
    "data/1": DataCard,
    "benchmark/1": BenchmarkCard,
    "reward/1": RewardCard,
    "prompt/1": PromptCard,
    "recipe/1": RecipeCard,
    "profile/1": ComputeProfile,
}


@cache
def reference() -> ModuleType:
    """The generator, as MkDocs loads it."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "hooks" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def generated() -> dict[str, str]:
    return reference().pages()


@cache
def texts() -> dict[str, str]:
    """Path below the repository -> markdown, written by hand or generated."""
    found = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in DOCS.rglob("*.md")}
    found |= {f"docs/{path}": text for path, text in generated().items()}
    return found | {"README.md": README.read_text(encoding="utf-8")}


def blocks(text: str, language: str) -> list[str]:
    """Code blocks of a language, also those inside a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)


# -- generated pages ------------------------------------------------------------------------------


def commands(group: click.Group, path: str = "zoo") -> dict[str, click.Command]:
    """Every command by its path."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


def test_reference_names_every_command_with_every_option() -> None:
    page = generated()["reference/commands.md"]
    sections = dict(re.findall(r"^##+ (zoo .+?)\n(.*?)(?=^##|\Z)", page, re.DOTALL | re.MULTILINE))
    for path, command in commands(cli).items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in sections[path], f"{path} {parameter.opts}"


@pytest.mark.parametrize("model", [Experiment, Evaluate, Claim])
def test_reference_names_every_key_of_a_manifest(model: type[BaseModel]) -> None:
    page = generated()["reference/manifest.md"]
    for name, field in model.model_fields.items():
        assert f"| `{field.alias or name}`" in page


def test_reference_names_every_key_of_every_card() -> None:
    page = generated()["reference/cards.md"]
    for card in FORMS.values():
        for name, field in card.model_fields.items():
            there = f"| `{field.alias or name}`" in page
            assert there or name in BY_CATALOG, f"{card.__name__}.{name}"


def test_reference_names_every_metric_and_exit_code() -> None:
    page = generated()["reference/metrics.md"]
    assert all(f"| `{name}` |" in page for name in (*MEASURES, *TRAIN_METRICS))
    logged = re.findall(r"^\| `(train/[^`]*)` \|[^|]*\|$", page, re.MULTILINE)
    assert len(logged) == len(PHASES) + 5
    assert all(is_logged(name) for name in logged)
    codes = generated()["reference/exit-codes.md"]
    assert re.findall(r"^\| ([\d and]+) \|", codes, re.MULTILINE) == [*"0123", "130 and 143"]


def test_tests_that_pages_name_are_there() -> None:
    named = {name for text in texts().values() for name in re.findall(r"`(test_\w+)`", text)}
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*/**/*.py"))
    assert len(named) > 25
    assert [name for name in sorted(named) if f"def {name}(" not in sources] == []


def test_reference_names_every_variable_of_the_environment() -> None:
    page = texts()["docs/reference/index.md"]
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "zoo").rglob("*.py"))
    for name in set(re.findall(r"\bZOO_[A-Z_]+\b", sources)):
        assert f"`{name}`" in page, name


# -- what is written by hand ----------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page."""
    found = set()
    for title in re.findall(r"^#+ +(.+?)\s*$", prose(text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", title.lower().replace("`", ""))
        found.add(re.sub(r"[ ]+", "-", plain.strip()))
    return found


def test_every_link_of_readme_and_pages_resolves() -> None:
    broken = []
    for page, text in texts().items():
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
            if target.startswith(("https://", "mailto:")):
                continue
            path, _, anchor = target.partition("#")
            found = Path(page).parent / path if path else Path(page)
            name = str((ROOT / found).resolve().relative_to(ROOT))
            there = name in texts() or (ROOT / name).exists()
            if not there or (anchor and anchor not in anchors(texts().get(name, ""))):
                broken.append(f"{page}: {target}")
    assert broken == []


def test_readme_links_to_files_of_the_repository_only() -> None:
    text = prose(README.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"[\w/-]+\.md", text.partition("\nnav:")[2]))
    assert listed == {name.removeprefix("docs/") for name in texts() if name != "README.md"}


def spoken() -> list[tuple[str, str]]:
    """Every `zoo ...` command line of README and handwritten pages."""
    found = []
    for page, text in texts().items():
        if page.removeprefix("docs/") in generated():
            continue
        lines = [line for code in blocks(text, r"\w*") for line in code.splitlines()]
        lines += re.findall(r"`(zoo [^`]+)`", prose(text))
        found += [(page, line.strip().removeprefix("$ ").replace("\\|", "|")) for line in lines]
    return [(page, line) for page, line in found if re.match(r"zoo [a-z]", line)]


def test_commands_in_the_documentation_exist_with_their_options() -> None:
    known = commands(cli)
    wrong = []
    for page, line in spoken():
        words = shlex.split(line.replace("\\", "\\\\"), comments=True)[1:]
        tried = [words[0].split("|")[0], *words[1:]]
        path = next((p for n in (2, 1) if (p := " ".join(["zoo", *tried[:n]])) in known), None)
        group = len(tried) > 1 and all(word in "".join(known) for word in tried[1].split("|"))
        if path is None:
            if not (tried[0] in cli.commands and group):
                wrong.append(f"{page}: {line}")
            continue
        options = {name for p in known[path].params for name in p.opts}
        wrong += [
            f"{page}: {line}"
            for word in words
            if word.startswith("--") and word.split("=")[0] not in {*options, "--help"}
        ]
    assert wrong == []


def test_cards_in_the_documentation_are_valid() -> None:
    found = 0
    for page, text in texts().items():
        for code in blocks(text, "yaml"):
            said: Any = yaml.safe_load(code)
            if isinstance(said, dict) and said.get("schema") in FORMS:
                FORMS[said["schema"]].model_validate(said)
                found += 1
            elif isinstance(said, dict) and said.get("schema") == "experiment/1":
                Experiment.model_validate(said)
            elif isinstance(said, dict):
                assert set(said) <= {f.alias or n for n, f in Experiment.model_fields.items()}, page
    assert found >= 5


def test_readme_is_short_and_says_first_what_does_not_work() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 250
    first = " ".join(lines[:40])
    for word in ("GPU path", "two CPU processes", "never run", "not yet", "LoRA"):
        assert word in first, word


# -- the built pages ------------------------------------------------------------------------------


class Loaded(HTMLParser):
    """What a page loads by itself: scripts, styles, images, fonts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.found.append(said.get("src") or "")
        if tag == "link" and said.get("rel") not in ("canonical", "next", "prev"):
            self.found.append(said.get("href") or "")


def test_documentation_builds_strictly_and_loads_nothing_from_the_network(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="`make setup` installs MkDocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        outside = [url for url in loaded.found if re.match(r"(https?:)?//", url)]
        assert outside == [], page
