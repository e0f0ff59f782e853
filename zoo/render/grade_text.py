"""Output of `zoo grade`: changed verdicts, their effect on accuracies, and the runs that are
unaffected.

Texts of models and references are shown on one line, without control characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from zoo.errors import listed, printable
from zoo.evals.regrade import Case, RegradedSamples
from zoo.grading import GRADER_VERSION
from zoo.render.plan_costs import counted
from zoo.rewards.replay import Replay

MOST_CASES = 12
LONGEST = 48  # characters of a reference or an answer


@dataclass
class Told:
    """What came of grading a sweep again."""

    compared: list[RegradedSamples] = field(default_factory=list)
    """Sets of samples; those that trials share once."""
    measurements: int = 0
    """Checked lines of the trials' indexes."""
    replays: dict[str, Replay] = field(default_factory=dict)
    """Trial id -> result of the current grader's replay, now or earlier."""
    replayed_now: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """State -> trials whose rollouts do not count."""
    problems: list[str] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        """Whether the current grader fails to reproduce its earlier verdicts."""
        return any(c.reproduces is False for c in self.compared)

    @property
    def stale(self) -> dict[str, Replay]:
        """Trials whose rewards change."""
        return {id_: replay for id_, replay in self.replays.items() if not replay.adopted}


def lines(name: str, told: Told) -> Iterator[str]:
    """All of it for people."""
    yield f"{name}: grader {GRADER_VERSION}"
    yield from _evaluations(told)
    yield from _rollouts(told)
    yield from (f"! {problem}" for problem in told.problems)


def _evaluations(told: Told) -> Iterator[str]:
    again = [c for c in told.compared if c.reproduces is not None]
    new = [c for c in told.compared if c.reproduces is None]
    if new or not again:
        moved, answers = sum(c.moved for c in new), sum(c.n for c in new)
        text = f"{len(new):,} graded again ({counted(answers, 'answer')}), "
        text += f"{counted(moved, 'verdict')} moved"
        yield f"evaluations: {text if new else 'all are by this grader'}"
        yield from _table(new)
    if again:
        moved, answers = sum(c.moved for c in again), sum(c.n for c in again)
        text = f"{len(again):,} by this grader compared with a new grading"
        text += f" ({counted(answers, 'answer')}): "
        text += "all verdicts reproduce" if not moved else f"does not reproduce {moved:,} of them"
        yield f"evaluations: {text}"
        yield from _table([c for c in again if c.moved])
    if cases := _cases(told.compared):
        yield f"  the first that moved (of {sum(c.moved for c in told.compared):,}):"
        yield from (f"    {_case(case)}" for case in cases[:MOST_CASES])


def _table(compared: list[RegradedSamples]) -> Iterator[str]:
    """One line a benchmark and decoding."""
    rows = [_row(*key, group) for key, group in _groups(compared).items()]
    widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _groups(compared: list[RegradedSamples]) -> dict[tuple[str, str], list[RegradedSamples]]:
    groups: dict[tuple[str, str], list[RegradedSamples]] = {}
    for c in compared:
        groups.setdefault((c.benchmark, c.decoding), []).append(c)
    return groups


def _row(benchmark: str, decoding: str, group: list[RegradedSamples]) -> tuple[str, ...]:
    gone = sum(c.transitions is None for c in group)
    pairs = _transitions(group).most_common()
    moved = ", ".join(f"{old} -> {new} {n:,}" for (old, new), n in pairs) or "none moved"
    moved += f" ({gone:,} whose old verdicts are gone)" if gone else ""
    before, after = _accuracy(group)
    shares = "" if before is None or after is None else f"{100 * before:.1f} -> {100 * after:.1f} %"
    size = counted(sum(c.n for c in group), "answer")
    return f"{benchmark} {decoding}", size, moved, f"accuracy {shares or '-'}"


def _transitions(group: list[RegradedSamples]) -> Counter[tuple[str, str]]:
    return sum((c.transitions or Counter() for c in group), Counter())


def _accuracy(group: list[RegradedSamples]) -> tuple[float | None, float | None]:
    """Mean accuracy before and after, over evaluations that have both."""
    pairs = [(c.before, c.after) for c in group if c.before is not None and c.after is not None]
    if not pairs:
        return None, None
    return sum(b for b, _ in pairs) / len(pairs), sum(a for _, a in pairs) / len(pairs)


def _cases(compared: list[RegradedSamples]) -> list[Case]:
    """Those that moved, equal ones once: trials often give the same answer."""
    found = {(c.benchmark, c.id, c.prediction, c.new): c for e in compared for c in e.cases}
    return list(found.values())


def _case(case: Case) -> str:
    answer = "no answer" if case.prediction is None else f"answer {_short(case.prediction)}"
    where = f"{case.benchmark} {printable(case.id)}"
    return f"{where}: reference {_short(case.gold)}, {answer}: {case.old} -> {case.new}"


def _short(text: str) -> str:
    text = printable(text)
    return f"'{text}'" if len(text) <= LONGEST else f"'{text[: LONGEST - 3]}...'"


def _rollouts(told: Told) -> Iterator[str]:
    replays, stale = told.replays, told.stale
    if replays:
        changed = sum(r.rewards_changed for r in replays.values())
        rollouts = sum(r.rollouts for r in replays.values())
        before = len(replays) - told.replayed_now
        text = f"{counted(len(replays), 'trial')} replayed"
        text += f" ({before:,} before)" if before else ""
        adopted = len(replays) - len(stale)
        came = [f"{counted(adopted, 'run')} adopted"] if adopted else []
        came += [f"{len(stale):,} stale"] if stale else []
        text += f", {changed:,} of {rollouts:,} rewards change: {', '.join(came)}"
        yield f"rollouts: {text}"
        rounds: dict[int, list[str]] = {}
        for id_, replay in stale.items():
            rounds.setdefault(replay.first_changed_round or 0, []).append(id_)
        for round_, ids in sorted(rounds.items()):
            yield f"  {len(ids):,} stale from round {round_}: {listed(ids, 4)}"
    else:
        yield "rollouts: nothing to replay"
    if told.left_out:
        states = ", ".join(f"{n:,} {state}" for state, n in sorted(told.left_out.items()))
        yield f"  left out, as only finished trials count: {states}"


def as_data(name: str, told: Told) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "name": name,
        "grader": GRADER_VERSION,
        "evaluations": [
            {
                "benchmark": benchmark,
                "decoding": decoding,
                "evaluations": len(group),
                "answers": sum(c.n for c in group),
                "moved": sum(c.moved for c in group),
                "transitions": [
                    {"from": old, "to": new, "n": n}
                    for (old, new), n in _transitions(group).most_common()
                ],
                "accuracy": dict(zip(("before", "after"), _accuracy(group), strict=True)),
                "reproduces": all(c.reproduces is not False for c in group),
            }
            for (benchmark, decoding), group in _groups(told.compared).items()
        ],
        "cases": [asdict(case) for case in _cases(told.compared)],
        "rollouts": {id_: asdict(replay) for id_, replay in told.replays.items()},
        "stale": {id_: replay.first_changed_round for id_, replay in told.stale.items()},
        "left_out": dict(told.left_out),
        "problems": told.problems,
    }
