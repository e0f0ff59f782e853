"""From the words of a command line to manifest, catalog, trials, store and profile.

Light: what planning needs and nothing more.
"""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from zoo.catalog import (
    BenchmarkCard,
    Card,
    Catalog,
    DataCard,
    ModelCard,
    RewardCard,
)
from zoo.data.resolve import LocalResolver
from zoo.errors import Fault, InputError, closest, did_you_mean
from zoo.lock import lock, preregistration
from zoo.lock.lock import Lock, LockChanges
from zoo.lock.preregistration import Word
from zoo.manifest.load import Manifest, read
from zoo.planning.expand import expand
from zoo.planning.options import PlanOptions, last_start, last_words, with_remembered
from zoo.planning.select import chosen
from zoo.store import void
from zoo.store.run_store import Store
from zoo.trials import identity, rehearsal
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial

SWEEPS_VARIABLE = "ZOO_SWEEPS"


@dataclass(frozen=True)
class Study:
    """A manifest, expanded, together with the lock of its last start."""

    words: PlanOptions
    manifest: Manifest
    catalog: Catalog
    trials: list[Trial]
    store: Store
    resolver: LocalResolver
    chosen: list[Trial]
    """What `--only` leaves; all trials without it."""
    folder: Path
    """The sweep's folder in the lab notebook."""
    lock: Lock | None
    changes: LockChanges
    remembered: PlanOptions
    """Options of the last start that the command line did not set."""

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.manifest.experiment.name

    def to(self, verb: str) -> str:
        """The command that does something to this plan: `zoo sweep experiments/a.yaml`."""
        if verb == "extend":
            return self._to_extend()
        return f"zoo {verb} {shlex.quote(shown(self.manifest.path))}{self.words}"

    def _to_extend(self) -> str:
        """The rounds of `zoo extend` are an option of its own."""
        words = self.words.without_rounds()
        rounds = self.manifest.experiment.rounds
        return f"zoo extend {shlex.quote(shown(self.manifest.path))} --rounds {rounds}{words}"

    @property
    def called(self) -> str:
        """The sweep's name in commands such as `zoo ui`: its name, or its path where another
        manifest has that name."""
        try:
            same = find(self.name, self.store).resolve() == self.manifest.path.resolve()
        except InputError:
            same = False
        return self.name if same else shlex.quote(shown(self.manifest.path))

    def remembered_note(self, verb: str) -> list[str]:
        """A line on options of the last start that this command reused, or on another manifest
        of that name; none where neither applies."""
        if self.remembered == PlanOptions():
            return self._namesake()
        bare = f"zoo {verb} {shlex.quote(shown(self.manifest.path))}"
        bare += " --rehearse" * self.words.rehearse
        return [f"{self.name} as it last started:{self.remembered} (`{bare}` is without)"]

    def _namesake(self) -> list[str]:
        """A line on another manifest of the same name that last started in the same folder."""
        told, path = last_start(self.store, self.name), self.manifest.path.resolve()
        other = Path(told["manifest"]) if told and self.lock else path
        if other == path or not other.is_file():
            return []
        return [
            f"note: {self.name} last started from {shown(other)}, another manifest of that name; "
            f"both write {shown(self.folder)}, so rename one"
        ]

    @property
    def simulated(self) -> bool:
        """Whether no trial is real."""
        return all(trial.simulated for trial in self.trials)

    @cached_property
    def names(self) -> dict[str, str]:
        """Short names by id."""
        return short_names(self.trials)

    @cached_property
    def _claim_rows(self) -> list[lock.Row]:
        said, ran = self.manifest.experiment, self.store.ran
        return lock.claim_rows(self.trials, said.claims, self.lock, ran, said.looks)

    @property
    def seals(self) -> dict[str, Word]:
        """Claim id -> its state: sealed, exploratory, or sealed by the next sweep."""
        told = preregistration.words(self._claim_rows, self.lock.claims if self.lock else ())
        claims = self.manifest.experiment.claims
        return preregistration.with_voided(told, claims, self.trials, self._was_void)

    def _was_void(self, trial_id: str) -> bool:
        """Whether a trial is void, or was until training again replaced what it had."""
        if not self.store.ran(trial_id):
            return False
        return bool(void.standing(void.read(self.store.train_path(trial_id))))

    @property
    def claims_moved(self) -> bool:
        """Whether a sweep would write other claims into the lock."""
        before = {row["claim"]["id"]: row for row in (self.lock.claims if self.lock else ())}
        return {row["claim"]["id"]: row for row in self._claim_rows} != before


def load_study(
    name: str, words: PlanOptions | None = None, *, thorough: bool = False, started: bool = False
) -> Study:
    """Find, read and expand a manifest, by its path or its name (`NAME.rehearsal` = its rehearsal).

    Args:
        thorough: read large files that were never read before, for their digests; else they
            are `unpinned`.
        started: use the sweep as it last started: `--set`, `--cards` and `--reward` are those of
            that start where `words` have none. Always the case where `name` is not a path.

    Raises:
        InputError: no such manifest, or faults in it or in its cards.
        StateError: a lock that cannot be read.
    """
    words, store = words or PlanOptions(), Store()
    words = replace(words, rehearse=words.rehearse or _is_rehearsal(name))
    path = find(name, store)
    said = words.rewards
    remembered = PlanOptions() if _is_path(name) and not started else last_words(words, path, store)
    words = replace(
        words,
        sets=words.sets or remembered.sets,
        cards=words.cards or remembered.cards,
        rewards=words.rewards or remembered.rewards,
    )
    resolver = LocalResolver(store.cache, light=not thorough)
    try:
        manifest = read(path, words.sets)
        folder = sweeps_root() / manifest.experiment.name
        locked = lock.read(folder)
        manifest = replace(manifest, look=_look(manifest, words, locked))
        catalog = catalog_of(words.cards, words.rewards)
        trials = _as_begun(expand(manifest, catalog, resolver), manifest, locked)
    except InputError as error:
        raise with_remembered(error, remembered, name) from error
    _must_be_used(said, trials)
    if not started:  # a report of what ran needs no stand-in
        _must_stand_in(trials, catalog)
    if words.rehearse:  # what is rehearsed must be right as a whole, too
        manifest = rehearsal.of(manifest)
        trials = expand(manifest, catalog, resolver)
        folder = sweeps_root() / manifest.experiment.name
        locked = lock.read(folder)
    return Study(
        words,
        manifest,
        catalog,
        trials,
        store,
        resolver,
        chosen(trials, words.only),
        folder,
        locked,
        lock.compare(locked, trials),
        remembered,
    )


def _look(manifest: Manifest, words: PlanOptions, locked: Lock | None) -> int:
    """The selected look, counted from 1: the current one in the lock, or the next one with
    `--look`.

    Raises:
        InputError: a look that is not the next one, or of a manifest without looks.
    """
    looks = manifest.experiment.looks
    reached = locked.reached(looks) if locked and looks else 1
    if words.look in (None, reached) and (looks or words.look is None):
        return reached
    place, found = f"--look {words.look}", "the manifest declares no looks"
    if looks is None or words.rehearse:
        found = "a rehearsal has one seed" if words.rehearse else found
        raise InputError(Fault(place, found, "seeds: {start: 3, add: 2, most: 9, until: decided}"))
    if words.look == reached + 1 <= len(looks.sizes):
        if locked is None:
            raise InputError(Fault(place, "look 1 has not started", hint="run it without --look"))
        return reached + 1
    last = f"the last of {len(looks.sizes)}" if reached == len(looks.sizes) else ""
    expected = last or f"{reached} or {reached + 1}"
    raise InputError(Fault(place, f"the sweep is at look {reached}", expected))


def _as_begun(trials: list[Trial], manifest: Manifest, locked: Lock | None) -> list[Trial]:
    """The trials without those that no look began: each look adds seeds to the cells of claims
    that were undecided, and the lock has them."""
    looks = manifest.experiment.looks
    if looks is None or locked is None:
        return trials
    begun = looks.sizes[locked.reached(looks) - 1]
    cells = {identity.canonical(row["cell"]) for row in locked.trials}
    rows = {(identity.canonical(row["cell"]), row["seed"]) for row in locked.trials}

    def counts(trial: Trial) -> bool:
        cell = identity.canonical(trial.cell)
        old = looks.start <= trial.seed < begun and cell in cells
        return not old or (cell, trial.seed) in rows

    return [trial for trial in trials if counts(trial)]


def find(name: str, store: Store) -> Path:
    """The manifest that `name` means: a path, `experiments/NAME.yaml`, or a sweep that ran before.

    Raises:
        InputError: there is none; with a suggestion.
    """
    if _is_path(name):
        return _path(name)
    bare = name.removesuffix(rehearsal.SUFFIX)
    if (path := Path("experiments") / f"{bare}.yaml").is_file():
        return path
    for sweep in dict.fromkeys((name, bare, bare + rehearsal.SUFFIX)):
        told = last_start(store, sweep)
        if told and Path(told["manifest"]).is_file():
            return Path(told["manifest"])
    known = sorted(
        {p.stem for p in Path("experiments").glob("*.yaml")}
        | {p.parent.name for p in (store.root / "sweeps").glob("*/driver.json")}
    )
    near = f"did you mean '{name}.yaml'?" if Path(f"{name}.yaml").is_file() else ""
    hint = near or did_you_mean(name, known)
    if not hint:
        hint = f"available: {', '.join(known)}" if known else "give the path of a manifest"
    raise InputError(Fault("manifest", f"no manifest or sweep '{name}'", hint=hint))


def _path(name: str) -> Path:
    """A manifest's path; reading it reports its errors, except a misspelt name."""
    path = Path(name)
    beside = {file.stem: file.name for file in sorted(path.parent.glob("*.yaml"))}
    if not path.exists() and (near := closest(path.stem, list(beside))):
        hint = f"did you mean '{path.with_name(beside[near])}'?"
        raise InputError(Fault(name, "no such file", hint=hint))
    return path


def _is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or os.sep in name


def _is_rehearsal(name: str) -> bool:
    return name.endswith(rehearsal.SUFFIX) and not _is_path(name)


def catalog_of(cards: tuple[str, ...], rewards: tuple[str, ...] = ()) -> Catalog:
    """The package's cards, then `./cards`, then the folders named; and the rewards of these files.

    Raises:
        InputError: a folder that is not there; a reward that cannot be used, or whose name is
            taken.
    """
    for folder in cards:
        if not Path(folder).is_dir():
            raise InputError(Fault("--cards", f"no folder '{folder}'"))
    own = [Path("cards")] if Path("cards").is_dir() else []
    folders = (*own, *map(Path, cards))
    catalog = Catalog(*folders)
    return Catalog(*folders, made=_rewards(rewards, catalog)) if rewards else catalog


def _rewards(files: tuple[str, ...], catalog: Catalog) -> list[RewardCard]:
    """The cards of reward files; a name that something else has is refused, as either could be
    meant."""
    from zoo.rewards.user import load_user_reward

    found: dict[str, RewardCard] = {}
    faults: list[Fault] = []
    for file in dict.fromkeys(files):
        try:
            if Path(file).suffix != ".py":
                raise InputError(
                    Fault(f"--reward {file}", "no Python file", "a file ending in .py")
                )
            card = load_user_reward(file).card
        except InputError as error:
            faults += error.faults
            continue
        taken = "another --reward" if card.name in found else ""
        if card.name in catalog.names(RewardCard):
            taken = "a card"
        if taken:
            wrong = f"the name '{card.name}' is taken by {taken}"
            faults.append(Fault(file, wrong, hint='set `NAME = "..."` in it'))
        found[card.name] = card
    if faults:
        raise InputError(faults)
    return list(found.values())


def _must_be_used(files: tuple[str, ...], trials: list[Trial]) -> None:
    """Refuse a reward file that no cell has: its author believes that it runs."""
    used = {trial.reward.code.file for trial in trials if trial.reward.code}
    for file in files:
        if str(Path(file).resolve()) not in used:
            hint = "name it on the reward axis, or with --set 'grid.reward=[...]'"
            raise InputError(Fault(f"--reward {file}", "no cell has this reward", hint=hint))


def _must_stand_in(trials: list[Trial], catalog: Catalog) -> None:
    """Refuse cards with an invalid stand-in."""
    measured = {id(trial.evaluations): trial.evaluations for trial in trials}.values()
    used: dict[type[Card], set[str]] = {
        ModelCard: {trial.model.name for trial in trials},
        DataCard: {trial.data.name for trial in trials},
        BenchmarkCard: {e.benchmark.name for evaluations in measured for e in evaluations},
    }
    faults: list[Fault] = []
    for kind, names in used.items():
        for name in sorted(names.intersection(catalog.names(kind))):
            try:
                catalog.check_stand_in(kind, name)
            except InputError as error:
                faults += error.faults
    if faults:
        raise InputError(faults)


def sweeps_root() -> Path:
    """The lab notebook: `./sweeps`, or where ZOO_SWEEPS points."""
    return Path(os.path.realpath(os.environ.get(SWEEPS_VARIABLE) or "sweeps"))


def shown(path: Path) -> str:
    """The shortest form of a path from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def as_json(data: object) -> str:
    """Indented JSON."""
    return json.dumps(data, indent=1, allow_nan=False)
