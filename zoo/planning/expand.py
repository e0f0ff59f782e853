"""A manifest and the catalog give trials and checked claims; all faults are raised together."""

from __future__ import annotations

from zoo.catalog import Catalog
from zoo.claims.checks import check_claims, check_claims_alone, check_tripwires
from zoo.claims.comparisons import cells_of
from zoo.errors import Flaw
from zoo.manifest.load import Manifest
from zoo.trials.card_lookup import Resolver
from zoo.trials.expansion import Expansion
from zoo.trials.metrics import known_metrics, metrics_of
from zoo.trials.trial import Trial


def expand(manifest: Manifest, catalog: Catalog, resolver: Resolver | None = None) -> list[Trial]:
    """All trials of a manifest, row-major over the axes, seeds innermost. A rehearsal leaves
    external trials out.

    Raises:
        InputError: unknown cards, settings or axes, contradictions; all at once, each placed.
    """
    expansion = Expansion(manifest, catalog, resolver)
    trials = expansion.trials()
    flaws = _flaws(expansion, trials) if trials else _flaws_without_cells(expansion)
    for flaw in flaws:
        expansion.names.fault(flaw.path, flaw.found, flaw.expected, flaw.hint, key=flaw.key)
    expansion.names.stop_at_faults()
    return trials


def _flaws(expansion: Expansion, trials: list[Trial]) -> list[Flaw]:
    """Claims and tripwires must reference existing cells and metrics."""
    experiment = expansion.experiment
    if expansion.rehearse or not (experiment.claims or experiment.tripwires):
        return []
    known = metrics_of(trials)
    flaws = check_claims(experiment.claims, cells_of(trials), known, experiment.rounds)
    return flaws + check_tripwires(experiment.tripwires, known)


def _flaws_without_cells(expansion: Expansion) -> list[Flaw]:
    """What can be checked of claims and tripwires without cells. Checkpoints from elsewhere bring
    axes and metrics of their own."""
    experiment, manifest, grid = expansion.experiment, expansion.names.manifest, expansion.grid
    if expansion.rehearse or experiment.trainer == "external":
        return []
    axes = grid.known_axes()
    holes = {hole[:1] for hole in manifest.holes} & {("evaluate",), ("rounds",), ("trainer",)}
    known = None
    if expansion.measured is not None and not holes:
        known = known_metrics(expansion.measured, experiment.rounds)
    flaws = check_claims_alone(experiment.claims, axes, known, experiment.rounds)
    flaws = [flaw for flaw in flaws if not grid.doubtful.intersection(map(str, flaw.path))]
    if known is not None:
        flaws += check_tripwires(experiment.tripwires, known)
    return flaws
