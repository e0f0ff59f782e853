"""What a plan warns of: nothing here is refused, all of it can spoil a study.

One sentence a warning, which says what to do, and one warning for all trials that share a cause.
Looks at each distinct cell once, so ten thousand trials cost little more than a hundred. Claims
have a module of their own (`zoo.manifest.warn_claims`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zoo.catalog import BenchmarkCard, DataCard, ModelCard
from zoo.errors import did_you_mean
from zoo.manifest.identity import UNPINNED
from zoo.manifest.limits import Budget, Tripwire
from zoo.manifest.metrics import Metric
from zoo.manifest.trial import Evaluation, Trial

PROMPT_TOKENS = 1024
"""Room for a prompt, in tokens (the study: train_grpo_math_tune_ray.sh:L25; its engine asserts that
context holds prompt and response, vllm_rollout.py:L90-91)."""
HOURS = {"gpu_hours": "GPU-hours", "usd": "USD", "disk_gib": "GiB of disk", "hours": "hours"}


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One thing to know before paying."""

    id: str
    """The cause in a word or two: `unpinned-model`."""
    text: str
    """A sentence with what to do."""
    where: str
    """What it touches: `27 trials`, `claim format-hurts`."""

    def as_data(self) -> dict[str, Any]:
        """The plan's row for programs."""
        return asdict(self)


def warnings(
    trials: Sequence[Trial],
    *,
    metrics: Mapping[str, Metric],
    tripwires: Sequence[Tripwire] = (),
    budget: Budget | None = None,
    estimate: Mapping[str, float] | None = None,
) -> list[PlanWarning]:
    """All warnings about cards, settings, evaluation, tripwires and budget.

    `estimate` has what the plan expects to spend, under the names of `Budget`.
    """
    groups = _groups(trials)
    evaluations = {id(e): e for g in groups.values() for e in g.first.evaluations}
    found = _models(list(groups.values()))
    found += _data(list(groups.values()), list(evaluations.values()))
    found += _lengths(list(groups.values()))
    found += _boxes(list(groups.values()))
    found += _tripwires(tripwires, metrics)
    return found + _budget(budget, estimate or {})


@dataclass(slots=True)
class _Group:
    """Trials that share cards and cap."""

    first: Trial
    trials: int = 0


def _groups(trials: Sequence[Trial]) -> dict[Any, _Group]:
    groups: dict[Any, _Group] = {}
    for trial in trials:
        cards = (trial.model.name, trial.prompt.name, trial.reward.name, trial.data.name)
        key = (*cards, trial.grpo.get("max_completion_length"))
        groups.setdefault(key, _Group(trial)).trials += 1
    return groups


def _count(groups: Iterable[_Group]) -> str:
    n = sum(group.trials for group in groups)
    return f"{n:,} trial{'s'[: n != 1]}"


def _names(names: Iterable[str]) -> str:
    """`a, b, c`, each once; `a, b, c, d, e and 3 more`."""
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - 5} more" if len(distinct) > 6 else ""
    return ", ".join(distinct[:5] if more else distinct) + more


# -- models ---------------------------------------------------------------------------------------


def _models(groups: list[_Group]) -> list[PlanWarning]:
    def of(id_: str, text: str, wrong: list[_Group]) -> list[PlanWarning]:
        names = list(dict.fromkeys(group.first.model.name for group in wrong))
        said = text.format(names=_names(names), words=" ".join(names))
        return [PlanWarning(id_, said, _count(wrong))] if wrong else []

    def where(test: Any) -> list[_Group]:
        return [group for group in groups if test(group.first.model)]

    return [
        *of(
            "unpinned-model",
            "not pinned to a commit: {names}; a sweep refuses them until `zoo models pin {words}`",
            where(lambda card: not card.pinned),
        ),
        *of(
            "gated-model",
            "gated on the hub: {names}; accept the licence there and set HF_TOKEN before fetching",
            where(lambda card: card.gated),
        ),
        *of(
            "no-stop",
            "neither end tokens nor stop ids are known: {names}; responses may run into the cap, "
            "so set `eos_ids` or `stop_ids` on the card",
            where(_endless),
        ),
    ]


def _endless(card: ModelCard) -> bool:
    return not card.embedded and not card.eos_ids and not card.stop_ids


# -- data and benchmarks --------------------------------------------------------------------------


def _data(groups: list[_Group], evaluations: list[Evaluation]) -> list[PlanWarning]:
    found: list[PlanWarning] = []
    fetched = [g for g in groups if _unknown(g.first.data, g.first.data_digest)]
    if fetched:
        names = list(dict.fromkeys(group.first.data.name for group in fetched))
        text = f"not known by content yet: {_names(names)}; run `zoo data fetch {' '.join(names)}`"
        found.append(PlanWarning("unpinned-data", text, _count(fetched)))
    names = list(
        dict.fromkeys(e.benchmark.name for e in evaluations if _unknown(e.benchmark, e.digest))
    )
    if names:
        text = f"not known by content yet: {_names(names)}; run `zoo data fetch {' '.join(names)}`"
        where = f"{len(names)} benchmark{'s'[: len(names) != 1]}"
        found.append(PlanWarning("unpinned-benchmark", text, where))
    return found + _leaks(groups)


def _unknown(card: DataCard | BenchmarkCard, digest: str) -> bool:
    """Whether the problems behind a card are not settled; local ones are read when needed."""
    return digest == UNPINNED and card.pocket is None and card.local is None


def _leaks(groups: list[_Group]) -> list[PlanWarning]:
    """Benchmarks whose problems, or siblings of them, are trained on."""
    wrong: dict[tuple[str, str], list[_Group]] = {}
    benches = {id(g.first.evaluations): _overlapping(g.first.evaluations) for g in groups}
    for group in groups:
        data = group.first.data
        held = {data.name, *(part.data for part in data.built.parts)} if data.built else {data.name}
        for card in benches[id(group.first.evaluations)]:
            if card.name not in data.filters.overlap:
                for name in sorted(held & card.overlaps.keys()):
                    wrong.setdefault((card.name, card.overlaps[name]), []).append(group)
    return [
        PlanWarning(
            "leak",
            f"{bench} overlaps with the training data {_names(g.first.data.name for g in same)} "
            f"({how}); leave it out of claims, or filter the data "
            f"(`filters: {{overlap: [{bench}]}}` on its card)",
            _count({id(g): g for g in same}.values()),
        )
        for (bench, how), same in wrong.items()
    ]


def _overlapping(evaluations: Iterable[Evaluation]) -> list[BenchmarkCard]:
    return list(
        {e.benchmark.name: e.benchmark for e in evaluations if e.benchmark.overlaps}.values()
    )


# -- lengths and formats --------------------------------------------------------------------------


def _lengths(groups: list[_Group]) -> list[PlanWarning]:
    """Responses that the model's context cannot hold beside a prompt."""
    training: dict[tuple[str, int], list[_Group]] = {}
    measuring: dict[tuple[str, str, int], list[_Group]] = {}
    for group in groups:
        trial = group.first
        context = trial.model.context
        if context is None:
            continue
        if trial.cap + PROMPT_TOKENS > context:
            training.setdefault((trial.model.name, trial.cap), []).append(group)
        longest = {
            e.decoding_name: e.decoding.max_tokens
            for e in trial.evaluations
            if e.decoding.max_tokens and e.decoding.max_tokens + PROMPT_TOKENS > context
        }
        for decoding, tokens in longest.items():
            measuring.setdefault((trial.model.name, decoding, tokens), []).append(group)
    return [
        *(
            PlanWarning("cap-over-context", _too_long(f"a cap of {cap:,}", same), _count(same))
            for (_, cap), same in training.items()
        ),
        *(
            PlanWarning(
                "evaluation-over-context",
                _too_long(f"max_tokens {tokens:,} of decoding {decoding}", same),
                _count(same),
            )
            for (_, decoding, tokens), same in measuring.items()
        ),
    ]


def _too_long(what: str, same: list[_Group]) -> str:
    model = same[0].first.model
    context = model.context or 0
    room = max(context - PROMPT_TOKENS, 0)
    return (
        f"{what} and {PROMPT_TOKENS:,} tokens of prompt are over the context of {model.name} "
        f"({context:,}); set it to {room:,} at most"
    )


def _boxes(groups: list[_Group]) -> list[PlanWarning]:
    wrong: dict[tuple[str, str], list[_Group]] = {}
    for group in groups:
        reward, prompt = group.first.reward, group.first.prompt
        if reward.needs_box and not prompt.asks_for_box:
            wrong.setdefault((reward.name, prompt.name), []).append(group)
    return [
        PlanWarning(
            "box-not-asked",
            f"reward {reward} needs a box that prompt {prompt} does not ask for "
            f"({_names(g.first.model.name for g in same)}); take a prompt that asks, or expect the "
            "reward to teach the format first",
            _count(same),
        )
        for (reward, prompt), same in wrong.items()
    ]


# -- tripwires and budget -------------------------------------------------------------------------


def _tripwires(tripwires: Sequence[Tripwire], metrics: Mapping[str, Metric]) -> list[PlanWarning]:
    found: list[PlanWarning] = []
    for wire in tripwires:
        metric, where = metrics.get(wire.metric), f"tripwire on {wire}"
        if metric is None:
            hint = did_you_mean(wire.metric, list(metrics)) or "check its name in TRL"
            text = f"{wire.metric} is no metric that zoo knows, so it may never trip; {hint}"
            found.append(PlanWarning("unknown-tripwire", text, where))
        elif wire.then == "stop" and wire.metric.startswith("eval/"):
            judged = [part.split("/")[1] for part in metric.parts if _final(part, metrics)]
            if judged:
                text = (
                    f"{_names(judged)} decides when a trial stops and also measures it; stop by a "
                    "benchmark that no final number rests on, or only `mark`"
                )
                found.append(PlanWarning("leak-by-choice", text, where))
    return found


def _final(name: str, metrics: Mapping[str, Metric]) -> bool:
    """Whether a final number is measured on the benchmark of this metric."""
    head = "/".join(name.split("/")[:2]) + "/"
    return any(m.startswith(head) and metric.final is not None for m, metric in metrics.items())


def _budget(budget: Budget | None, estimate: Mapping[str, float]) -> list[PlanWarning]:
    if budget is None:
        return []
    return [
        PlanWarning(
            "over-budget",
            f"{estimate[name]:,.0f} {HOURS[name]} are planned, {limit:,.0f} are in the budget; "
            "cut the grid, the rounds or the seeds, or raise it",
            f"budget {name}",
        )
        for name, limit in budget.stated.items()
        if estimate.get(name, 0) > limit
    ]
