"""The model card (`README.md`) of an exported model: what it is, how it was trained, its scores.

All of it is from the trial and its record. Texts of cards are put on one line; paths of this
machine are never among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from zoo.catalog import ModelCard, ProblemCard
from zoo.findings.collect import unscored
from zoo.findings.format import DASH, interval, percent
from zoo.runs.outcome import MeasuredEvaluation, Outcome
from zoo.store.run_store import Store

LOAD = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("PATH/TO/THIS/FOLDER")
tokenizer = AutoTokenizer.from_pretrained("PATH/TO/THIS/FOLDER")
```
"""


def model_card(found: Outcome, store: Store, round_: int) -> str:
    """The text of `README.md`, with the front matter that the hub reads.

    Args:
        round_: the round that the weights are of.
    """
    trial = found.trial
    lines = [*_front(trial.model), f"# {trial.id}, round {round_}", ""]
    if found.made_up:
        lines += ["**A rehearsal with stand-ins: it is no evidence about the models named.**", ""]
    lines += [
        f"{_one_line(trial.model.name)}, trained by reinforcement learning (GRPO) on answers that "
        "can be verified, without supervised fine-tuning before it.",
        "",
        *_section("Base model", _base(trial.model, trial.model_digest)),
        *_section("Training", _training(found, round_)),
        *_section("Scores", _scores(found, store, round_)),
        *_section("Software", _software(found)),
        *_section("How to load", [LOAD]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _front(model: ModelCard) -> list[str]:
    front = ["---", "library_name: transformers", "pipeline_tag: text-generation"]
    if model.repo:
        front.append(f"base_model: {json.dumps(model.repo)}")
    if model.license:
        front.append(f"license: {json.dumps(_one_line(model.license))}")
    return [*front, "tags: [grpo, trl, zero-rl]", "---", ""]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _base(model: ModelCard, digest: str) -> list[str]:
    where = f"`{digest}` (digest of its files)"
    if model.repo:
        where = f"`{model.repo}` at commit `{model.revision or 'unpinned'}`"
    license_ = _one_line(model.license) or "not known; see the base model's own page"
    return [
        f"- {_one_line(model.name)}: {where}",
        f"- licence of the base model: {license_}. It applies to these weights as well.",
    ]


def _training(found: Outcome, round_: int) -> list[str]:
    trial, record = found.trial, found.record
    assert record is not None
    batch = trial.batch
    updates = batch.updates * int(trial.grpo.get("num_iterations", 1))
    reward = trial.reward
    code = f", source `{reward.code.digest[:16]}` (SHA-256)" if reward.code else ""
    ended = f"; stopped ({record.stop_reason})" if record.state == "stopped" else ""
    lines = [
        f"- rounds: {round_} of {trial.rounds}{ended}; a round is {batch.prompts} prompts x "
        f"{batch.num_generations} completions and {updates} updates",
        f"- seed: {trial.seed}",
        f"- recipe: {_one_line(trial.recipe)}",
        f"- reward: {_one_line(reward.name)} (kind {reward.kind}, version {reward.version}, "
        f"extraction {reward.extract}, {json.dumps(reward.params, sort_keys=True)}{code})",
        f"- training problems: {_problems(trial.data, trial.data_digest)}",
        f"- prompt: {json.dumps(trial.prompt.template, ensure_ascii=False)}",
        f"- end ids in addition to the tokenizer's: {list(trial.model.stop_ids) or 'none'}",
        *(["- LoRA, merged: " + json.dumps(trial.peft.model_dump())] if trial.peft else []),
        "",
        "Settings of TRL's GRPO:",
        "",
        "| setting | value |",
        "| --- | --- |",
    ]
    return lines + [f"| `{k}` | `{json.dumps(v)}` |" for k, v in sorted(trial.grpo.items())]


def _problems(card: ProblemCard, digest: str) -> str:
    """A set of problems by name, source at its commit where it is public, and digest."""
    source = ""
    if card.hub is not None:
        source = f", `{card.hub.repo}` at `{card.hub.revision or 'unpinned'}`"
    elif card.git is not None:
        source = f", `{card.git.repo}` at `{card.git.commit}`"
    return f"{_one_line(card.name)}{source}, digest `{digest}`"


def _scores(found: Outcome, store: Store, round_: int) -> list[str]:
    after = [m for m in found.measured if m.round == round_]
    if not after:
        return ["Nothing was evaluated at this round."]
    digests = {e.asked: e.digest for e in found.trial.evaluations}
    lines = [
        "Accuracy in per cent of this one trained model. The interval (Wilson, 95 %) is over "
        "problems alone; it does not cover how other seeds of the same training differ.",
        "",
        "| benchmark | decoding | problems | responses each | base | trained | 95 % interval |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    before = {(m.asked, m.key): m for m in found.measured if m.round == 0}
    for m in after:
        base = before.get((m.asked, m.key))
        told = percent(base.values.get("acc")) if base else DASH
        scored = (m.n - unscored(m, store)) // m.each
        digest = digests.get(m.asked)
        name = f"{_one_line(m.benchmark)} (`{digest}`)" if digest else _one_line(m.benchmark)
        acc = m.values.get("acc")
        within = interval(acc, scored) if scored else DASH
        cells = (name, m.decoding, scored, m.each, told, percent(acc), within)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return [*lines, "", *_decodings(found, after)]


def _decodings(found: Outcome, after: list[MeasuredEvaluation]) -> Iterator[str]:
    used = {m.decoding for m in after}
    for name, decoding in {e.decoding_name: e.decoding for e in found.trial.evaluations}.items():
        if name in used:
            limit = decoding.max_tokens or found.trial.cap
            yield (
                f"- {name}: temperature {decoding.temperature:g}, top_p {decoding.top_p:g}, "
                f"at most {limit:,} tokens"
            )
    graders = sorted({m.grader for m in after})
    yield f"- grader of zoo, version {', '.join(graders)}"


def _software(found: Outcome) -> list[str]:
    assert found.record is not None
    versions = found.record.about.get("provenance", {})
    named = ("zoo", "torch", "transformers", "trl", "vllm", "accelerate", "python")
    told = ", ".join(f"{name} {versions[name]}" for name in named if name in versions)
    commit = f"; zoo's commit `{versions['commit']}`" if versions.get("commit") else ""
    return [f"{told or 'not recorded'}{commit}."]


def _one_line(text: str) -> str:
    """A text of a card on one line, with nothing that a table or HTML would read."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
