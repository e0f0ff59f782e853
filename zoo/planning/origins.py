"""Where the values of one trial came from: manifest, command line, card, recipe or default.

Expands the manifest again, as origins are not kept in the trials of a plan.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.catalog import DataCard, ModelCard
from zoo.planning.study import Study, shown
from zoo.trials.expansion import Expansion
from zoo.trials.trial import Trial
from zoo.trlspec.validation import has_entropy_bonus

Row = tuple[str, Any, str]  # dotted name, value, where it came from


def resolved(study: Study, trial: Trial) -> list[Row]:
    """Every value that a trial runs with, in the order of a manifest; of a checkpoint that was
    trained elsewhere only what it is evaluated with. Names are distinct."""
    told = _Origins(study, trial)
    rows: list[Row] = [("recipe", trial.recipe, told.axis("recipe") or told.line("recipe"))]
    rows.append(("trainer", trial.trainer, told.setting("trainer") or told.line("trainer")))
    for axis in ("model", "reward", "data"):
        rows.append((axis, trial.cell[axis], told.axis(axis) or f"card {trial.model.name}"))
    rows.append(("seed", trial.seed, told.replaced or told.line("seeds")))
    rows.append(("rounds", trial.rounds, told.replaced or told.line("rounds")))
    rows += _model(trial, told)
    rows.append(("prompt", trial.prompt.name, told.setting("prompt")))
    rows.append(("prompt.template", trial.prompt.template, f"card {trial.prompt.name}"))
    rows += _trained(trial, told)
    for e in trial.evaluations:
        size = {"problems": "all" if e.problems is None else e.problems, "samples": e.samples}
        how = e.decoding.model_dump() | {"max_tokens": e.decoding.max_tokens or trial.cap}
        name = f"evaluate.{'+'.join(e.schedules)}.{e.benchmark.name}.{e.decoding_name}"
        origin = told.replaced or told.line("evaluate", e.schedules[0])
        rows.append((name, size | how | {"rounds": list(e.rounds)}, origin))
    rows.append(("final", trial.final, told.line("final")))
    return rows


def _model(trial: Trial, told: _Origins) -> list[Row]:
    card, origin = trial.model, told.card(trial.model)
    random = "random" if card.random_weights else None
    rows: list[Row] = [("model.weights", card.embedded or card.path or card.repo or random, origin)]
    if card.repo:
        rows.append(("model.revision", card.revision or "unpinned", origin))
    else:
        rows.append(("model.digest", trial.model_digest, "content of its files"))
    if trial.base is not None:
        rows.append(("model.base", trial.base.name, origin))
    source = card.origin.get("stop_ids")
    rows.append(("model.stop_ids", list(card.stop_ids), origin + (f": {source}" if source else "")))
    return rows


def _trained(trial: Trial, told: _Origins) -> list[Row]:
    """What a trial trains with."""
    cap = "grpo.max_completion_length"
    if trial.trainer == "external":
        return [(cap, trial.cap, told.setting(cap))]
    rows: list[Row] = [("data.digest", trial.data_digest, told.card(trial.data))]
    code, origin = trial.reward.code, f"card {trial.reward.name}"
    if code is not None:
        where = shown(Path(code.file)) if code.file else f"installed, entry point {code.entry}"
        rows.append(("reward.code", f"SHA-256 {code.digest[:16]}", where))
        if trial.reward.name == trial.reward.kind:
            origin = where
    for field in ("kind", "version", "extract", "params"):
        rows.append((f"reward.{field}", getattr(trial.reward, field), origin))
    values = {f"batch.{name}": value for name, value in trial.batch.model_dump().items()}
    values |= {f"grpo.{name}": trial.grpo[name] for name in sorted(trial.grpo)}
    if has_entropy_bonus(trial.grpo):
        rows.append(("entropy_mean", trial.entropy_mean, f"recipe {trial.recipe}"))
    return rows + [(name, value, told.setting(name)) for name, value in values.items()]


class _Origins:
    """Where the values of one trial came from, in words."""

    def __init__(self, study: Study, trial: Trial) -> None:
        expansion = Expansion(study.manifest, study.catalog, study.resolver)
        expansion.trials()
        self.document, self.experiment = study.manifest.document, study.manifest.experiment
        self.inline = expansion.names.inline
        original = expansion.names.known(ModelCard, str(trial.cell["model"]))
        self.settings = expansion.settings.origins(trial.cell, original)
        self.replaced = "rehearsal" if trial.rehearsal else ""
        """Of what a rehearsal replaces; empty where nothing is."""
        if trial.rehearsal:
            replaced = ("batch.prompts", "batch.num_generations", "batch.micro_batch")
            self.settings |= dict.fromkeys(replaced, self.replaced)
            self.settings["grpo.max_completion_length"] = f"rehearsal: card {trial.model.name}"

    def setting(self, name: str) -> str:
        """Of a setting by its dotted name, `prompt` or `trainer`."""
        missing = "" if name == "trainer" else "default of the form"
        return self.settings.get(name, missing)

    def axis(self, axis: str) -> str:
        """Of a value of an axis; empty where it is none."""
        groups = [(("grid",), self.experiment.grid)]
        groups += [(("zip", i), group) for i, group in enumerate(self.experiment.zip)]
        path = next((path for path, group in groups if axis in group.values), None)
        if path is None:
            return ""
        one = path[0] == "zip" and ("zip", axis) in self.document.values
        return f"axis, {self.line(path[0], axis) if one else self.line(*path, axis)}"

    def line(self, *path: str | int) -> str:
        """Of what the manifest says at a path, or the command line in its stead."""
        origins, place = self.document.origins, self.document.values.get(path)
        for n in range(len(path), 0, -1):
            if path[:n] in origins:
                return origins[path[:n]]
        below = [origin for at, origin in origins.items() if at[: len(path)] == path]
        return ", ".join([f"manifest, line {place[0]}" if place else "default", *below])

    def card(self, card: ModelCard | DataCard) -> str:
        """Of what a card says, or the manifest in its place."""
        given = (type(card), card.name) in self.inline
        return "manifest, given inline" if given else f"card {card.name}"
