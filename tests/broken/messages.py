"""The broken manifests beside this file, and the message that `zoo plan` gives each of them.

A folder of a manifest's own name holds the cards and reward files that it is planned with.
`expected.json` holds every message whole, and whether a JSON Schema can see the fault; `README.md`
shows them to people. After a message was meant to change, write both again and read the diff:

    python -m tests.broken.messages
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from zoo.cli import main as cli
from zoo.errors import InputError
from zoo.manifest import json_schema
from zoo.yamlio import strict_yaml

HERE = Path(__file__).parent
EXPECTED, README = HERE / "expected.json", HERE / "README.md"
CASES = sorted((HERE / "manifests").glob("*.yaml"))
PLACE = re.compile(r"(zoo: )?[-\w./]+\.(yaml|py)(:\d+:\d+)?: ")
HEAD = """# {n} broken manifests, and what `zoo plan` says of each

Written by `python -m tests.broken.messages`; a test compares every message whole. The exit status
is 2, nothing is written, and all faults are told at once. "Editor": whether an editor that uses
`zoo/manifest/experiment.schema.json` underlines the fault, too ({seen} of {n}); it cannot where the
text is no YAML or where only cards, cells or several settings together show it.

| manifest | what is wrong | faults | editor |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Told:
    """What is said of a broken manifest."""

    message: str
    faults: int
    seen_by_schema: bool


def laid(case: Path, folder: Path) -> list[Path]:
    """Copy a case into `folder`; returns everything that is there then."""
    shutil.copy(case, folder)
    if case.with_suffix("").is_dir():
        shutil.copytree(case.with_suffix(""), folder, dirs_exist_ok=True)
    return sorted(folder.rglob("*"))


def tell(case: Path, folder: Path) -> tuple[int, str]:
    """Exit status and message of `zoo plan` on a case that was laid into `folder`."""
    files = sorted(file.name for file in folder.glob("*.py"))
    words = [word for file in files for word in ("--reward", file)]
    told = io.StringIO()
    with (
        chdir(folder),
        redirect_stdout(told),
        redirect_stderr(told),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["zoo", "plan", case.name, *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, told.getvalue()


def seen_by_schema(case: Path) -> bool:
    """Whether the committed JSON Schema refuses a case that is YAML at all."""
    try:
        data = strict_yaml.read(case).data
    except InputError:
        return False
    schema = json.loads(json_schema.FILE.read_text(encoding="utf-8"))
    return not Draft202012Validator(schema).is_valid(data)


def readme(told: dict[str, Told]) -> str:
    """The table and the messages as Markdown."""
    text = HEAD.format(n=len(told), seen=sum(one.seen_by_schema for one in told.values()))
    blocks = []
    for name, one in told.items():
        first = (HERE / "manifests" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        about = first.removeprefix("# ").rstrip(".")
        sees = "sees it" if one.seen_by_schema else ""
        text += f"| [{name}](manifests/{name}.yaml) | {about} | {one.faults} | {sees} |\n"
        blocks.append(f"\n## {name}\n\n```text\n{one.message}```\n")
    return text + "".join(blocks)


def read() -> dict[str, Told]:
    """What `expected.json` says, by name."""
    rows = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return {
        name: Told("".join(f"{line}\n" for line in row["message"]), row["faults"], row["schema"])
        for name, row in rows.items()
    }


def main() -> None:
    """Write `expected.json` and `README.md` again."""
    rows = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            laid(case, Path(folder))
            status, message = tell(case, Path(folder))
        lines = message.splitlines()
        assert status == 2, f"{case.name} ended with {status}:\n{message}"
        faults = sum(PLACE.match(line) is not None for line in lines)
        row = {"schema": seen_by_schema(case), "faults": faults, "message": lines}
        rows[case.stem] = row
    EXPECTED.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    README.write_text(readme(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
