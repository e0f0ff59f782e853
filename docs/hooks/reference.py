"""Reference pages that repeat the code, made from the code when the documentation is built.

`pages()` maps a path below `docs/` to markdown: the commands (click), the manifest and the cards
(pydantic models), the cards that come along, the metrics, the files of a run, and the exit codes.
MkDocs calls `on_files`; tests call `pages`. Imports what planning imports and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    ComputeProfile,
    DataCard,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.index import BY_CATALOG
from zoo.cli import main as command_line
from zoo.errors import plain, told
from zoo.manifest import json_schema
from zoo.manifest.schema import Experiment
from zoo.rewards.parameters import KINDS
from zoo.store import record, run_store
from zoo.trials import metrics
from zoo.trlspec import fields as trl_table

Schema = dict[str, Any]
NOTE = "<!-- Made from the source by docs/hooks/reference.py; do not edit. -->\n\n"

CARDS: dict[str, tuple[type[Card], str, str]] = {
    "models": (ModelCard, "Model cards", "`cards/models/NAME.yaml`"),
    "data": (DataCard, "Data cards", "`cards/data/NAME.yaml`"),
    "benchmarks": (BenchmarkCard, "Benchmark cards", "`cards/benchmarks/NAME.yaml`"),
    "rewards": (RewardCard, "Reward cards", "`cards/rewards/NAME.yaml`"),
    "prompts": (PromptCard, "Prompt cards", "`cards/prompts/NAME.yaml`"),
    "recipes": (RecipeCard, "Recipe cards", "`cards/recipes/NAME.yaml`"),
    "profiles": (ComputeProfile, "Compute profiles", "`cards/profiles/NAME.yaml`"),
}

TEXTS: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "texts.yaml").read_text(encoding="utf-8")
)


def on_files(files: Any, config: Any) -> Any:
    """MkDocs: add the pages to those that lie in `docs/`."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Path below `docs/` -> markdown."""
    catalog = Catalog()
    found = {
        "commands": commands(),
        "manifest": manifest(catalog),
        "cards": cards(),
        "catalog": catalog_page(catalog),
        "metrics": metrics_page(),
        "run-files": run_files(),
        "exit-codes": exit_codes(),
    }
    return {f"reference/{name}.md": NOTE + text.rstrip() + "\n" for name, text in found.items()}


# -- markdown -------------------------------------------------------------------------------------


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A markdown table; cells are markdown without line breaks."""
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    """A cell's text on one line; a bar outside code needs an escape."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(p if p.startswith("`") else p.replace("|", "\\|") for p in parts)


def prose(text: str) -> str:
    """A docstring as markdown: angle brackets are names and no tags, and null is as in YAML."""
    text = re.sub(r"\bNone(?= [=:])", "null", text).replace("() = ", "an empty list = ")
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(p if p.startswith("`") else p.replace("<", "&lt;") for p in parts)


def paragraphs(text: str) -> str:
    """Several paragraphs of a help text."""
    return "\n\n".join(prose(part) for part in text.split("\n\n"))


# -- commands -------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its arguments and options."""
    context = click.Context(command_line.cli, info_name="zoo")
    text = f"# Commands\n\n{paragraphs(command_line.cli.help or '')}\n\n"
    text += "Each command explains itself: `zoo COMMAND --help`. "
    text += "[Exit codes](exit-codes.md) are the same for all.\n\n"
    return text + "\n".join(_commands(command_line.cli, context))


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.commands[name]
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield f"## {inner.command_path}\n\n{prose(command.help or '')}\n"
            yield from _commands(command, inner)
            continue
        yield _command(command, inner)


def _command(command: click.Command, context: click.Context) -> str:
    level = "#" * (1 + len(context.command_path.split()) - 1)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = f"{level} {context.command_path}\n\n{paragraphs(command.help or '')}\n\n"
    text += f"```text\n{usage}\n```\n\n"
    rows = [_option(p, context) for p in command.params if isinstance(p, click.Option)]
    return text + (table(("option", "meaning"), rows) if rows else "")


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if not option.is_flag:
        names += f" `{option.make_metavar(context)}`"
    more = " Repeatable." if option.multiple else ""
    if option.show_default and option.default is not None:
        more += f" Default: `{option.default}`."
    return names, prose(option.help or "").strip() + more


# -- forms ----------------------------------------------------------------------------------------


def manifest(catalog: Catalog) -> str:
    """The manifest, part by part, and the settings of GRPO."""
    text = "# Manifest\n\nA manifest is one YAML file, `schema: experiment/1`. It names cards and "
    text += "numbers; it never names a machine. `zoo schema` prints its JSON Schema, which lets "
    text += "an editor complete and check it. Unknown keys are errors.\n\n"
    text += form(Experiment, "Top level")
    text += "\n## Settings of GRPO\n\nKeys of `grpo:` under TRL's names, and axes as "
    text += "`grpo.NAME`. A recipe states every one of them.\n\n"
    parts = json_schema.schema(catalog)["$defs"]
    rows = [
        (f"`{name.removeprefix('grpo.')}`", kind(part), value(part.get("default")))
        for name, part in sorted(parts.items())
        if name.startswith("grpo.")
    ]
    text += table(("setting", "value", "TRL's default"), rows)
    text += "\n### Settings that are refused\n\nEverything else that TRL's `GRPOConfig` has is "
    text += "refused, with the reason.\n\n"
    refused: dict[str, list[str]] = {}
    groups = (trl_table.OWNED, trl_table.DANGEROUS, trl_table.NEUTRAL, trl_table.IDLE)
    for name, reason in sorted(pair for group in groups for pair in group.items()):
        refused.setdefault(reason, []).append(f"`{name}`")
    text += table(("reason", "settings"), ((prose(r), ", ".join(n)) for r, n in refused.items()))
    return text


def cards() -> str:
    """Every kind of card."""
    text = "# Cards\n\nA card is one YAML file whose name is its own. zoo's cards come with the "
    text += "package ([which there are](catalog.md)); yours lie in `./cards`, or in a folder "
    text += "named by `--cards DIR`, and win over zoo's. Unknown keys are errors.\n"
    known: set[str] = set()
    for card, title, place in CARDS.values():
        text += f"\n## {title}\n\nPlace: {place}.\n\n"
        text += form(card, level=3, known=known)
        if card is RewardCard:
            text += reward_kinds()
    return text


def reward_kinds() -> str:
    """The kinds of reward and their parameters."""
    rows = []
    for name, parameters in KINDS.items():
        told = []
        for key, parameter in parameters.items():
            default = getattr(parameter, "default", None)
            more = "" if default is None else f", default {value(default)}"
            told.append(f"`{key}`: {parameter}{more}")
        rows.append((f"`{name}`", "; ".join(told) or "none"))
    return "\n### Kinds of reward\n\n" + table(("kind", "params"), rows)


def catalog_page(catalog: Catalog) -> str:
    """The cards that come along."""
    text = "# Cards that come along\n\nEach can be named in a manifest. `zoo models show NAME` "
    text += "and `zoo data show NAME` print a card; the files are in `zoo/catalog/`.\n"
    for card, title, _ in CARDS.values():
        rows = [(f"`{n}`", prose(catalog.get(card, n).about)) for n in catalog.names(card)]
        text += f"\n## {title}\n\n" + table(("name", "what it is"), rows)
    return text


def form(
    top: type[BaseModel], title: str = "", level: int = 2, known: set[str] | None = None
) -> str:
    """A model and the models inside it, a table each; none that is in `known`, where all that were
    written are put."""
    known = set() if known is None else known
    made = json_schema.described(top)
    parts = {top.__name__: made, **made.get("$defs", {})}
    text = ""
    for name in _inside(top.__name__, parts):
        if name in known:
            continue
        known.add(name)
        shown = title if name == top.__name__ else name
        text += f"\n{'#' * level} {shown}\n\n" if shown else ""
        text += f"{prose(about)}\n\n" if (about := parts[name].get("description")) else ""
        text += table(("key", "value", "meaning"), _fields(parts[name]))
    return text


def _inside(top: str, parts: Schema) -> list[str]:
    """A part and the parts that its keys refer to, itself first."""
    found = [top]
    for name in found:
        fields = [f for key, f in _said(parts[name]).items() if key not in BY_CATALOG]
        for other in re.findall(r"#/\$defs/(\w+)", str(fields)):
            if other not in found and "properties" in parts[other]:
                found.append(other)
    return found


def _said(part: Schema) -> Schema:
    """The keys of a part, and what others it takes."""
    more = part.get("additionalProperties")
    return part["properties"] | ({"any other name": more} if isinstance(more, dict) else {})


def _fields(part: Schema) -> Iterator[tuple[str, str, str]]:
    required = part.get("required", ())
    for name, field in _said(part).items():
        if name in BY_CATALOG:
            continue
        meaning = prose(field.get("description", ""))
        if field.get("default") not in (None, "", [], {}):
            meaning += f" Default: {value(field['default'])}."
        mark = " (required)" if name in required else ""
        shown = f"`{name}`" if name in part["properties"] else name
        yield f"{shown}{mark}", kind(field), meaning.strip()


def kind(part: Schema) -> str:
    """What values a part of a JSON Schema takes, in words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in part:
        return value(part["const"])
    if "enum" in part:
        return " or ".join(map(value, part["enum"]))
    if options := part.get("anyOf") or part.get("oneOf"):
        return _either([kind(option) for option in options])
    types = part.get("type", "any")
    types = [types] if isinstance(types, str) else types
    return _either([_plain(name, part) for name in types])


def _either(kinds: list[str]) -> str:
    """Several kinds; all plain ones together are any value."""
    if {"text", "true or false"} <= set(kinds):
        plain_ones = ("text", "number", "whole number", "true or false", "null")
        kinds = ["any value", *(one for one in kinds if one not in plain_ones)]
    return " or ".join(dict.fromkeys(kinds))


def _plain(name: str, part: Schema) -> str:
    if name == "array":
        inner = part.get("items")
        return f"list of {kind(inner)}" if inner else "list"
    if name == "object":
        inner = part.get("additionalProperties") or next(
            iter(part.get("patternProperties", {}).values()), None
        )
        return f"mapping to {kind(inner)}" if isinstance(inner, dict) else "mapping"
    words = {"string": "text", "null": "null", "boolean": "true or false", "any": "any value"}
    if name not in ("integer", "number"):
        return words[name]
    text = "whole number" if name == "integer" else "number"
    if "exclusiveMinimum" in part:
        text += f" >\u00a0{part['exclusiveMinimum']:g}"
    elif "minimum" in part:
        text += f" ≥\u00a0{part['minimum']:g}"
    return text


def value(found: Any) -> str:
    """A value as YAML would say it, in code."""
    text = f"{found:g}" if isinstance(found, float) else plain(found)
    if isinstance(found, (dict, list)):
        text = told(found, longest=200)
    return f"`{text}`" if text else "an empty text"


# -- results --------------------------------------------------------------------------------------


def metrics_page() -> str:
    """Names of metrics, with unit and direction."""
    text = "# Metrics\n\n"
    text += "Shares are fractions in files, `--json` and MLflow's series; claims, the terminal, "
    text += "the report and MLflow's `final/...` state them in percentage points.\n\n"
    text += "## Evaluation\n\n"
    text += "`<series>/<benchmark>/<measure>/<decoding>`, for example `eval/math500/acc/t1.0`. "
    text += "`eval` is the set that `full` measures; another set of problems or samples has the "
    text += "name of its schedule in front, such as `watch`. `<series>/avgN/...` is the plain mean "
    text += "over the N benchmarks of a schedule. See "
    text += "[evaluations](manifest.md#evaluate).\n\n"
    rows = [
        _measure(name, f"eval/b/{name}/d", TEXTS["measures"][name]) for name in metrics.MEASURES
    ]
    text += table(("measure", "unit", "better", "meaning"), rows)
    text += "\nWith S > 1 responses a problem there are also:\n\n"
    rows = [
        _measure(name, f"eval/b/{name[:-1]}4/d", about, unit="points")
        for name, about in TEXTS["sampled"].items()
    ]
    text += table(("measure", "unit", "better", "meaning"), rows)
    text += "\n## Training\n\nOne value a round, under TRL's names with `train/` in front. These "
    text += "can be named by claims and tripwires.\n\n"
    rows = [_measure(name, name, TEXTS["training"][name]) for name in metrics.TRAIN_METRICS]
    text += table(("metric", "unit", "better", "meaning"), rows)
    text += "\n`metrics.jsonl` and MLflow hold everything that TRL, the grader and zoo log. Of the "
    text += "others, which tripwires can name but claims cannot, these tell the most. Two runs of "
    text += "one trial on one CPU differ in times, tokens a second and memory, and in nothing "
    text += "else.\n\n"
    rows = ((f"`{name}`", prose(about)) for name, about in TEXTS["logged"].items())
    return text + table(("metric", "meaning"), rows)


def _measure(shown: str, name: str, about: str, unit: str = "") -> tuple[str, str, str, str]:
    series = metrics.Series((1,))
    better = metrics.Metric(name, (name,), series, 1).better or "neither"
    return f"`{shown}`", unit or metrics.unit(name), better, about


def run_files() -> str:
    """Where everything of a run lies, and what a record says."""
    first, tree, *rest = (run_store.__doc__ or "").split("\n\n")
    text = f"# Files of a run\n\n{prose(first)}\n\n```text\n{_dedent(tree)}\n```\n\n"
    text += paragraphs("\n\n".join(rest)) + "\n\n"
    inside = ",".join(re.findall(r"\{(.*?)\}", tree, re.DOTALL))
    names = [name.strip() for name in inside.replace("}", ",").split(",")]
    names += re.findall(r"runs/[\w./]+(?=[,\n]|\Z)", tree)
    rows = ((f"`{name}`", TEXTS["files"][name]) for name in dict.fromkeys(names))
    text += table(("file", "what it holds"), rows) + "\n"
    text += "## record.json\n\n" + paragraphs((record.__doc__ or "").strip()) + "\n\n"
    text += form(record.Record) + "\n### States\n\n"
    states = record.Record.model_fields["state"].annotation.__args__  # type: ignore[union-attr]
    return text + table(("state", "meaning"), ((f"`{s}`", TEXTS["states"][s]) for s in states))


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def exit_codes() -> str:
    """Exit statuses, from the docstring of the command line."""
    (told,) = re.findall(r"Exit status: (.*?)\.$", command_line.__doc__ or "", re.DOTALL | re.M)
    rows = re.findall(r"(\d+(?: and \d+)?) ((?:\([^)]*\) )?[^,]+)", " ".join(told.split()))
    text = "# Exit codes\n\n"
    text += table(("code", "meaning"), ((number, prose(words)) for number, words in rows))
    return text + "\nWith code 2 nothing was started and nothing was written.\n"
