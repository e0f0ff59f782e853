"""The text of the manifest that `zoo init` writes: the chosen values, with comments on what to
edit.

Its settings are those of `experiments/` of this repository, in their smallest form.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import zoo.manifest
from zoo.catalog import BenchmarkCard, Catalog, RecipeCard
from zoo.scaffold.choice import Choice

FOLDER = Path("experiments")
SCHEMA = Path(zoo.manifest.__file__).parent / "experiment.schema.json"
WORDS = {"true", "false", "null"}
TEXT = """\
# yaml-language-server: $schema={schema}
schema: experiment/1
name: {name}
# Edit: the question of the study, in one sentence.
question: {question}
# Edit: what you expect and why, written down before the run.
prediction: >-
  {prediction}
recipe: {recipe} # settings of GRPO; `zoo recipes list` names others
grid: # the product of these axes runs; prompt, grpo.learning_rate, ... can be axes, too
  model: [{models}]
  reward: [{rewards}]
  data: [{data}]
{batch}seeds: [0, 1, 2] # repeats of every cell; one alone decides no claim
rounds: {rounds} # of training; a round samples, grades and updates
final: last # how a trial's number is formed; `mean-last-5` goes with `at: [0, last5]`
evaluate: # watch: for curves; full: what is compared, before training (0) and after it
  watch: {{benchmarks: [{benchmarks}], problems: 100, every: {every}, decodings: [t1.0]}}
  full: {{benchmarks: [{benchmarks}], {problems}at: [0, last]}}
  decoding: {{t1.0: {{temperature: 1.0}}, t0: {{temperature: 0}}}} # t0 is greedy
# budget: {{gpu_hours: 100}} # what all sweeps of the study may cost
# Edit: the expected result. A sweep seals it; a plan says what the seeds can detect.
claims:
{claim}"""
CONTRAST = """\
  - id: {id}
    says: {says}
    compare: {{reward: [{first}, {second}]}} # the first less the second
{for_each}    metric: {metric}
    expect: {{higher_by: 0}} # percentage points; also lower_by, not_worse_than, equal_within
"""
GAIN = """\
  - id: gains
    says: {says}
    kind: gain # the trained model less its base
{for_each}    metric: {metric}
    expect: {{higher_by: 0}} # percentage points; also lower_by, not_worse_than, equal_within
"""


def manifest_text(
    name: str, chosen: dict[str, list[Choice]], recipe: RecipeCard, rounds: int, catalog: Catalog
) -> str:
    """A whole manifest.

    Args:
        chosen: values of the axes model, data and reward; at least one of each.
    """
    benchmarks = _benchmarks(chosen, recipe, catalog)
    several = len(benchmarks) > 1
    metric = f"eval/{f'avg{len(benchmarks)}' if several else benchmarks[0]}/acc/t1.0"
    models, rewards = chosen["model"], chosen["reward"]
    on = models[0].name if len(models) == 1 else "each model"
    if len(rewards) > 1:
        first, second = rewards[0].name, rewards[1].name
        question = f"Does training {on} with {first} end above training it with {second}?"
        prediction = f"{first} ends above {second}."
    else:
        question = f"Does zero RL with {rewards[0].name} raise {on}?"
        prediction = f"Accuracy of {on} rises."
    words = {
        "for_each": "    for_each: [model] # a verdict for each\n" if len(models) > 1 else "",
        "says": scalar(prediction),
        "metric": metric,
    }
    if len(rewards) > 1:
        pair = {"first": rewards[0].yaml, "second": rewards[1].yaml}
        claim = CONTRAST.format(id="reward-matters", **pair, **words)
    else:
        claim = GAIN.format(**words)
    return TEXT.format(
        schema=_schema(),
        name=scalar(name),
        question=scalar(question),
        prediction=prediction,
        recipe=scalar(recipe.name),
        models=", ".join(choice.yaml for choice in models),
        rewards=", ".join(choice.yaml for choice in rewards),
        data=", ".join(choice.yaml for choice in chosen["data"]),
        batch=_batch(chosen["data"], recipe),
        rounds=rounds,
        benchmarks=", ".join(map(scalar, benchmarks)),
        every=max(1, min(5, rounds)),
        problems="problems: 300, " if recipe.name == "pocket" else "",
        claim=claim,
    )


def scalar(text: str) -> str:
    """A text as one YAML value, quoted where it must be; also within brackets."""
    plain = re.fullmatch(r"[A-Za-z./][\w./@+-]*(:[\w./@+-]+)*( [\w./@+-]+)*[.?]?", text, re.ASCII)
    return text if plain and text not in WORDS else json.dumps(text, ensure_ascii=False)


def flow(said: dict[str, Any]) -> str:
    """A mapping on one line."""
    parts = (
        f"{key}: {flow(v) if isinstance(v, dict) else scalar(v) if isinstance(v, str) else v}"
        for key, v in said.items()
    )
    return "{" + ", ".join(parts) + "}"


def _schema() -> str:
    """Where editors find the JSON Schema: relative to the manifest where it can be."""
    inside = SCHEMA.is_relative_to(Path.cwd())
    return os.path.relpath(SCHEMA, FOLDER.absolute()) if inside else str(SCHEMA)


def _benchmarks(chosen: dict[str, list[Choice]], recipe: RecipeCard, catalog: Catalog) -> list[str]:
    """Held-out sets of the same names as the training sets, else the usual ones."""
    there = catalog.names(BenchmarkCard)
    same = [choice.name for choice in chosen["data"] if choice.name in there]
    return same or (["pocket-easy"] if recipe.name == "pocket" else ["gsm8k", "math500"])


def _batch(data: list[Choice], recipe: RecipeCard) -> str:
    """A smaller round than the recipe's where a training set would not fill it; else nothing."""
    sizes = [choice.problems for choice in data if choice.problems is not None]
    least = min(sizes, default=recipe.batch.prompts)
    if least >= recipe.batch.prompts or least < 1:
        return ""
    prompts = 2 ** (least.bit_length() - 1)
    usual = f"the recipe's {recipe.batch.prompts:,} are more than the {least:,} problems"
    return f"batch: {{prompts: {prompts}, updates: 1}} # {usual}\n"
