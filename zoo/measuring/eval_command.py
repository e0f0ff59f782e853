"""`zoo eval`: evaluates models, trials, folders and completions from elsewhere as trials are
evaluated: the same stages, ids and files. Existing results are reused.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from zoo.catalog import BenchmarkCard, ComputeProfile
from zoo.data import Problem, load, model_folder
from zoo.data.prompts import TOKENIZER
from zoo.errors import Fault, InputError
from zoo.evals import depth, external, stored
from zoo.evals.stages import Evaluator, Graders, Measurement, Sampler, sample_identity
from zoo.measuring.grade import Tick, ticking
from zoo.planning.disk_errors import started
from zoo.planning.machine import profile_of, visible_gpus
from zoo.planning.study import as_json, catalog_of
from zoo.planning.targets import Asked, Target, Targets
from zoo.render import eval_text
from zoo.render.eval_text import EvalRow
from zoo.resources import engine_gpus
from zoo.store import record
from zoo.store.run_store import Store, replacing
from zoo.store.stack import SIMULATED, stack
from zoo.trials.card_lookup import slug
from zoo.trials.trial import Evaluation, Trial
from zoo.yamlio.patterns import NAME

INTERRUPTED = 130
ELSEWHERE = "elsewhere"
"""The decoding label of completions from elsewhere."""


@dataclass(frozen=True)
class EvalOptions:
    """How it evaluates and what it prints."""

    completions: tuple[str, ...] = ()
    name: str | None = None
    profile: str | None = None
    cards: tuple[str, ...] = ()
    budgets: tuple[int, ...] = ()
    workers: int = 1
    detail: bool = False
    csv: str | None = None
    json_: bool = False


def run(words: Sequence[str], asked: Asked, how: EvalOptions) -> int:
    """Evaluate and print; returns the exit status."""
    if not words and not how.completions:
        raise InputError(Fault("eval", "nothing to evaluate", "MODEL, or --completions FILE"))
    catalog, store = catalog_of(how.cards), Store()
    targets = Targets(catalog, store)
    found = [targets.find(word, asked) for word in words]
    profile = profile_of(catalog, how.profile, 1)
    made = list(_completions(targets, asked, how))
    work = Work(store, profile, Graders(how.workers))
    work.check_gpus(found)
    rows: list[EvalRow] = []
    try:
        with started(), ticking() as tick:
            targets.resolver.save()
            targets.lengths.save()
            for target in found:
                rows += work.target(target, tick)
            rows += [work.external(one) for one in made]
            if how.budgets:
                tick("token budgets")
                rows = [work.budgets(row, how.budgets) for row in rows]
    except KeyboardInterrupt:
        click.echo("interrupted; the same command does what is left", err=True)
        return INTERRUPTED
    finally:
        work.graders.close()
    _print(rows, how)
    return 0


def _print(rows: Sequence[EvalRow], how: EvalOptions) -> None:
    if how.csv:
        with replacing(Path(how.csv)) as beside, beside.open("w", newline="") as stream:
            csv.writer(stream).writerows(eval_text.table(rows))
    if how.json_:
        click.echo(as_json([row.as_data() for row in rows]))
        return
    for line in eval_text.lines(rows, detail=how.detail):
        click.echo(line)
    if how.csv:
        click.echo(f"numbers: {how.csv}")


# -- completions from elsewhere -------------------------------------------------------------------


@dataclass(frozen=True)
class Elsewhere:
    """Completions of a file that was read and validated."""

    name: str
    card: BenchmarkCard
    digest: str
    problems: list[Problem]
    rows: list[external.GivenCompletion]
    each: int


def _completions(targets: Targets, asked: Asked, how: EvalOptions) -> Iterator[Elsewhere]:
    """The completions of `--completions`, all read: one benchmark for all."""
    if not how.completions:
        return
    names = [name for word in asked.on for name in word.split(",") if name]
    if len(names) != 1:
        raise InputError(Fault("--on", f"{len(names)} benchmarks", "the one that was answered"))
    card = targets.benchmark(names[0])
    problems = load(card, targets.store.cache)[: asked.problems]
    digest = targets.resolver.problems(card)
    if how.name and (len(how.completions) > 1 or not re.fullmatch(NAME, how.name)):
        expected = "one name for one file: small letters, digits, `.`, `_`, `-`"
        raise InputError(Fault("--name", f"'{how.name}'", expected))
    for file in how.completions:
        rows, each = external.read(Path(file), problems)
        yield Elsewhere(how.name or slug(file), card, digest, problems, rows, each)


# -- measuring ------------------------------------------------------------------------------------


@dataclass
class Work:
    """Evaluates into one store."""

    store: Store
    profile: ComputeProfile
    graders: Graders

    def target(self, target: Target, tick: Tick) -> list[EvalRow]:
        """All evaluations of a policy; a separate process generates the samples."""
        self.sample_all([target], tick)
        graded = zip(target.trial.evaluations, self.grade(target, tick), strict=True)
        return [self._row(target.name, evaluation, one, target) for evaluation, one in graded]

    def check_gpus(self, targets: Sequence[Target]) -> None:
        """Check that this machine has the GPUs for the engines of missing samples.

        Raises:
            InputError: it has fewer.
        """
        for target in targets:
            trial, profile = target.trial, self.profile
            needs = engine_gpus(trial, profile, target.longest_prompt)
            if trial.simulated or needs <= 1 or not self.missing(target):
                continue
            if needs > (there := len(visible_gpus(profile))):
                model = trial.start.name if target.round == 0 else trial.model.name
                found = f"an engine of {model} needs {needs:g} GPUs, this machine has {there}"
                raise InputError(
                    Fault(f"--on {profile.name}", found, hint="choose another profile")
                )

    def sample_all(self, targets: Sequence[Target], tick: Tick) -> None:
        """Take what samples are missing of policies with the same weights."""
        jobs = [
            replace(target, trial=target.trial.model_copy(update={"evaluations": missing}))
            for target in targets
            if (missing := self.missing(target))
        ]
        if jobs:
            self.sample(jobs, tick)

    def grade(self, target: Target, tick: Tick) -> list[Measurement]:
        """The evaluations of a policy whose samples are stored."""
        trial, found = target.trial, list[Measurement]()
        with closing(self._evaluator(trial, target.lineage)) as bench:
            for evaluation in trial.evaluations:
                tick(f"{target.name}: grading {_what(evaluation)}")
                known = dict(target.known).get(evaluation.key)
                if known and self._has("samples", known):
                    policy, each = evaluation.benchmark.extract, evaluation.samples
                    found.append(bench.score(known, policy, each, target.round))
                else:
                    found.append(bench.measure(evaluation, target.round, _no_sampler))
        return found

    def sample_ids(self, target: Target) -> list[str]:
        """Ids of the samples of each evaluation of a policy."""
        trial, known = target.trial, dict(target.known)
        born, stack_ = self.store.train(trial.id).name, self.stack(trial)
        return [
            kept
            if (kept := known.get(e.key, "")) and self._has("samples", kept)
            else sample_identity(trial, e, target.round, stack_, target.lineage, born)[0]
            for e in trial.evaluations
        ]

    def missing(self, target: Target) -> tuple[Evaluation, ...]:
        """Evaluations of a policy whose responses are not in the store."""
        pairs = zip(target.trial.evaluations, self.sample_ids(target), strict=True)
        return tuple(e for e, sample in pairs if not self._has("samples", sample))

    def sample(self, targets: Sequence[Target], tick: Tick) -> None:
        """Take the samples of policies with the same weights, in one process; of simulated ones
        here."""
        from zoo.train.evaluate import EvaluationJob, measure

        first = targets[0]
        trials = tuple(target.trial for target in targets)
        prompts = [t.longest_prompt for t in targets if t.longest_prompt]
        job = EvaluationJob(
            self.store,
            self.profile,
            trials,
            first.round,
            first.weights,
            first.lineage,
            max(prompts, default=None),
        )
        total, done, text = sum(len(trial.evaluations) for trial in trials), 0, "starting"

        def say(event: dict[str, Any]) -> None:
            nonlocal done, text
            if place := event.get("begin"):
                trial = trials[place["trial"]]
                evaluation = trial.evaluations[place["evaluation"]]
                prompt = f" {trial.prompt.name}" if len(trials) > 1 else ""
                what = f"{_what(evaluation)}{prompt}"
                text = f"{first.name}: sampling {what} ({done + 1} of {total})"
            done += "done" in event
            tick(text)

        if first.trial.simulated:
            measure(job, say)
            return
        from zoo.orchestrate import evaluation as process

        name = slug(first.name)
        events = process.run(job.as_json(), name, self.store, self.profile, lambda: tick(text))
        try:
            for event in events:
                say(event)
        finally:
            events.close()

    def external(self, made: Elsewhere) -> EvalRow:
        """Store and grade completions from elsewhere."""
        benchmark = (made.card.name, made.digest)
        id_ = external.keep(self.store, made.name, benchmark, made.problems, made.rows, made.each)
        trial = Trial.model_construct(id=made.name, trainer="external", rehearsal=False)
        with closing(self._evaluator(trial, 1)) as bench:
            found = bench.score(id_, made.card.extract, made.each, 0)
        kept = stored.answered(self.store, id_, found.scores, made.problems, made.card.name)
        return EvalRow(made.name, made.card.name, ELSEWHERE, found, depth.summary(kept), True)

    def budgets(self, row: EvalRow, budgets: Sequence[int]) -> EvalRow:
        """A row with its accuracy under token budgets, where token ids are stored."""
        if row.target is None or row.evaluation is None or row.target.trial.simulated:
            return row
        target, evaluation = row.target, row.evaluation
        model = target.trial.start if target.round == 0 else target.trial.model
        file = model_folder(model) / TOKENIZER
        if not file.is_file():
            return row
        from zoo.data.tokens import decode

        problems = self.problems(evaluation)
        sample, scores = row.measured.samples, row.measured.scores
        kept = stored.answered(self.store, sample, scores, problems, evaluation.benchmark.name)
        golds = [problem.answer for problem in problems]
        grader = self.graders(evaluation.benchmark.extract)
        found = stored.by_budget(kept, golds, budgets, partial(decode, file), grader)
        said = {str(budget): estimate.row() for budget, estimate in found.items()}
        return replace(row, summary=row.summary | {"budget": said})

    def problems(self, evaluation: Evaluation) -> list[Problem]:
        """The problems that an evaluation is of."""
        return load(evaluation.benchmark, self.store.cache)[: evaluation.problems]

    def stack(self, trial: Trial) -> dict[str, str]:
        """The software stack that generates a trial's samples here."""
        return (
            SIMULATED
            if trial.simulated
            else stack(self.profile.engine, dict(os.environ) | self.profile.env)
        )

    def _row(
        self, name: str, evaluation: Evaluation, found: Measurement, target: Target
    ) -> EvalRow:
        benchmark = evaluation.benchmark.name
        kept = stored.answered(
            self.store, found.samples, found.scores, self.problems(evaluation), benchmark
        )
        summary, decoding = depth.summary(kept), evaluation.decoding_name
        return EvalRow(name, benchmark, decoding, found, summary, False, target, evaluation)

    def _evaluator(self, trial: Trial, lineage: int) -> Evaluator:
        bench = Evaluator(
            self.store,
            trial,
            self.stack(trial),
            durable=not trial.simulated,
            graders=self.graders,
        )
        bench.lineage = lineage
        return bench

    def _has(self, stage: Any, id_: str) -> bool:
        found = record.read(self.store.folder(stage, id_)) if id_ else None
        return found is not None and found.done()


def _no_sampler() -> Sampler:
    raise AssertionError("the samples were just generated")


def _what(evaluation: Evaluation) -> str:
    return f"{evaluation.benchmark.name} {evaluation.decoding_name}"
