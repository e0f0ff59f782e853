"""Warnings of a plan about its cards: models, data, lengths and formats.

Checks trials that share cards once, so ten thousand trials cost little more than a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.catalog import BenchmarkCard, DataCard, ModelCard
from zoo.data.questions import SharedProblems
from zoo.errors import listed
from zoo.lint.overlap_warnings import overlap_warnings
from zoo.lint.plan_warning import PlanWarning
from zoo.rewards.parameters import KINDS
from zoo.trials.identity import UNPINNED
from zoo.trials.trial import Evaluation, Trial

PROMPT_TOKENS = 1024
"""Room for a prompt, in tokens (the study: train_grpo_math_tune_ray.sh:L25; its engine asserts that
context holds prompt and response, vllm_rollout.py:L90-91)."""


CAP = "grpo.max_completion_length"
Prompts = Mapping[str, Mapping[str, int]]
"""Trial id -> setting that limits responses (`CAP`, `max_tokens_of`) -> tokens of the longest
prompt that they answer."""


def max_tokens_of(decoding: str) -> str:
    """The setting that limits the responses under a decoding, where it has one of its own."""
    return f"max_tokens of decoding {decoding}"


def card_warnings(
    trials: Sequence[Trial],
    overlaps: Sequence[SharedProblems] = (),
    study: Sequence[Trial] | None = None,
    prompts: Prompts | None = None,
) -> list[PlanWarning]:
    """All warnings about cards, settings and evaluation.

    Args:
        overlaps: of benchmarks with training data, found by content.
        study: all trials of the study, of which `trials` are some; None = the same.
        prompts: prompt lengths in tokens, where counted.
    """
    groups, seeds = list(_groups(trials).values()), len({trial.seed for trial in trials})
    whole = groups if study is None or study is trials else list(_groups(study).values())
    return [
        *_models(groups),
        *_seeds(groups, seeds),
        *_data(groups),
        *overlap_warnings(trials, overlaps),
        *_leaks(groups, overlaps),
        *_lengths(groups, prompts or {}),
        *_reward_caps(groups),
        *_boxes(groups, whole),
    ]


@dataclass(slots=True)
class _Group:
    """Trials that share cards, trainer, cap and evaluations."""

    first: Trial
    trials: int = 0
    cells: set[int] = field(default_factory=set)
    """Cells by identity: seeds of one share it."""

    @property
    def external(self) -> bool:
        """Whether it was trained elsewhere."""
        return self.first.trainer == "external"


def _groups(trials: Sequence[Trial]) -> dict[Any, _Group]:
    groups: dict[Any, _Group] = {}
    for trial in trials:
        cards = (trial.model.name, trial.prompt.name, trial.reward.name, trial.data.name)
        key = (*cards, trial.trainer, trial.grpo.get("max_completion_length"))
        if (group := groups.get(key)) is None:
            group = groups[key] = _Group(trial)
        group.trials += 1
        group.cells.add(id(trial.cell))
    return groups


def _count(groups: Iterable[_Group]) -> str:
    n = sum(group.trials for group in groups)
    return f"{n:,} trial{'s'[: n != 1]}"


# -- models ---------------------------------------------------------------------------------------


def _models(groups: list[_Group]) -> list[PlanWarning]:
    return [
        *_about(
            "unpinned-model",
            "{count} not pinned; a sweep refuses {them} until `zoo models pin {words}`",
            groups,
            lambda card: not card.pinned,
        ),
        *_about(
            "gated-model",
            "gated on the hub: {names}; accept the licence there and set HF_TOKEN before fetching",
            groups,
            lambda card: card.gated,
        ),
        *_about(
            "no-stop",
            "neither end tokens nor stop ids are known: {names}; responses may be cut at the max "
            "response length, so set `eos_ids` or `stop_ids` on the card",
            groups,
            _endless,
        ),
    ]


def _about(
    id_: str, text: str, groups: list[_Group], wrong: Callable[[ModelCard], bool]
) -> list[PlanWarning]:
    """One warning for all models, and bases of checkpoints, of which `wrong` is true."""
    used = [(card, g) for g in groups for card in (g.first.model, g.first.base) if card]
    found = [(card, group) for card, group in used if wrong(card)]
    if not found:
        return []
    words = {card.name: _word(card, group.first) for card, group in found}
    names = list(words)
    count, them = ("1 model is", "it") if len(names) == 1 else (f"{len(names)} models are", "them")
    said = text.format(names=listed(names), words=" ".join(words.values()), count=count, them=them)
    return [PlanWarning(id_, said, _count({id(g): g for _, g in found}.values()))]


def _word(card: ModelCard, trial: Trial) -> str:
    """A model's name in commands: its card, or `hf:org/name` as in the manifest."""
    said = trial.said.get("model", {}).get("path", "")
    return said if card is trial.model and said.startswith("hf:") else card.name


def _seeds(groups: list[_Group], seeds: int) -> list[PlanWarning]:
    """Checkpoints from elsewhere that are sampled again and again."""
    again = [group for group in groups if group.external]
    if seeds == 1 or not again:
        return []
    text = (
        "another seed of a checkpoint that was trained elsewhere only samples it again, greedily "
        "with the same responses; take one seed and more `samples`, which the base then has too"
    )
    return [PlanWarning("seeds-resample", text, _count(again))]


def _endless(card: ModelCard) -> bool:
    return not card.embedded and not card.eos_ids and not card.stop_ids


# -- data and benchmarks --------------------------------------------------------------------------


def _data(groups: list[_Group]) -> list[PlanWarning]:
    found: list[PlanWarning] = []
    evaluations = {id(e): e for group in groups for e in group.first.evaluations}.values()
    needed = [group for group in groups if not group.external]
    unread = [g for g in needed if _unknown(g.first.data, g.first.data_digest)]
    if unread:
        names = list(dict.fromkeys(group.first.data.name for group in unread))
        text = f"not known by content yet: {listed(names)}; run `zoo data fetch {' '.join(names)}`"
        found.append(PlanWarning("unpinned-data", text, _count(unread)))
    names = list(
        dict.fromkeys(e.benchmark.name for e in evaluations if _unknown(e.benchmark, e.digest))
    )
    if names:
        text = f"not known by content yet: {listed(names)}; run `zoo data fetch {' '.join(names)}`"
        where = f"{len(names)} benchmark{'s'[: len(names) != 1]}"
        found.append(PlanWarning("unpinned-benchmark", text, where))
    return found


def _unknown(card: DataCard | BenchmarkCard, digest: str) -> bool:
    """Whether the problems behind a card are not settled; local ones are read when needed."""
    return digest == UNPINNED and card.pocket is None and card.local is None


def _leaks(groups: list[_Group], overlaps: Sequence[SharedProblems]) -> list[PlanWarning]:
    """Benchmarks some of whose problems are trained on, according to their cards; not where as many
    were detected by content."""
    counted = {(o.data.name, o.benchmark.name): o.problems for o in overlaps}
    wrong: dict[tuple[str, str], list[_Group]] = {}
    benches = {id(g.first.evaluations): _overlapping(g.first.evaluations) for g in groups}
    for group in groups:
        data = group.first.data
        held = {data.name, *(part.data for part in data.built.parts)} if data.built else {data.name}
        for card in benches[id(group.first.evaluations)]:
            said = {data.name} if data.name in card.overlaps else held & card.overlaps.keys()
            for name in sorted(said) if card.name not in data.filters.overlap else ():
                if card.overlaps[name].problems > counted.get((data.name, card.name), 0):
                    wrong.setdefault((card.name, card.overlaps[name].how), []).append(group)
    return [
        PlanWarning(
            "leak",
            f"problems of {bench} are in the training data "
            f"{listed(g.first.data.name for g in same)} ({how}); note it with the result, or leave "
            "it out of claims",
            _count({id(g): g for g in same}.values()),
        )
        for (bench, how), same in wrong.items()
    ]


def _overlapping(evaluations: Iterable[Evaluation]) -> list[BenchmarkCard]:
    return list(
        {e.benchmark.name: e.benchmark for e in evaluations if e.benchmark.overlaps}.values()
    )


# -- lengths and formats --------------------------------------------------------------------------


def _lengths(groups: list[_Group], prompts: Prompts) -> list[PlanWarning]:
    """Responses that do not fit the model's context together with a prompt: the longest, or where
    that was not counted one of `PROMPT_TOKENS`."""
    training: dict[tuple[str, int, int], list[_Group]] = {}
    measuring: dict[tuple[str, str, int, int], list[_Group]] = {}
    for group in groups:
        trial = group.first
        context = trial.model.context
        if context is None:
            continue
        known = prompts.get(trial.id, {})
        prompt = known.get(CAP, PROMPT_TOKENS)
        if not group.external and trial.cap + prompt > context:
            training.setdefault((trial.model.name, trial.cap, prompt), []).append(group)
        limits = {e.decoding_name: e.decoding.max_tokens or 0 for e in trial.evaluations}
        for decoding, tokens in limits.items():
            prompt = known.get(max_tokens_of(decoding), PROMPT_TOKENS)
            if tokens and tokens + prompt > context:
                key = (trial.model.name, decoding, tokens, prompt)
                measuring.setdefault(key, []).append(group)
    return [
        *(
            PlanWarning(
                "cap-over-context",
                _too_long(f"a max response length of {cap:,}", prompt, same),
                _count(same),
            )
            for (_, cap, prompt), same in training.items()
        ),
        *(
            PlanWarning(
                "evaluation-over-context",
                _too_long(f"max_tokens {tokens:,} of decoding {decoding}", prompt, same),
                _count(same),
            )
            for (_, decoding, tokens, prompt), same in measuring.items()
        ),
    ]


def _reward_caps(groups: list[_Group]) -> list[PlanWarning]:
    """Length rewards whose `cap` differs from the max response length. A rehearsal's stand-ins are
    cut much sooner, and are ignored here."""
    found: dict[tuple[str, int], list[_Group]] = {}
    for group in groups:
        trial = group.first
        if group.external or trial.rehearsal or trial.reward.code:
            continue
        for cap in sorted(_caps(trial.reward.kind, trial.reward.params) - {trial.cap}):
            found.setdefault((trial.reward.name, cap), []).append(group)
    return [
        PlanWarning("reward-cap", _other_cap(reward, cap, same), _count(same))
        for (reward, cap), same in found.items()
    ]


def _caps(kind: str, params: dict[str, Any]) -> set[int]:
    """The caps that a reward, or a part of it, counts up to."""
    if kind == "sum":
        parts = [_caps(part["kind"], part.get("params", {})) for part in params["parts"]]
        return set().union(*parts)
    return {params["cap"]} if "cap" in KINDS[kind] else set()


def _other_cap(reward: str, cap: int, same: list[_Group]) -> str:
    cuts = sorted({group.first.cap for group in same})
    told = listed(f"{cut:,}" for cut in cuts)
    why = (
        "so no response reaches that length"
        if cap > cuts[-1]
        else "so longer ones count as that length"
    )
    return (
        f"reward {reward} counts lengths up to {cap:,} tokens and responses of "
        f"{listed(dict.fromkeys(g.first.model.name for g in same))} are cut at {told}, {why}; take "
        "a card with their limit, or set grpo.max_completion_length"
    )


def _too_long(what: str, prompt: int, same: list[_Group]) -> str:
    model = same[0].first.model
    context = model.context or 0
    if (room := context - prompt) < 1:
        return (
            f"the context of {model.name} ({context:,}) is short for {what} and a prompt; a "
            "sweep counts prompt tokens and refuses those that do not fit"
        )
    return (
        f"{what} and {prompt:,} tokens of prompt are over the context of {model.name} "
        f"({context:,}); set it to {room:,} at most"
    )


def _boxes(groups: list[_Group], study: list[_Group]) -> list[PlanWarning]:
    """Rewards that need a box, trained with prompts that do not request one. The comparison may
    be in any part of the study."""
    needing = [group for group in groups if group.first.reward.needs_box and not group.external]
    silent = [group for group in needing if not group.first.prompt.asks_for_box]
    if not silent:
        return []
    others = (g for g in study if g.first.reward.needs_box and not g.external)
    asking = [group for group in others if group.first.prompt.asks_for_box]
    rewards, prompts = (
        list(dict.fromkeys(getattr(g.first, part).name for g in silent))
        for part in ("reward", "prompt")
    )
    one = len(rewards) == 1
    text = (
        f"reward{'s' * (not one)} {listed(rewards)} need{'s' * one} a box that "
        f"prompt{'s' * (len(prompts) > 1)} {listed(prompts)} do{'es' * (len(prompts) == 1)} not "
        "ask for "
    )
    if {_but_prompt(g) for g in silent} & {_but_prompt(g) for g in asking}:
        cells, all_ = (sum(len(g.cells) for g in some) for some in (silent, needing))
        text += (
            f"({cells:,} of {all_:,} cells with such a reward; those under "
            f"{listed(g.first.prompt.name for g in asking)} are the comparison)"
        )
    else:
        text += (
            f"({listed(g.first.model.name for g in silent)}); take a prompt that asks, or expect "
            "the reward to teach the format first"
        )
    return [PlanWarning("box-not-asked", text, _count(silent))]


def _but_prompt(group: _Group) -> tuple[str, str, str]:
    trial = group.first
    return trial.model.name, trial.reward.name, trial.data.name
