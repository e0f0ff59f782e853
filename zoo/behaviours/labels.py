"""Labels of a stored set of responses as a stage: an id from its inputs, done once.

The inputs are (samples, version of the keywords), or for a judge (samples, judge model, digest of
the prompt, settings). A judge's answers are also cached one by one, so that an interrupted run is
resumed, and equal responses cost one call.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.behaviours import judge_model as judging
from zoo.behaviours import keywords
from zoo.behaviours.endpoint import Endpoint
from zoo.behaviours.judge_model import Judgement
from zoo.behaviours.keywords import BEHAVIOURS
from zoo.store import record as records
from zoo.store.parquet import read_parquet, write_parquet
from zoo.store.record import Record
from zoo.store.run_store import Store, claim, read_json, write_json
from zoo.trials import identity

CHARS_PER_TOKEN = 4
"""For the estimate of a judge's cost."""
REPLY_TOKENS = 120
Labels = list[frozenset[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """One response and its prompt."""

    prompt: str
    text: str


@dataclass(frozen=True)
class Judge:
    """A judge model behind an endpoint, with a cache."""

    endpoint: Endpoint
    cache: Path
    parallel: int = 4

    @property
    def detector(self) -> dict[str, Any]:
        """The settings that affect its labels; neither the endpoint nor the key."""
        said = {"prompt": judging.PROMPT_DIGEST, "settings": judging.SETTINGS}
        return {"judge": self.endpoint.model, **said}

    def cached(self, question: Question) -> Judgement | None:
        """Its cached answer to an equal prompt; a broken file counts as none."""
        try:
            return Judgement.of_row(read_json(self._file(question)))
        except (ValueError, OSError):
            return None

    def ask(self, question: Question) -> Judgement:
        """Its judgement of a response.

        Raises:
            StateError: it gave no usable answer.
        """
        if (found := self.cached(question)) is not None:
            return found
        asked = judging.messages(question.prompt, question.text)
        found = self.endpoint.ask(
            asked, judging.SETTINGS, lambda reply: judging.parse(reply, question.text)
        )
        write_json(self._file(question), found.row(), durable=False)
        return found

    def _file(self, question: Question) -> Path:
        said = json.dumps([self.detector, question.prompt, question.text])
        key = hashlib.sha256(said.encode()).hexdigest()
        return self.cache / key[:2] / f"{key}.json"


@dataclass(frozen=True, slots=True)
class Price:
    """Expected cost of a judge. Tokens are estimated at four characters each."""

    calls: int
    tokens_in: int
    tokens_out: int

    def usd(self, per_million: tuple[float, float]) -> float:
        """In US dollars, at these prices of a million tokens in and out."""
        return (self.tokens_in * per_million[0] + self.tokens_out * per_million[1]) / 1e6


def price(judge: Judge, questions: Sequence[Question]) -> Price:
    """What judging costs that is not in the cache."""
    new = {question for question in questions if judge.cached(question) is None}
    chars = sum(
        len(message["content"])
        for question in new
        for message in judging.messages(question.prompt, question.text)
    )
    return Price(len(new), chars // CHARS_PER_TOKEN, len(new) * REPLY_TOKENS)


def questions(store: Store, sample_id: str, limit: int | None = None) -> list[Question]:
    """The first `limit` responses of a stored set (None = all).

    Raises:
        StateError: they are gone or cannot be read.
    """
    rows = read_parquet(store.completions(sample_id), ["prompt", "text"])
    pairs = list(zip(rows["prompt"], rows["text"], strict=True))[:limit]
    return [Question(*pair) for pair in pairs]


def label(
    store: Store,
    sample_id: str,
    limit: int | None,
    judge: Judge | None,
    tick: Callable[[int, int], None] = lambda done, of: None,
) -> Labels:
    """The behaviours of each of the first `limit` responses of a set, computed or read from the
    store.

    Args:
        judge: None = by keywords.
        tick: called with the number of judged responses, and of all.
    """
    detector = {"keywords": keywords.VERSION} if judge is None else judge.detector
    payload: dict[str, Any] = {
        "identity": identity.IDENTITY_VERSION,
        "stage": "behaviours",
        "sample": sample_id,
        "responses": limit,
        "detector": detector,
    }
    id_ = f"{sample_id.rpartition('-')[0]}-{identity.digest(payload)}"
    folder = store.folder("behaviours", id_)
    if (found := _read(folder)) is not None:
        return found
    with claim(folder):
        if (found := _read(folder)) is not None:
            return found
        started, clock = time.time(), time.monotonic()
        asked = questions(store, sample_id, limit)
        if judge is None:
            labels, unquoted = [keywords.detect(question.text) for question in asked], 0
        else:
            judged = _judge(judge, asked, tick)
            labels = [judgement.behaviours for judgement in judged]
            unquoted = sum(len(judgement.unquoted) for judgement in judged)
        write_json(folder / "behaviours.json", {"identity": payload})
        columns = {name: [name in shown for shown in labels] for name in BEHAVIOURS}
        write_parquet(folder / "labels.parquet", columns)
        n = len(labels)
        ratios = {name: sum(shown) / n if n else None for name, shown in columns.items()}
        made = Record(
            form=records.FORM,
            id=id_,
            stage="behaviours",
            state="done",
            round=0,
            metrics={**ratios, "n": float(n), "unquoted": float(unquoted)},
            identity=payload,
            started=started,
            seconds=round(time.monotonic() - clock, 3),
            about={"samples": sample_id, "detector": detector},
        )
        records.write(folder, made)
        return labels


def _read(folder: Path) -> Labels | None:
    found = records.read(folder)
    if found is None or not found.done():
        return None
    columns = read_parquet(folder / "labels.parquet", list(BEHAVIOURS))
    rows = zip(*(columns[name] for name in BEHAVIOURS), strict=True)
    return [
        frozenset(name for name, shown in zip(BEHAVIOURS, row, strict=True) if shown)
        for row in rows
    ]


def _judge(
    judge: Judge, asked: Sequence[Question], tick: Callable[[int, int], None]
) -> list[Judgement]:
    """Judgements in order; several calls at a time. The first error ends it; finished judgements
    are kept.

    The threads are daemons: an interruption does not wait for running calls.
    """
    distinct = list(dict.fromkeys(asked))
    left, found = iter(distinct), dict[Question, Judgement]()
    results: queue.SimpleQueue[tuple[Question, Judgement | Exception]] = queue.SimpleQueue()
    lock, stop = threading.Lock(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            with lock:
                question = next(left, None)
            if question is None:
                return
            try:
                results.put((question, judge.ask(question)))
            except Exception as error:
                results.put((question, error))

    for _ in range(min(judge.parallel, len(distinct))):
        threading.Thread(target=work, daemon=True).start()
    try:
        while len(found) < len(distinct):
            question, result = results.get()
            if isinstance(result, Exception):
                raise result
            found[question] = result
            tick(len(found), len(distinct))
    finally:
        stop.set()
    return [found[question] for question in asked]
