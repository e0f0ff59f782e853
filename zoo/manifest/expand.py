"""A manifest and the catalog make trials: cells, times seeds, each resolved and named.

Every name and setting is checked, and all faults of the manifest are reported together. Nothing is
fetched or read but cards; what lies behind them is asked of a `Resolver`.
"""

from __future__ import annotations

from typing import Any

from zoo.catalog import Catalog, DataCard, ModelCard, PromptCard, RewardCard
from zoo.manifest import identity, rehearsal
from zoo.manifest.cells import Cell, cells, matches
from zoo.manifest.load import Manifest
from zoo.manifest.names import Names, Resolver, Unpinned
from zoo.manifest.schedule import evaluations
from zoo.manifest.settings import Resolved, Settings
from zoo.manifest.trial import Evaluation, Trial


def expand(
    manifest: Manifest,
    catalog: Catalog,
    resolver: Resolver | None = None,
    *,
    rehearse: bool = False,
) -> list[Trial]:
    """All trials of a manifest, row-major over the axes, seeds innermost. `rehearse`: with pocket
    stand-ins, one seed, two rounds; external trials are left out.

    Raises:
        InputError: unknown cards, settings or axes, contradictions; all at once, each placed.
    """
    return Expansion(manifest, catalog, resolver, rehearse=rehearse).trials()


class Expansion:
    """One expansion of one manifest."""

    def __init__(
        self,
        manifest: Manifest,
        catalog: Catalog,
        resolver: Resolver | None = None,
        *,
        rehearse: bool = False,
    ) -> None:
        self.names = Names(manifest, catalog, resolver or Unpinned())
        self.experiment, self.rehearse = manifest.experiment, rehearse
        self.settings = Settings(self.names)

    def trials(self) -> list[Trial]:
        """All trials; see `expand`."""
        self.settings.check()
        measured = evaluations(self.names, self.experiment, rehearse=self.rehearse)
        found = cells(self.names)
        self.names.stop_at_faults()
        trials = [trial for cell in found for trial in self._cell(cell, measured)]
        self.names.stop_at_faults()
        return trials

    def _cell(self, cell: Cell, measured: tuple[Evaluation, ...]) -> list[Trial]:
        """The trials of one cell, one a seed."""
        names, experiment = self.names, self.experiment
        changes = self.settings.changes(cell)
        trainer = changes.pop("trainer", experiment.trainer)
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
        batch = rehearsal.batch(resolved.batch) if self.rehearse else resolved.batch
        start = names.start(model)
        said: dict[str, Any] = {
            "trainer": trainer,
            "rounds": rehearsal.ROUNDS if self.rehearse else experiment.rounds,
            "grpo": resolved.grpo,
            "batch": batch,
            "model": model,
            "model_digest": names.digest(model),
            "base": None if start is model else start,
            "base_digest": "" if start is model else names.digest(start),
            "data_digest": names.digest(data),
            "reward": reward,
            "prompt": prompt,
        }
        more = {
            "cell": cell,
            "recipe": self.settings.recipe(cell).name,
            "data": data,
            "evaluations": measured,
            "final": experiment.final,
            "tripwires": tuple(t for t in experiment.tripwires if matches(cell, t.when)),
            "rehearsal": self.rehearse,
        }
        return self._seeds(cell, said, more, resolved)

    def _seeds(
        self, cell: Cell, said: dict[str, Any], more: dict[str, Any], resolved: Resolved
    ) -> list[Trial]:
        stands_for = rehearsal.identity(cell) if self.rehearse else None
        payload = identity.train_payload(**said, rehearsal=stands_for)
        known = resolved.texts if said["batch"] is resolved.batch else {}
        texts = {k: known.get(k) or identity.canonical(v) for k, v in payload.items()}
        mark = "rehearsal." if self.rehearse else ""
        slug = f"{mark}{cell['model']}.{cell['reward']}.{cell['data']}"
        seeds = [rehearsal.SEED] if self.rehearse else self.experiment.seeds
        found = []
        for seed in seeds:
            texts["seed"] = str(seed)
            # everything in here was validated where it was said; a trial is only put together
            trial = Trial.model_construct(
                id=f"{slug}.s{seed}-{identity.digest_of(texts)}",
                identity=payload | {"seed": seed},
                seed=seed,
                **said,
                **more,
            )
            found.append(trial)
        return found

    def _as_trained(self, cell: Cell) -> Cell | None:
        """An external cell with the reward and data that the checkpoint's card names."""
        names, path = self.names, ("grid", "model")
        model = names.known(ModelCard, cell["model"])
        if model.base is None:
            hint = "name a checkpoint whose card says `base`"
            names.fault(path, f"'{model.name}' is no checkpoint of a base model", hint=hint)
            return None
        trained = model.trained
        for axis in ("reward", "data"):
            if axis not in cell and trained is None:
                names.fault(path, f"'{model.name}' does not say its {axis}", f"an axis '{axis}'")
                return None
        told = {"reward": trained.reward, "data": trained.data} if trained else {}
        return {"model": cell["model"]} | told | cell
