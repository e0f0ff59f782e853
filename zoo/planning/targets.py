"""What `zoo eval` evaluates: command-line arguments as a policy, benchmarks and decodings.

A policy is a model (card, `hf:org/name@commit` or folder), or a trial of the run store
after a round. A model is evaluated as trials evaluate their base: under the same ids, so that each
reuses the other's results. Light; nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from zoo.catalog import (
    BenchmarkCard,
    Catalog,
    DataCard,
    ModelCard,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.cards import FROM_CARD
from zoo.data import LocalResolver, loadable, model_folder
from zoo.data.prompts import PromptLengths
from zoo.errors import Fault, InputError, StateError, did_you_mean, listed, suggestion
from zoo.manifest.schema import Decoding, Evaluate
from zoo.runs import live
from zoo.runs.due import weights_kept
from zoo.store import record
from zoo.store.run_store import Store, read_json
from zoo.trials.card_lookup import HUB, HUB_CAP, HUB_PROMPT, slug
from zoo.trials.settings import FROM_MODEL
from zoo.trials.trial import Evaluation, Trial
from zoo.yamlio.patterns import COMMIT, NAME

SMALL = 10_000_000
"""Parameters up to which a model is driven as the pocket models are."""
KEYS = ("temperature", "top_p", "max_tokens")


@dataclass(frozen=True)
class Target:
    """A policy to evaluate."""

    trial: Trial
    """The trial, or a placeholder trial for a model, of which only round 0 is used; its
    evaluations are the requested ones."""
    round: int
    weights: Path | None
    """Folder of the weights; None = simulated."""
    lineage: int = 1
    known: tuple[tuple[str, str], ...] = ()
    """(key of an evaluation, id of its samples) that the trial's own index has at this round."""
    longest_prompt: int | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.trial.id} r{self.round}" if self.round else self.trial.start.name


@dataclass(frozen=True)
class Asked:
    """What to evaluate, as typed."""

    on: tuple[str, ...]
    decoding: tuple[str, ...] = ()
    problems: int | None = None
    samples: int | None = None
    prompt: str | None = None
    cap: int | None = None
    stop_ids: tuple[int, ...] | None = None
    round: int | None = None
    simulated: bool = False


class Targets:
    """Looks policies and benchmarks up in one catalog and one run store."""

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self.catalog, self.store = catalog, store
        self.resolver = LocalResolver(store.cache)
        self.lengths = PromptLengths(self.resolver)

    def find(self, word: str, asked: Asked) -> Target:
        """The policy that a word refers to, with the requested evaluations.

        Raises:
            InputError: no such model, trial or folder; a benchmark or decoding that is unknown or
                not on this machine; prompts that do not fit.
            StateError: a trial whose files cannot be read, or whose weights are gone.
        """
        evaluations = self.evaluations(asked)
        folder = self._trial(word)
        if folder is not None:
            return self._fits(self._of_trial(folder, evaluations, asked))
        card = self.model(word)
        return self.of_model(card, evaluations, asked)

    # -- benchmarks and decodings -----------------------------------------------------------------

    def evaluations(self, asked: Asked) -> tuple[Evaluation, ...]:
        """Each benchmark under each decoding."""
        names = [name for word in asked.on for name in word.split(",") if name]
        if not names:
            raise InputError(Fault("--on", "no benchmark", "names of benchmark cards"))
        cards = [self.benchmark(name) for name in dict.fromkeys(names)]
        found: list[Evaluation] = []
        for card in cards:
            digest, size = self.resolver.problems(card), self.resolver.size(card)
            if asked.problems and size is not None and asked.problems > size:
                said = f"'{card.name}' has {size:,} problems"
                raise InputError(Fault(f"--problems {asked.problems}", said, f"at most {size:,}"))
            for name, decoding in decodings(asked.decoding).items():
                greedy = decoding.temperature == 0
                one = Evaluation(
                    benchmark=card,
                    digest=digest,
                    problems=asked.problems,
                    samples=1 if greedy else asked.samples or card.samples,
                    decoding_name=name,
                    decoding=decoding,
                    rounds=(0,),
                )
                found.append(one)
        return tuple(found)

    def benchmark(self, name: str) -> BenchmarkCard:
        """A benchmark card."""
        return self.catalog.get(BenchmarkCard, name, "--on")

    # -- policies ---------------------------------------------------------------------------------

    def model(self, word: str) -> ModelCard:
        """A model card by name, hub commit or folder."""
        known = self.catalog.names(ModelCard)
        if word in known:
            return self.resolver.described(self.catalog.get(ModelCard, word))
        said = {"schema": "model/1", "prompt": HUB_PROMPT, "cap": HUB_CAP}
        if word.startswith(HUB):
            repo, _, commit = word.removeprefix(HUB).partition("@")
            if not re.fullmatch(COMMIT, commit):
                expected = "hf:org/name@commit, a full commit of 40 hex digits"
                raise InputError(Fault("MODEL", f"'{word}' is not pinned", expected))
            where = {"name": slug(repo), "repo": repo, "revision": commit}
        elif Path(word).is_dir():
            if not (Path(word) / "config.json").is_file():
                expected = "a Hugging Face folder (config.json, safetensors, tokenizer)"
                raise InputError(Fault(word, "no model in this folder", expected))
            where = {"name": slug(str(Path(word).resolve())), "path": str(Path(word).resolve())}
        else:
            trials = sorted(path.name for path in (self.store.root / "train").glob("*"))
            hint = did_you_mean(word, [*known, *trials])
            hint = hint or f"models: {', '.join(known)}; or a folder, or a trial's id"
            raise InputError(Fault("MODEL", f"no model, trial or folder '{word}'", hint=hint))
        return self.resolver.described(ModelCard.model_validate(said | where))

    def of_model(
        self, card: ModelCard, evaluations: tuple[Evaluation, ...], asked: Asked
    ) -> Target:
        """A model, with the requested evaluations.

        Raises:
            InputError: its weights are not on this machine; prompts that do not fit.
        """
        return self._fits(self._of_model(card, evaluations, asked))

    def _trial(self, word: str) -> Path | None:
        """The folder of the trial that a word means: its id, or a part that fits only one."""
        if word in self.catalog.names(ModelCard) or word.startswith(HUB) or Path(word).is_dir():
            return None
        names = sorted(path.name for path in (self.store.root / "train").glob("*"))
        found = [word] if word in names else [name for name in names if word in name]
        if len(found) > 1:
            expected = "the id of one trial, or a part that fits only one"
            raise InputError(Fault("TRIAL", f"'{word}' fits {listed(found, 6)}", expected))
        return self.store.root / "train" / found[0] if found else None

    def _of_trial(self, folder: Path, evaluations: tuple[Evaluation, ...], asked: Asked) -> Target:
        for option, value in {"--prompt": asked.prompt, "--cap": asked.cap}.items():
            if value is not None:
                expected = "a model or a folder: a trial is evaluated as it was trained"
                raise InputError(Fault(option, f"{folder.name} is a trial", expected))
        try:
            said = read_json(folder / "trial.json") or {}
            trial = Trial.model_validate(said.get("trial"))
        except (ValueError, AttributeError) as error:
            text = f"{folder / 'trial.json'} cannot be read; evaluate its weights as a folder"
            raise StateError(text) from error
        found = record.read(folder)
        if found is None or not found.finished():
            hint = "finish it first, or evaluate a folder of its weights"
            raise InputError(Fault("TRIAL", f"{folder.name} is not finished", hint=hint))
        end = found.final_round
        at = asked.round if asked.round is not None else end
        if at is None or not weights_kept(trial, self.store, found, at):
            kept = sorted(p.name for p in (folder / "checkpoints").rglob("round-*") if p.is_dir())
            hint = f"kept: {listed(kept, 8)}" if kept else "none are kept"
            raise InputError(Fault("--round", f"no weights of round {at}", hint=hint))
        if trial.simulated:
            weights = None
        elif at == 0:
            weights = model_folder(trial.start)
        elif trial.trainer == "external":
            weights = model_folder(trial.model)
        else:
            weights = self.store.checkpoint(trial.id, at, found.branch)
        rows = live.read(folder, found).evals
        known = tuple((str(row.get("key")), row["samples"]) for row in rows if row["round"] == at)
        own = trial.model_copy(update={"evaluations": evaluations})
        return Target(own, at, weights, found.lineage, known)

    def _of_model(
        self, card: ModelCard, evaluations: tuple[Evaluation, ...], asked: Asked
    ) -> Target:
        if asked.round:
            expected = "a trial: a model has no rounds"
            raise InputError(Fault("--round", f"'{card.name}' is a model", expected))
        cap = asked.cap or card.cap
        stop_ids = card.stop_ids if asked.stop_ids is None else asked.stop_ids
        card = card.model_copy(update={"cap": cap, "stop_ids": stop_ids})
        weights = None
        if not asked.simulated:
            weights = model_folder(card)
            if faults := loadable.faults(weights):
                raise InputError(faults)
        prompt = self.prompt(asked.prompt or card.prompt)
        trial = model_trial(self.catalog, card, self.resolver.model(card), prompt, evaluations)
        if asked.simulated:
            trial = trial.model_copy(update={"trainer": "simulated"})
        return Target(trial, 0, weights)

    def prompt(self, name: str) -> PromptCard:
        """A prompt card."""
        return self.catalog.get(PromptCard, name, "--prompt")

    def _fits(self, target: Target) -> Target:
        """Count the prompt tokens: each prompt must fit the context together with its response."""
        trial, longest = target.trial, 0
        if trial.simulated:
            return target
        model = trial.start if target.round == 0 else trial.model
        faults: list[Fault] = []
        for e in trial.evaluations:
            prompt = self.lengths.measure(model, e.benchmark, trial.prompt, e.problems)
            longest = max(longest, prompt.tokens)
            limit = e.decoding.max_tokens or trial.cap
            context = self.resolver.described(model).context
            if prompt.exact and context and prompt.tokens + limit > context:
                found = f"the prompt of {prompt.id} has {prompt.tokens:,} tokens"
                expected = f"with a response of {limit:,} at most {context:,} (the context)"
                hint = f"set max_tokens={max(1, context - prompt.tokens)} in --decoding"
                faults.append(Fault(f"{e.benchmark.name} {e.decoding_name}", found, expected, hint))
        if faults:
            raise InputError(faults)
        return Target(
            trial, target.round, target.weights, target.lineage, target.known, longest or None
        )


def model_trial(
    catalog: Catalog,
    card: ModelCard,
    digest: str,
    prompt: PromptCard,
    evaluations: Sequence[Evaluation],
) -> Trial:
    """A placeholder trial for a model, of which only round 0 is used. Its recipe sizes the
    engine as in trials; data and reward are never used."""
    small = card.embedded is not None or 0 < card.parameters <= SMALL
    recipe = catalog.get(RecipeCard, "pocket" if small else "simplerl-zoo-small")
    grpo = {
        name: getattr(card, FROM_MODEL[name]) if value == FROM_CARD else value
        for name, value in recipe.grpo.items()
    }
    return Trial(
        id=f"{card.name}.base",
        identity={},
        cell={"model": card.name},
        seed=0,
        rounds=1,
        trainer="trl",
        recipe=recipe.name,
        model=card,
        model_digest=digest,
        data=catalog.get(DataCard, "pocket-easy"),
        data_digest="",
        reward=catalog.get(RewardCard, "correctness"),
        prompt=prompt,
        grpo=grpo | {"max_completion_length": card.cap},
        batch=recipe.batch,
        entropy_mean=recipe.entropy_mean,
        evaluations=tuple(evaluations),
        final="last",
    )


def decodings(words: Sequence[str]) -> dict[str, Decoding]:
    """Decodings by name. A word is the name of a default one (`t0`, `t1.0`), or settings
    `temperature=0.6,top_p=0.95,max_tokens=512`, which `NAME:` before them names.

    Raises:
        InputError: every word that is neither.
    """
    standard = Evaluate().decoding
    found: dict[str, Decoding] = {}
    faults: list[Fault] = []
    for word in words or tuple(standard):
        if "=" not in word:
            for name in filter(None, word.split(",")):
                if name in standard:
                    found[name] = standard[name]
                    continue
                hint = suggestion(name, standard)
                expected = "a name, or temperature=T,top_p=P,max_tokens=N"
                faults.append(Fault("--decoding", f"unknown decoding '{name}'", expected, hint))
            continue
        try:
            name, decoding = _decoding(word)
        except InputError as error:
            faults += error.faults
            continue
        if found.get(name, decoding) != decoding:
            faults.append(Fault("--decoding", f"two decodings are named '{name}'"))
        found[name] = decoding
    if faults:
        raise InputError(faults)
    return found


def _decoding(word: str) -> tuple[str, Decoding]:
    name, colon, settings = word.partition(":")
    settings = settings if colon else word
    said: dict[str, str] = {}
    for part in settings.split(","):
        key, equals, value = part.strip().partition("=")
        if key not in KEYS or not equals:
            hint = did_you_mean(key, list(KEYS))
            raise InputError(Fault("--decoding", f"'{part}'", f"{', '.join(KEYS)}=NUMBER", hint))
        said[key] = value
    try:
        decoding = Decoding.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        found = f"{key}={said.get(key, '(missing)')}"
        raise InputError(Fault("--decoding", found, first["msg"].lower())) from error
    if not colon:
        name = f"t{decoding.temperature:g}"
        name += f"-p{decoding.top_p:g}" if decoding.top_p < 1 else ""
        name += f"-m{decoding.max_tokens}" if decoding.max_tokens else ""
    if not re.fullmatch(NAME, name):
        expected = "small letters, digits, `.`, `_`, `-`"
        raise InputError(Fault("--decoding", f"the name '{name}'", expected))
    standard = Evaluate().decoding
    if not colon:  # `temperature=1` is t1.0, whose samples trials have
        name = next((known for known, value in standard.items() if value == decoding), name)
    return name, decoding
