"""`zoo audition`: a round-0 probe of a base model over prompts, decodings and buckets. Reports its
answers, how its responses end and what follows an answer, and proposes prompt, stop ids, max
response length and bucket in a commented card. Samples are stored like those of `zoo eval`, so a
second call only reads.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from zoo.catalog import BenchmarkCard, DataCard, ModelCard, ProblemCard, PromptCard
from zoo.data import load
from zoo.errors import Fault, InputError, printable
from zoo.evals import depth, probing, stored
from zoo.evals.stages import Graders, Measurement
from zoo.manifest.schema import Decoding
from zoo.measuring.audition_proposal import SAMPLED, Probe, Verbatim, propose, verbatim_text
from zoo.measuring.eval_command import INTERRUPTED, Work
from zoo.measuring.grade import Tick, ticking
from zoo.planning.disk_errors import started
from zoo.planning.machine import profile_of
from zoo.planning.study import catalog_of, shown
from zoo.planning.targets import Asked, Target, Targets
from zoo.render.card_text import Proposal, card_text
from zoo.render.eval_text import percent
from zoo.store.parquet import read_parquet
from zoo.store.run_store import Store, write_text
from zoo.trials.trial import Evaluation
from zoo.yamlio.patterns import NAME

PROMPTS = ("simple", "boxed", "none")
PROBE_CAP = 1024
GREEDY = "t0"
VERBATIM_TOKENS = 128
VERBATIM = "-verbatim"
"""Ends the names of sets of cut questions."""
CARDS = Path("cards/models")


@dataclass(frozen=True)
class AuditionOptions:
    """Settings of a probe."""

    prompts: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    problems: int = 32
    samples: int = 4
    cap: int | None = None
    as_: str | None = None
    profile: str | None = None
    cards: tuple[str, ...] = ()
    simulated: bool = False


def run(word: str, how: AuditionOptions) -> int:
    """Probe, print and write the card; returns the exit status."""
    catalog, store = catalog_of(how.cards), Store()
    targets = Targets(catalog, store)
    card = targets.model(word)
    name = how.as_ or card.name
    if not re.fullmatch(NAME, name):
        expected = "small letters, digits, `.`, `_`, `-`"
        raise InputError(Fault("--as", f"the name '{name}'", expected))
    path = CARDS / f"{name}.yaml"
    if path.exists():
        found, hint = "a card is there, and is never overwritten", "--as NAME"
        raise InputError(Fault(str(path), found, hint=hint))
    buckets = [_bucket(targets, one) for one in how.data or _default_buckets(card)]
    prompts = [targets.prompt(p) for p in how.prompts or _default_prompts(card)]
    limit = how.cap or max(min(card.cap, PROBE_CAP), 2 * card.cap if card.cap < 256 else 0)
    probes = [_target(targets, card, prompt, buckets, limit, how) for prompt in prompts]
    known = [targets.benchmark(one) for one in how.benchmarks]
    halves = Halves(targets, [*buckets, *known], how.problems)
    work = Work(store, profile_of(catalog, how.profile, 1), Graders())
    work.check_gpus(probes)
    try:
        with started(), ticking() as tick:
            targets.resolver.save()
            targets.lengths.save()
            completing = halves.target(card, how)
            work.sample_all([*probes, *([completing] if completing else [])], tick)
            found = [
                _probe(work, target, evaluation, measured)
                for target in probes
                for evaluation, measured in zip(
                    target.trial.evaluations, work.grade(target, tick), strict=True
                )
            ]
            verbatim = _verbatim(work, completing, halves, tick)
            proposal = propose(work, card, found, limit, verbatim, simulated=how.simulated)
    except KeyboardInterrupt:
        click.echo("interrupted; the same command does what is left", err=True)
        return INTERRUPTED
    finally:
        work.graders.close()
    for line in _lines(found, verbatim, proposal, simulated=how.simulated):
        click.echo(line)
    if how.simulated:
        return 0
    write_text(path, card_text(card, name, proposal))
    click.echo(f"card: {shown(path)}")
    return 0


# -- what is probed -------------------------------------------------------------------------------


def _default_prompts(card: ModelCard) -> list[str]:
    return list(dict.fromkeys([card.prompt, *PROMPTS]))


def _default_buckets(card: ModelCard) -> list[str]:
    if card.embedded:
        return ["pocket-easy", "pocket-medium", "pocket-hard"]
    return ["simplerl-easy", "simplerl-medium", "simplerl-hard"]


def _bucket(targets: Targets, name: str) -> BenchmarkCard:
    """A training set, read as a benchmark is."""
    return _as_benchmark(targets.catalog.get(DataCard, name, "--data"))


def _as_benchmark(card: ProblemCard) -> BenchmarkCard:
    said = {key: getattr(card, key) for key in ProblemCard.model_fields}
    return BenchmarkCard.model_validate(said | {"schema": "benchmark/1"})


def _target(
    targets: Targets,
    card: ModelCard,
    prompt: PromptCard,
    buckets: Sequence[BenchmarkCard],
    limit: int,
    how: AuditionOptions,
) -> Target:
    """A prompt with all buckets; without the card's own stop ids, to see what these are for."""
    evaluations = [
        Evaluation(
            benchmark=bucket,
            digest=targets.resolver.problems(bucket),
            problems=min(how.problems, targets.resolver.size(bucket) or how.problems),
            samples=how.samples if decoding == SAMPLED else 1,
            decoding_name=decoding,
            decoding=Decoding(temperature=1.0 if decoding == SAMPLED else 0.0),
            rounds=(0,),
        )
        for bucket in buckets
        for decoding in (SAMPLED, GREEDY)
    ]
    asked = Asked((), prompt=prompt.name, cap=limit, stop_ids=(), simulated=how.simulated)
    return targets.of_model(card, tuple(evaluations), asked)


class Halves:
    """Truncated questions, as separate sets of problems (in the run store's cache)."""

    def __init__(self, targets: Targets, sets: Sequence[BenchmarkCard], most: int) -> None:
        self.targets = targets
        self.rests: dict[str, list[str]] = {}
        """The rest of each question, by set; none where no question is long enough."""
        self._firsts: dict[str, list[str]] = {}
        for card in sets:
            pairs = [probing.halves(p.question) for p in load(card, targets.store.cache)]
            kept = [pair for pair in pairs if pair is not None][:most]
            self._firsts[card.name] = [first for first, _ in kept]
            self.rests[card.name] = [rest for _, rest in kept]

    def target(self, card: ModelCard, how: AuditionOptions) -> Target | None:
        """The model that completes them greedily, without a prompt; None where there are none."""
        evaluations: list[Evaluation] = []
        for name, firsts in self._firsts.items():
            if not firsts:
                continue
            cut = self._card(name, firsts)
            one = Evaluation(
                benchmark=cut,
                digest=self.targets.resolver.problems(cut),
                problems=None,
                decoding_name=GREEDY,
                decoding=Decoding(temperature=0.0, max_tokens=VERBATIM_TOKENS),
                rounds=(0,),
            )
            evaluations.append(one)
        if not evaluations:
            return None
        asked = Asked((), prompt="none", stop_ids=(), simulated=how.simulated)
        return self.targets.of_model(card, tuple(evaluations), asked)

    def _card(self, name: str, firsts: list[str]) -> BenchmarkCard:
        text = "".join(json.dumps({"problem": first, "answer": "0"}) + "\n" for first in firsts)
        key = hashlib.sha256(text.encode()).hexdigest()[:12]
        path = self.targets.store.cache / "verbatim" / f"{name}-{key}.jsonl"
        if not path.is_file():
            write_text(path, text, durable=False)
        said = {"schema": "benchmark/1", "name": f"{name}{VERBATIM}", "local": {"path": str(path)}}
        return BenchmarkCard.model_validate(said)


# -- measuring ------------------------------------------------------------------------------------


def _probe(work: Work, target: Target, evaluation: Evaluation, found: Measurement) -> Probe:
    problems, bucket = work.problems(evaluation), evaluation.benchmark.name
    kept = stored.answered(work.store, found.samples, found.scores, problems, bucket)
    golds = [problem.answer for problem in problems]
    return Probe(target.trial.prompt, bucket, evaluation.decoding_name, found, kept, golds)


def _verbatim(work: Work, target: Target | None, halves: Halves, tick: Tick) -> list[Verbatim]:
    """Of each set; only the texts are used, nothing is graded."""
    samples: dict[str, str] = {}
    if target is not None:
        cut = [evaluation.benchmark.name for evaluation in target.trial.evaluations]
        samples = dict(zip(cut, work.sample_ids(target), strict=True))
    found: list[Verbatim] = []
    for name, rests in halves.rests.items():
        tick(f"verbatim {name}")
        sample, texts = samples.get(f"{name}{VERBATIM}"), list[str]()
        if sample is not None:
            texts = read_parquet(work.store.completions(sample), ["text"])["text"]
        pairs = zip(texts, rests, strict=True)
        found.append(Verbatim(name, len(texts), sum(probing.verbatim(*pair) for pair in pairs)))
    return found


# -- text -----------------------------------------------------------------------------------------


def _lines(
    found: Sequence[Probe], verbatim: Sequence[Verbatim], proposal: Proposal, *, simulated: bool
) -> Iterator[str]:
    if simulated:
        yield "SIMULATED: these numbers are no evidence about the model named."
    head = ("prompt", "bucket", "decoding", "accuracy % (95 %)", "box", "answered", "runs on")
    head = (*head, "no answer", "cut", "tokens", "mixed groups %")
    cells = [head, *(_cells(probe) for probe in found)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    for i, line in enumerate(cells):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield click.style(text.rstrip(), bold=i == 0)
    yield ""
    yield click.style("proposed", bold=True)
    values = {"prompt": proposal.prompt, "stop_ids": list(proposal.stop_ids)}
    for key, value in (values | {"cap": proposal.cap, "bucket": proposal.bucket}).items():
        yield f"  {key}: {value} ({printable(proposal.reasons[key])})"
    for one in verbatim:
        yield f"  {verbatim_text(one)}"


def _cells(probe: Probe) -> tuple[str, ...]:
    values, texts = probe.measured.values, depth.texts(probe.problems)
    ends = {name: _share(texts[f"ends/{name}"]) for name in depth.ENDINGS}
    sampled = probe.decoding == SAMPLED
    mixed = percent(depth.mixed_groups(probe.problems).row()) if sampled else ""
    return (
        *(probe.prompt.name, probe.bucket, probe.decoding),
        percent(depth.avg(probe.problems).row()),
        _share(values.get("box_ratio")),
        *(ends[name] for name in ("answered", "runs_on", "unanswered", "clipped")),
        "-" if (n := values.get("mean_length")) is None else f"{n:.0f}",
        mixed,
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
