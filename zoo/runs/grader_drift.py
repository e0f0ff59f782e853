"""A trial compared with the current grader: evaluations that another one graded, rollouts
that another one rewarded, and the result of a replay.

`runs/train/ID/regraded.json` is the result of the last replay, up to the round that it reached; the
record still names the grader that trained the run. Light; reads no parquet and grades nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import StateError
from zoo.grader_version import GRADER_VERSION
from zoo.store.record import Record
from zoo.store.run_store import read_json, write_json
from zoo.trials.trial import Trial

if TYPE_CHECKING:
    from zoo.rewards.replay import Replay

NAME = "regraded.json"
FIRST = "1"
"""The grader of index lines that do not name one: there was no other."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A trial compared with the current grader."""

    scores: frozenset[str] = frozenset()
    """Ids of scores in the index that are by another grader; trials share those of base models."""
    replay: bool = False
    """Whether it finished, was rewarded by another grader, and was not replayed to its end."""
    stale_from: int | None = None
    """The first round whose rewards the current grader changes."""


NOTHING = Standing()


def standing(
    trial: Trial, folder: Path | str, found: Record | None, index: Iterable[dict[str, Any]]
) -> Standing:
    """The comparison of a trial, from its folder, its record and its index (`evals.jsonl` rows).

    Raises:
        StateError: the result of the last replay cannot be read.
    """
    index, scores = list(index), frozenset[str]()
    if {row.get("grader", FIRST) for row in index} - {GRADER_VERSION}:
        scores = frozenset(row["scores"] for row in last_rows(index) if not is_present(row))
    if found is None or not found.finished() or trial.trainer == "external":
        return Standing(scores)
    replayed = present_replay(folder, found)
    rounds = to_replay(trial, found)
    whole = rounds == 0 or (replayed is not None and replayed.round >= rounds)
    return Standing(
        scores=scores,
        replay=not whole and found.about.get("grader", FIRST) != GRADER_VERSION,
        stale_from=replayed.first_changed_round if replayed else None,
    )


def last_rows(index: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of an index without those that a later line of the same measurement replaced."""
    return list({place(row): row for row in index}.values())


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    """The key of an evaluation within a trial."""
    return tuple(row.get(name) for name in ("round", "benchmark", "decoding", "problems", "each"))


def is_present(row: dict[str, Any]) -> bool:
    """Whether the scores of an index line are by the current grader."""
    return row.get("grader", FIRST) == GRADER_VERSION


def to_replay(trial: Trial, found: Record) -> int:
    """The last round whose rollouts a replay reads."""
    return min(trial.rounds, found.round)


def present_replay(folder: Path | str, record: Record) -> Replay | None:
    """The result so far of the current grader's replay of the recorded lineage; None where none
    was started.

    Raises:
        StateError: a file that cannot be read.
    """
    path = f"{folder}/{NAME}"
    try:
        if (data := read_json(path)) is None:
            return None
        from zoo.rewards.replay import Replay

        replayed = Replay(**data)
    except (ValueError, TypeError) as error:
        raise StateError(f"{path} cannot be read ({error}); remove it to replay again") from error
    if replayed.grader != GRADER_VERSION:
        return None
    one = record.form == 1  # there, rollouts of one lineage were kept
    return replayed if one or replayed.lineage == record.lineage else None


def write(folder: Path, found: Replay, *, durable: bool = True) -> None:
    """Store the result of a replay, atomically."""
    write_json(folder / NAME, asdict(found), durable=durable)
