"""Whether the next look of a sweep may begin: all trials ended, and a sealed claim is undecided.

Seeds that are added for any other reason would change what the verdicts mean.
"""

from __future__ import annotations

from zoo.errors import Fault, InputError
from zoo.judging.answer import answer
from zoo.judging.judge import SEALED
from zoo.planning.study import Study
from zoo.runs import outcome


def must_be_open(study: Study) -> None:
    """Refuse a look that has no claim to decide. Does nothing for the look that the sweep is at.

    Raises:
        InputError: trials of the look before have not ended, or it left no sealed claim undecided.
    """
    said, look = study.manifest.experiment, study.manifest.look
    if said.looks is None or study.lock is None or look == study.lock.reached(said.looks):
        return
    seeds = said.seeds_at(look - 1)
    outcomes = [outcome.load(t, study.store) for t in study.trials if t.seed in seeds]
    found = answer(outcomes, said.claims, study.seals, looks=said.look_sizes, store=study.store)
    sealed = [verdict for verdict in found.claims if verdict.standing == SEALED]
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
