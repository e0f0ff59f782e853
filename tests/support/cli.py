"""The command line inside this process: words in, exit status and text out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from click import unstyle
from click.testing import CliRunner

from zoo.cli.main import cli
from zoo.errors import ZooError


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said. `error`: the text of an error that zoo raises on purpose."""

    status: int
    text: str
    error: str

    @property
    def lines(self) -> list[str]:
        """Lines of the text."""
        return self.text.splitlines()

    @property
    def prose(self) -> str:
        """The text without its line breaks and indents."""
        return " ".join(self.text.split())


def zoo(*words: str) -> Told:
    """Run `zoo WORDS` in the working folder, without a process of its own."""
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    error = done.exception
    if isinstance(error, ZooError):
        return Told(error.exit_code, unstyle(done.stdout), str(error))
    if error is not None:
        raise error
    return Told(done.return_value or 0, unstyle(done.stdout), "")


def files(folder: Path) -> set[str]:
    """Everything below a folder, by relative path."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
