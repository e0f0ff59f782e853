"""`zoo schema` prints the schema that editors use, with the user's own cards in it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from zoo.cli.main import cli
from zoo.manifest import json_schema

PROMPT = "schema: prompt/1\nname: mine\ntemplate: '{problem}'\n"


def test_it_is_the_committed_one_and_offers_more_cards_where_there_are(tmp_path: Path) -> None:
    plain = CliRunner().invoke(cli, ["schema"])
    assert plain.exit_code == 0
    assert plain.stdout == json_schema.FILE.read_text(encoding="utf-8")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "mine.yaml").write_text(PROMPT)
    more = json.loads(CliRunner().invoke(cli, ["schema", "--cards", str(tmp_path)]).stdout)
    assert "mine" in more["$defs"]["card.prompt"]["anyOf"][0]["enum"]
