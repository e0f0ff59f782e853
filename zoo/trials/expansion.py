"""Trials of a manifest: cells times seeds, each resolved and named.

Every name and setting is checked; faults are collected, and the caller raises them together.
Only cards are read; their content is looked up through a `Resolver`.
"""

from __future__ import annotations

from typing import Any

from zoo.catalog import Catalog, DataCard, ModelCard, PromptCard, RewardCard
from zoo.manifest.load import Manifest
from zoo.trials import identity, rehearsal
from zoo.trials.card_lookup import Names, Resolver, Unpinned
from zoo.trials.grid import Cell, Grid, matches
from zoo.trials.schedule import evaluations
from zoo.trials.settings import Resolved, Settings
from zoo.trials.trial import Evaluation, Trial


class Expansion:
    """One expansion of one manifest."""

    def __init__(
        self, manifest: Manifest, catalog: Catalog, resolver: Resolver | None = None
    ) -> None:
        self.names = Names(manifest, catalog, resolver or Unpinned())
        self.experiment, self.rehearse = manifest.experiment, manifest.rehearse
        self.settings = Settings(self.names)
        self.grid = Grid(self.names)
        self.measured: tuple[Evaluation, ...] | None = None
        """Evaluations of a trial, set by `trials`; None where their entries have faults."""

    def trials(self) -> list[Trial]:
        """All trials; none where `names` has faults."""
        self.settings.check()
        measured = self.measured = evaluations(self.names, self.experiment)
        found = self.grid.cells()
        trials: list[Trial] = []
        if not self.names.wrong and measured is not None and self.names.manifest.runs_whole:
            trials = [trial for cell in found for trial in self._cell(cell, measured)]
            self._check_once(trials)
        whole = not self.names.wrong and self.names.manifest.runs_whole
        if whole and not trials:
            self.names.fault(("trainer",), "nothing to rehearse", "a trial that is trained here")
        return [] if self.names.wrong else trials

    def _check_once(self, trials: list[Trial]) -> None:
        """No two cells may come to one trial, which would count it twice."""
        cells_: dict[str, Cell] = {}
        for trial in trials:
            first = cells_.setdefault(trial.id, trial.cell)
            if first is not trial.cell:
                one, two = (
                    ", ".join(f"{k} {v}" for k, v in cell.items()) for cell in (first, trial.cell)
                )
                found = f"two cells are one trial: ({one}) and ({two})"
                hint = "leave one out, or give them settings that differ"
                self.names.fault(("grid",), found, "every trial once", hint)
                return

    def _cell(self, cell: Cell, measured: tuple[Evaluation, ...]) -> list[Trial]:
        """The trials of one cell, one a seed."""
        names, experiment = self.names, self.experiment
        changes = self.settings.changes(cell)
        told = self._told(cell, changes)
        trainer = told["trainer"]
        changes.pop("trainer", None)
        external = trainer == "external"
        whole = self._as_trained(cell) if external and not self.rehearse else cell
        if whole is None or (external and self.rehearse):
            return []
        cell = whole
        model, data = names.known(ModelCard, cell["model"]), names.card(DataCard, cell["data"], ())
        reward = names.card(RewardCard, cell["reward"], ())
        if data is None or reward is None:
            return []
        prompt = names.known(PromptCard, changes.pop("prompt", model.prompt))
        if self.rehearse:
            model, data = rehearsal.model(names, model), rehearsal.data(names, data)
        resolved = self.settings.resolve(cell, model, changes)
        if resolved is None:
            return []
        replaced: dict[str, Any] | None = None
        if self.rehearse:
            replaced = rehearsal.identity(cell, resolved)
            resolved = rehearsal.settings(resolved, model)
        if not external:
            self._check_size(cell, data, resolved.batch.prompts)
        # what trains here starts at `model`, also where that is a checkpoint of another model
        start = names.start(model) if external else model
        said: dict[str, Any] = {
            "trainer": trainer,
            "rounds": experiment.rounds,
            "grpo": resolved.grpo,
            "batch": resolved.batch,
            "peft": resolved.peft,
            "entropy_mean": resolved.entropy_mean,
            "model": model,
            "model_digest": names.digest(model),
            "base": None if start is model else start,
            "base_digest": "" if start is model else names.digest(start),
            "data_digest": names.digest(data),
            "reward": reward,
            "prompt": prompt,
        }
        more: dict[str, Any] = {
            "cell": cell,
            "recipe": self.settings.recipe(cell).name,
            "data": data,
            "evaluations": _only_ends(measured, experiment.rounds) if external else measured,
            "final": experiment.final,
            "tripwires": tuple(t for t in experiment.tripwires if matches(cell, t.when)),
            "said": told,
            "rehearsal": self.rehearse,
        }
        return self._seeds(cell, said, more, resolved, replaced)

    def _check_size(self, cell: Cell, data: DataCard, prompts: int) -> None:
        """A round takes its problems without repeating one, so a set must fill it."""
        names, size = self.names, self.names.size(data)
        if size is None or size >= prompts:
            return
        path = self.settings.place(cell, "batch.prompts") or ("grid", "data")
        found = f"'{data.name}' has {size:,} problem{'s'[: size != 1]}, for rounds of {prompts:,}"
        hint = "lower `batch.prompts`, or take more problems (`zoo data check` counts the filters)"
        names.fault(path, found, f"at least {prompts:,} after the filters", hint)

    def _seeds(
        self,
        cell: Cell,
        said: dict[str, Any],
        more: dict[str, Any],
        resolved: Resolved,
        replaced: dict[str, Any] | None,
    ) -> list[Trial]:
        payload = identity.train_payload(**said, rehearsal=replaced)
        texts = {k: resolved.texts.get(k) or identity.canonical(v) for k, v in payload.items()}
        mark = "rehearsal." if self.rehearse else ""
        slug = f"{mark}{cell['model']}.{cell['reward']}.{cell['data']}"
        # everything in here was validated where it was said; a trial is only put together
        shared = Trial.model_construct(**said, **more)
        found: list[Trial] = []
        for seed in self.names.manifest.seeds:
            texts["seed"] = str(seed)
            own: dict[str, Any] = {
                "id": f"{slug}.s{seed}-{identity.digest_of(texts)}",
                "seed": seed,
            }
            found.append(shared.model_copy(update=own | {"identity": payload | {"seed": seed}}))
        return found

    def _told(self, cell: Cell, changes: dict[str, Any]) -> dict[str, Any]:
        """The settings of a cell in the manifest, apart from the names on its axes."""
        experiment, inline = self.experiment, self.names.inline
        told: dict[str, Any] = {
            "recipe": cell.get("recipe", experiment.recipe),
            "trainer": experiment.trainer,
            "rounds": experiment.rounds,
        }
        for axis, kind in (("model", ModelCard), ("data", DataCard)):
            if found := inline.get((kind, cell.get(axis, ""))):
                told[axis] = found
        return told | changes

    def _as_trained(self, cell: Cell) -> Cell | None:
        """An external cell with the reward and data that the checkpoint's card names."""
        names, path = self.names, ("grid", "model")
        model = names.known(ModelCard, cell["model"])
        if model.base is None:
            hint = "name a checkpoint whose card has `base`"
            names.fault(path, f"'{model.name}' is no checkpoint of a base model", hint=hint)
            return None
        trained = model.trained
        for axis in ("reward", "data"):
            if axis not in cell and trained is None:
                names.fault(path, f"'{model.name}' does not state its {axis}", f"an axis '{axis}'")
                return None
        told = {"reward": trained.reward, "data": trained.data} if trained else {}
        return {"model": cell["model"]} | told | cell


def _only_ends(measured: tuple[Evaluation, ...], horizon: int) -> tuple[Evaluation, ...]:
    """Evaluations of a checkpoint from elsewhere: there are only the base model and the end."""
    found: list[Evaluation] = []
    for evaluation in measured:
        if rounds := tuple(round_ for round_ in evaluation.rounds if round_ in (0, horizon)):
            found.append(evaluation.model_copy(update={"rounds": rounds}))
    return tuple(found)
