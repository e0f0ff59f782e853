"""The next look of a sweep: whether it begins, for which claims, and which cells get seeds.

All trials of the look before have ended, and a sealed claim is undecided. Seeds are added to the
cells of undecided sealed claims alone; verdicts of the others are final. Seeds that are added for
any other reason would change what the verdicts mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoo.claims.comparisons import cells_of, units
from zoo.errors import Fault, InputError, listed
from zoo.judging.answer import answer
from zoo.judging.judge import SEALED, ClaimVerdict
from zoo.judging.verdict_text import sentence
from zoo.lock import lock
from zoo.planning.study import Study
from zoo.runs import outcome
from zoo.trials import identity
from zoo.trials.grid import Cell


@dataclass(frozen=True)
class NextLook:
    """Seeds that are added because claims are undecided."""

    look: int
    """From 1."""
    looks: tuple[int, ...]
    """Seeds of a cell at each look."""
    undecided: tuple[ClaimVerdict, ...]
    cells: tuple[Cell, ...]
    """Those that get more seeds."""

    @property
    def claims(self) -> tuple[str, ...]:
        """Ids of the claims that are undecided."""
        return tuple(dict.fromkeys(verdict.claim.id for verdict in self.undecided))

    def lines(self) -> list[str]:
        """Why seeds are added, and how many."""
        before, now = self.looks[self.look - 2], self.looks[self.look - 1]
        told = [
            f"claim {verdict.claim.id}{verdict.label and f' ({verdict.label})'} is undecided at "
            f"{before} seeds: {sentence(verdict)}"
            for verdict in self.undecided
        ]
        more, n = now - before, len(self.cells)
        cells = f"{n} cell{'s'[: n != 1]}"
        seeds = f"{more} more seed{'s'[: more != 1]}"
        at = f"look {self.look} of {len(self.looks)}"
        return [*told, f"{at} (claims {listed(self.claims)}): {seeds} for {cells}"]


def next_look(study: Study) -> NextLook | None:
    """The look after the one that the sweep is at; None where there is none to begin."""
    said = study.manifest.experiment
    if said.looks is None or study.lock is None or study.words.rehearse:
        return None
    look = study.lock.reached(said.looks) + 1
    if study.manifest.look != look - 1 or look > len(said.look_sizes):
        return None
    open_ = [one for one in _sealed(study, look - 1) if one.word == "undecided"]
    if not open_ or any(verdict.missing for verdict in open_):
        return None
    return _look(study, look, open_)


def begun_look(study: Study) -> NextLook | None:
    """The look that a study was loaded for, where that is the next one of its sweep.

    Raises:
        InputError: trials of the look before have not ended, or it left no sealed claim undecided.
    """
    said, look = study.manifest.experiment, study.manifest.look
    if said.looks is None or study.lock is None or look == study.lock.reached(said.looks):
        return None
    sealed = _sealed(study, look - 1)
    open_ = [verdict for verdict in sealed if verdict.word == "undecided"]
    waiting = [verdict for verdict in open_ if verdict.missing]
    place, before = f"--look {look}", f"look {look - 1}"
    if waiting:
        ids = ", ".join(dict.fromkeys(verdict.claim.id for verdict in waiting))
        found_ = f"trials of {before} have no number yet (claims {ids})"
        hint = f"`zoo sweep {study.called}` runs them"
        raise InputError(Fault(place, found_, f"{before} at its end", hint))
    if not open_:
        found_ = f"all claims are decided at {before}" if sealed else "no claim is sealed"
        hint = "seeds that no declared look adds make a claim `extended`, without verdict"
        raise InputError(Fault(place, found_, "a sealed claim that is undecided", hint))
    return _look(study, look, open_)


def narrowed(study: Study, found: NextLook) -> Study:
    """The study with the new seeds of a look's cells alone, and all that it had before."""
    before = found.looks[found.look - 2]
    cells = {identity.canonical(cell) for cell in found.cells}
    kept = {
        trial.id
        for trial in study.trials
        if trial.seed < before or identity.canonical(trial.cell) in cells
    }
    trials = [trial for trial in study.trials if trial.id in kept]
    chosen = [trial for trial in study.chosen if trial.id in kept]
    changes = lock.compare(study.lock, trials)
    return replace(study, trials=trials, chosen=chosen, changes=changes)


def _sealed(study: Study, look: int) -> list[ClaimVerdict]:
    """The verdicts of sealed claims at a look."""
    said = study.manifest.experiment
    seeds = said.seeds_at(look)
    outcomes = [outcome.load(t, study.store) for t in study.trials if t.seed in seeds]
    found = answer(outcomes, said.claims, study.seals, looks=said.look_sizes, store=study.store)
    return [verdict for verdict in found.claims if verdict.standing == SEALED]


def _look(study: Study, look: int, open_: Sequence[ClaimVerdict]) -> NextLook:
    said, there = study.manifest.experiment, cells_of(study.trials)
    labels = {(verdict.claim.id, verdict.label) for verdict in open_}
    wanted = {
        identity.canonical(cell)
        for claim in said.claims
        for unit in units(claim, there)
        if (claim.id, unit.label) in labels
        for cell in unit.cells
    }
    cells = tuple(cell for cell in there if identity.canonical(cell) in wanted)
    return NextLook(look, said.look_sizes, tuple(open_), cells)
