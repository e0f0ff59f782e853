"""Digests by content for planning: of problems (normalised texts) and of model folders (their
files, not their path).

Digests are cached in the run store by size, mtime and inode of the files behind them, so a big
folder is read once. A `light` resolver (planning) returns `unpinned` for a big folder that is not
in the cache; `zoo data|models check`, `zoo data fetch` and `zoo sweep` read it. A model of the hub
is identified by its pinned commit and is never read here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.catalog import ModelCard, ProblemCard
from zoo.catalog.model_card import RandomWeights
from zoo.catalog.model_config import context_of, ends_of, geometry_of
from zoo.data import places, problems, weights
from zoo.data.places import NotFetched
from zoo.data.questions import Questions
from zoo.errors import Fault, InputError, listed
from zoo.pocket.generator import GENERATOR_VERSION
from zoo.resources.memory import dense_parameters
from zoo.store.run_store import write_text
from zoo.trials.identity import UNPINNED
from zoo.trials.identity import digest as payload_digest

EMBEDDED = Path(problems.pocket.__file__).parent / "models"
MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
LIGHT_WEIGHTS_BYTES, LIGHT_ROWS_BYTES = 64 * 2**20, 4 * 2**20  # of one card: 0.2 s each
CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json")
PICKLED = ("*.bin", "*.pt", "*.pth")
RANDOM_BUILDER = 1
"""Raised where `zoo.trainer.random_model` makes other weights or tokens of the same card."""
TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "tekken.json", "*.tiktoken")


def model_folder(card: ModelCard) -> Path:
    """The local folder of a model's weights; of a hub model, the snapshot at the pinned commit.

    Raises:
        NotFetched: a hub model that was not fetched, or not wholly.
        InputError: not pinned; or the folder is not there, or a file of it is missing or broken.
    """
    if card.repo:
        return _snapshot(card)
    if card.random_weights:
        return _made(card, card.random_weights)
    folder = EMBEDDED / card.embedded if card.embedded else Path(str(card.path))
    if not (folder / "config.json").is_file():
        expected = "a Hugging Face folder with config.json and *.safetensors"
        hint = "`path` in a card starts at the card's own folder" if card.path else ""
        raise InputError(Fault(str(folder), f"no model '{card.name}' here", expected, hint))
    if not any(folder.glob("*.safetensors")):
        pickled = any(any(folder.glob(pattern)) for pattern in PICKLED)
        found = "only pickled weights, which are never read" if pickled else "no weights"
        expected, hint = "model.safetensors, or several with their index", ""
        if pickled:
            hint = "load it with transformers once and `save_pretrained` it to another folder"
        raise InputError(Fault(str(folder), found, expected, hint))
    _must_be_whole(folder, "copy the model's folder again, whole")
    return folder


def _snapshot(card: ModelCard) -> Path:
    if card.revision is None:
        found, hint = f"{card.repo} is not pinned to a commit", f"`zoo models pin {card.name}`"
        raise InputError(Fault(card.name, found, hint=hint))
    folder = places.snapshot("models", str(card.repo), card.revision)
    where = f"{card.repo} at {card.revision[:12]}"
    hint = (
        f"`zoo models fetch {card.name}` (a model without a card: hf:{card.repo}@{card.revision})"
    )
    if folder is None or not (folder / "config.json").is_file():
        raise NotFetched(Fault(card.name, f"{where} is not on this machine", hint=hint))
    if missing := weights.missing(folder):
        found = f"{where} is not all here: {', '.join(missing[:3])} missing"
        raise NotFetched(Fault(card.name, found, hint=hint))
    _must_be_whole(folder, f"delete it and what it links to, then {hint}")
    return folder


def _made(card: ModelCard, said: RandomWeights) -> Path:
    folder = random_folder(card, said)
    if not (folder / "config.json").is_file():
        found = "its random weights were not drawn on this machine yet"
        raise NotFetched(Fault(card.name, found, hint=f"`zoo models fetch {card.name}`"))
    _must_be_whole(folder, f"delete it, then `zoo models fetch {card.name}`")
    return folder


def random_folder(card: ModelCard, said: RandomWeights) -> Path:
    """Where a model with random weights lies, there or not: by all that its weights follow from."""
    return places.made_models() / f"{card.name}-{random_digest(said, card.eos_ids)}"


def random_digest(said: RandomWeights, ends: tuple[int, ...]) -> str:
    """A digest of all that random weights and their tokenizer follow from."""
    made = {"builder": RANDOM_BUILDER, "eos_ids": list(ends), **said.model_dump()}
    return payload_digest(made, 16)


def _must_be_whole(folder: Path, hint: str) -> None:
    """Raises InputError: files that loading would miss or trip over."""
    names = weights.shards(folder) or ()
    bad = {name: weights.broken(folder / name) for name in names if (folder / name).is_file()}
    bad |= {n: "is not JSON (an object)" for n in CONFIGS if is_broken_json(folder / n)}
    texts = {file.name for pattern in (*CONFIGS, *TOKENIZERS) for file in folder.glob(pattern)}
    bad |= {n: weights.POINTER for n in sorted(texts) if weights.is_pointer(folder / n)}
    faults = [
        Fault(str(folder / name), wrong, "a whole file", hint)
        for name, wrong in bad.items()
        if wrong
    ]
    if missing := weights.missing(folder):
        lora = "; it is an adapter (PEFT): merge it into its base model first"
        why = lora if (folder / "adapter_config.json").is_file() else ""
        faults.append(Fault(str(folder), f"weights missing: {listed(missing)}{why}", hint=hint))
    if not any(file.is_file() for pattern in TOKENIZERS for file in folder.glob(pattern)):
        faults.append(Fault(str(folder), "no tokenizer", "tokenizer.json or tokenizer.model", hint))
    if faults:
        raise InputError(faults)


class LocalResolver:
    """Implements `zoo.manifest.Resolver` from local files.

    `cache` is the run store's cache folder; `light`: read no big files.
    """

    def __init__(self, cache: Path | None = None, *, light: bool = False) -> None:
        self.cache, self.light = cache, light
        self._file = cache / "digests.json" if cache else None
        self._known: dict[str, str] = _read(self._file)
        self._fresh = False
        self.questions = Questions(cache, light=light)
        """Hashes of the questions of every set that was read."""

    def model(self, card: ModelCard) -> str:
        """The pinned commit of a hub model; for random weights a digest of their inputs; else the
        digest of the folder's files by name and content. `unpinned` if unknown.
        """
        if card.random_weights:
            return random_digest(card.random_weights, card.eos_ids)
        return card.revision or UNPINNED if card.repo else self.folder(model_folder(card))

    def described(self, card: ModelCard) -> ModelCard:
        """The card; its missing fields for the memory and time models come from the model's files,
        where they are on this machine. No id depends on them."""
        if card.geometry and card.parameters and card.context and card.eos_ids:
            return card
        try:
            folder = model_folder(card)
        except InputError:
            return card
        config = read_json(folder / "config.json") or {}
        ends = ends_of(config, read_json(folder / "generation_config.json") or {})
        found = {"geometry": geometry_of(config), "context": context_of(config), "eos_ids": ends}
        silent = {name: v for name, v in found.items() if v and not getattr(card, name)}
        origin = dict.fromkeys(silent, "config of its folder") | card.origin
        geometry = silent.get("geometry", card.geometry)
        if geometry and not card.parameters:
            silent["parameters"] = dense_parameters(geometry)
        return card.model_copy(update=silent | {"origin": origin})

    def folder(self, folder: Path) -> str:
        """Digest of a model folder, or `unpinned`."""
        files = sorted({file for pattern in MODEL_FILES for file in folder.glob(pattern)})
        files = [file for file in files if file.name != "README.md"]
        unread = [file for file in files if _file_key(file) not in self._known]
        if self.light and _bytes(unread) > LIGHT_WEIGHTS_BYTES:
            return UNPINNED
        parts = [f"{file.name}:{self.file(file)}" for file in files]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def problems(self, card: ProblemCard) -> str:
        """Digest of the card's normalised problems; if they are not on this machine or not read,
        the card's digest, else `unpinned`.

        Raises:
            InputError: the rows are here and differ from the card.
        """
        return self._problems(card)[0]

    def size(self, card: ProblemCard) -> int | None:
        """How many problems the filters leave; the card's count as an upper bound, where they are
        not on this machine or not read.

        Raises:
            InputError: as `problems`.
        """
        return self._problems(card)[1]

    def _problems(self, card: ProblemCard) -> tuple[str, int | None]:
        if self.light and card.pocket is not None and card.digest is not None:
            # creating the problems again would take half of a plan's time
            return card.digest, card.stated_size
        try:
            files = problems.files(card, self.cache)
        except NotFetched:
            return card.digest or UNPINNED, card.stated_size
        key = _rows_key(card, files)
        digest, _, size = self._known.get(key, "").partition(" ")
        if not size.isdecimal():  # never read, or read by a version without sizes and row checks
            if self.light and _bytes(files) > LIGHT_ROWS_BYTES:
                return digest or card.digest or UNPINNED, card.stated_size
            loaded = problems.load(card, self.cache)
            digest, size = problems.digest(loaded), str(len(loaded))
            self.questions.keep(digest, loaded)
            self._known[key], self._fresh = f"{digest} {size}", True
        return digest, int(size)

    def rows(self, card: ProblemCard) -> str:
        """A key that changes whenever the problems of a card may: its sources, their files, and its
        filters. Unlike the digest it also changes with white space.

        Raises:
            NotFetched: rows of another machine that were not fetched.
            InputError: a local file that is not there.
        """
        return _rows_key(card, problems.files(card, self.cache))

    def file(self, file: Path) -> str:
        """SHA-256 of a file, read once."""
        return self._remember(_file_key(file), lambda: _sha256(file))

    def save(self) -> None:
        """Write what was added to the cache. Planning does not call this: it leaves nothing
        behind.
        """
        self.questions.save()
        if self._fresh and self._file is not None:
            entries = _read(self._file) | self._known
            write_text(self._file, json.dumps(entries), durable=False)
            self._fresh = False

    def _remember(self, key: str, make: Callable[[], str]) -> str:
        if key not in self._known:
            self._known[key] = make()
            self._fresh = True
        return self._known[key]


def read_json(file: Path) -> dict[str, Any] | None:
    """A JSON object, or None where the file is not there or none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_broken_json(file: Path) -> bool:
    """Whether a file is there and is no JSON object."""
    return file.is_file() and read_json(file) is None


def _read(file: Path | None) -> dict[str, str]:
    """The cache as it was left; a lost or broken one only costs the reading of files."""
    return (read_json(file) if file else None) or {}


def _bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _rows_key(card: ProblemCard, files: list[Path]) -> str:
    said = card.model_dump_json(exclude={"name", "about", "source", "license", "stand_in"})
    stamps = [_stamp(file) for file in files]
    return _key(f"problems/{GENERATOR_VERSION}/{said}/{stamps}")


def _file_key(file: Path) -> str:
    return _key(f"file/{file}/{_stamp(file)}")


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _stamp(file: Path) -> str:
    try:
        status = file.stat()
    except OSError as error:  # a link to a file that is not there
        raise _unreadable(file, error) from error
    return json.dumps([status.st_size, status.st_mtime_ns, status.st_ino])


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> InputError:
    return InputError(Fault(str(file), f"cannot be read: {error.strerror}", "a file that can be"))
