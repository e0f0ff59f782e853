"""A stored, graded set of responses as `zoo.evals.depth` takes it, and its accuracy under smaller
token budgets. Samples nothing; reads the run store."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from zoo.data import Problem
from zoo.errors import StateError
from zoo.evals.depth import Answered, Response, avg, responses_of
from zoo.evals.probing import ids_of
from zoo.grading import Grader, Item, Verdict
from zoo.stats.jackknife import JackknifeEstimate
from zoo.store.parquet import read_parquet
from zoo.store.run_store import Store

_ROW_ID = re.compile(r"^(.*)-\d+-[0-9a-f]{12}$")
Decode = Callable[[list[list[int]]], list[str]]
"""Texts of token ids, without special tokens."""


def answered(
    store: Store, sample_id: str, score_id: str, problems: Sequence[Problem], benchmark: str
) -> list[Answered]:
    """The problems of a stored set with their graded responses.

    Raises:
        StateError: a file is gone, cannot be read, or does not fit the other.
    """
    rows = read_parquet(store.completions(sample_id), ["id", "text", "token_ids", "finish"])
    graded = read_parquet(store.verdicts(score_id), ["id", "verdict", "prediction"])
    if graded["id"] != rows["id"]:
        raise StateError(f"{store.verdicts(score_id)} is of other completions; grade again")
    levels = {problem.id: problem.level for problem in problems}
    verdicts = map(Verdict, graded["verdict"])
    responses = responses_of(rows, verdicts, graded["prediction"])
    pairs = zip(map(str, rows["id"]), responses, strict=True)
    return [
        Answered(id_, levels.get(id_, ""), source(id_, benchmark), tuple(r for _, r in same))
        for id_, same in groupby(pairs, key=lambda pair: pair[0])
    ]


def source(problem_id: str, benchmark: str) -> str:
    """The source file of a problem, from its id; the benchmark if the id has none."""
    found = _ROW_ID.match(problem_id)
    return found[1] if found else benchmark


def by_budget(
    problems: Sequence[Answered],
    golds: Sequence[str],
    budgets: Sequence[int],
    decode: Decode,
    grader: Grader,
) -> dict[int, JackknifeEstimate]:
    """Accuracy after every response is cut to a number of tokens and graded again. Responses within
    a budget keep their verdict. `golds`: one per problem.

    This is not the accuracy of a model that was prompted with the budget: it is what the stored
    responses had reached by then.
    """
    found: dict[int, JackknifeEstimate] = {}
    for budget in budgets:
        over = [
            (at, index)
            for at, problem in enumerate(problems)
            for index, response in enumerate(problem.responses)
            if len(response.tokens) > budget
        ]
        texts = decode([ids_of(problems[at].responses[index])[:budget] for at, index in over])
        items = [Item(golds[at], text) for (at, _), text in zip(over, texts, strict=True)]
        results = grader.grade(items).results
        again = {
            place: Response(result.verdict, result.prediction, text, budget, "length")
            for place, result, text in zip(over, results, texts, strict=True)
        }
        cut = [
            Answered(
                problem.id,
                problem.level,
                problem.source,
                tuple(
                    again.get((at, index), response)
                    for index, response in enumerate(problem.responses)
                ),
            )
            for at, problem in enumerate(problems)
        ]
        found[budget] = avg(cut)
    return found
