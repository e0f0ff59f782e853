"""Download what cards need: weights from the hub, files of data sets and of git repositories.

Existing files are not fetched again. Free disk space is checked before a download starts. Of a
model only safetensors, configuration and tokenizer are fetched, never pickled weights.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from zoo.catalog import (
    BenchmarkCard,
    DataCard,
    GitSource,
    HubSource,
    ModelCard,
    ProblemCard,
)
from zoo.data import git, hub, places
from zoo.errors import Fault, FetchError, InputError

WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "tokenizer*")
UNWANTED = ("*/*", "consolidated*", "*.bin", "*.pt", "*.pth", "*.pkl")  # second copies, pickles
Free = Callable[[Path], int]


@dataclass(frozen=True)
class Fetched:
    """One fetched source: its name, commit, path, and the bytes downloaded (0: it existed)."""

    what: str
    commit: str
    path: Path
    bytes: int


def free_bytes(path: Path) -> int:
    """Free space where `path` is or would be."""
    place = next(p for p in (path, *path.parents) if p.exists())
    return shutil.disk_usage(place).free


def model(card: ModelCard, free: Free = free_bytes) -> Fetched:
    """Fetch a hub model at its pinned commit.

    Raises:
        InputError: not of the hub, not pinned, or without safetensors at that commit.
        FetchError: no access, no network, not enough disk.
    """
    if card.repo is None:
        raise InputError(Fault(card.name, "a model of this machine", "a model of the hub to fetch"))
    if card.revision is None:
        found, hint = f"{card.repo} is not pinned to a commit", f"`zoo models pin {card.name}`"
        raise InputError(Fault(card.name, found, hint=hint))
    found = hub.listing("models", card.repo, card.revision)
    code = ("*.py",) if card.trust_remote_code else ()
    names = [name for name in found.sizes if _wanted(name, code)]
    require_safetensors(found)
    return _download(found, names, card.revision, free)


def require_safetensors(found: hub.RepoListing) -> None:
    """Raises InputError where a model has only pickled weights at that commit."""
    if not any(_wanted(name) and name.endswith(".safetensors") for name in found.sizes):
        raise InputError(
            Fault(
                "repo",
                f"{found.repo} has no safetensors at {found.commit[:12]}",
                "weights that are not pickled",
                "a conversion often waits in a pull request: "
                "`zoo models pin NAME --revision refs/pr/N`",
            )
        )


def data(card: ProblemCard, cache: Path, free: Free = free_bytes) -> list[Fetched]:
    """Fetch the files behind a set of problems and the sets that it names; [] where it needs
    none.

    Raises:
        InputError: a repository, revision or file that is not there.
        FetchError: no access, no network, not enough disk, another content than the card's.
    """
    found = []
    for source in dict.fromkeys(_sources(card)):
        if isinstance(source, HubSource):
            found.append(_data_set(source, free))
        else:
            came, path = git.fetch(source, cache), places.git_file(source, cache)
            found.append(Fetched(f"{source.repo}/{source.path}", source.commit, path, came))
    return found


def _sources(card: ProblemCard) -> Iterator[HubSource | GitSource]:
    if source := card.hub or card.git:
        yield source
    for used in card.uses:
        if isinstance(used, DataCard | BenchmarkCard):
            yield from _sources(used)


def _data_set(source: HubSource, free: Free) -> Fetched:
    if source.revision and places.hub_files(source):  # a pinned commit does not move
        folder = places.snapshot("datasets", source.repo, source.revision)
        return Fetched(source.repo, source.revision, folder or places.hub_cache(), 0)
    found = hub.listing("datasets", source.repo, source.revision)
    for name in source.files:
        if name not in found.sizes:
            there = [n for n in found.sizes if n.endswith((".parquet", ".jsonl"))]
            told = f"no file {name} in {source.repo} at {found.commit[:12]}"
            raise InputError(Fault("files", told, hint=f"available: {', '.join(there[:20])}"))
    return _download(found, list(source.files), source.revision, free)


def _download(
    found: hub.RepoListing, names: list[str], revision: str | None, free: Free
) -> Fetched:
    need = sum(found.sizes[name] for name in found.missing(names))
    room, place = free(places.hub_cache()), places.hub_cache()
    if need > room:
        raise FetchError(
            f"{found.repo}: {size(need)} to fetch, {size(room)} free in {place}; make room, or "
            "point HF_HOME at a bigger disk"
        )
    path = hub.download(found, names, revision)
    return Fetched(found.repo, found.commit, path, need)


def _wanted(name: str, also: tuple[str, ...] = ()) -> bool:
    matches = any(fnmatch(name, pattern) for pattern in (*WANTED, *also))
    return matches and not any(fnmatch(name, pattern) for pattern in UNWANTED)


def size(count: int) -> str:
    """Bytes for people: `14.2 GiB`."""
    if count < 1024:
        return f"{count} B"
    power = min(4, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {' KMGT'[power]}iB"
