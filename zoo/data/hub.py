"""Requests to the Hugging Face hub: list the files of a repository at a commit, and download them
into the Hugging Face cache.

The only importer of huggingface_hub, and late. It reads tokens as usual (`hf auth login`,
`HF_TOKEN`); zoo never sees one. `HF_ENDPOINT` names a mirror. When a download is interrupted,
complete files are kept; within a run a partial file is resumed.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo.data.places import Kind, hub_cache, snapshot
from zoo.errors import Fault, FetchError, InputError, ZooError

PUBLIC = "https://huggingface.co"
REF = re.compile(r"hf:([\w.-]+/[\w.-]+)(?:@(\S+))?")


@dataclass(frozen=True)
class RepoListing:
    """The files of a repository at a commit: path inside it -> bytes."""

    kind: Kind
    repo: str
    commit: str
    sizes: dict[str, int]
    gated: bool = False
    """Whether the hub requires an accepted licence."""

    def missing(self, names: list[str]) -> list[str]:
        """Which of these files are not on this machine."""
        folder = snapshot(self.kind, self.repo, self.commit)
        return [name for name in names if folder is None or not (folder / name).is_file()]


def parse_ref(text: str) -> tuple[str, str | None] | None:
    """`hf:org/name@revision` as repository and revision (None if absent); None for any other
    text."""
    match = REF.fullmatch(text)
    return (match[1], match[2]) if match else None


def endpoint() -> str:
    """The hub, or the mirror that `HF_ENDPOINT` names."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC).rstrip("/")


def listing(kind: Kind, repo: str, revision: str | None = None) -> RepoListing:
    """Resolve a branch, tag or commit (None: the newest) to a commit of the hub, with its files.

    Raises:
        InputError: no such repository or revision.
        FetchError: no access, no network.
    """
    with _told(kind, repo, revision):
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint())
        ask = api.model_info if kind == "models" else api.dataset_info
        info = ask(repo, revision=revision, files_metadata=True)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    return RepoListing(kind, repo, str(info.sha), sizes, bool(info.gated))


def download(found: RepoListing, names: list[str], revision: str | None) -> Path:
    """Bring files of a listing into the cache; returns the folder of the snapshot.

    `revision` None also notes the commit as the newest one.

    Raises:
        FetchError: no access, no network, a disk that filled up.
    """
    with _told(found.kind, found.repo, revision):
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils import disable_progress_bars

        if not sys.stderr.isatty():
            disable_progress_bars()
        return Path(
            snapshot_download(
                found.repo,
                repo_type=found.kind.removesuffix("s"),
                revision=revision or "main",
                cache_dir=hub_cache(),
                allow_patterns=[glob.escape(name) for name in names],
                endpoint=endpoint(),
            )
        )


@contextmanager
def _told(kind: Kind, repo: str, revision: str | None) -> Iterator[None]:
    """Convert errors of huggingface_hub into errors with a hint."""
    if (os.environ.get("HF_HUB_OFFLINE") or "0").upper() in ("1", "ON", "YES", "TRUE"):
        raise FetchError(
            f"{repo}: HF_HUB_OFFLINE is set, so nothing can be fetched; unset it, or fetch on "
            f"another machine and copy {hub_cache()}"
        )
    try:
        yield
    except ImportError as error:
        raise FetchError(
            f"{error}: fetching needs the run extra (`pip install 'zoo[run]'`)"
        ) from None
    except OSError as error:
        raise _explained(error, kind, repo, revision) from error
    except Exception as error:
        import httpx
        from huggingface_hub.errors import HFValidationError

        if isinstance(error, HFValidationError):
            raise InputError(Fault("repo", f"'{repo}' is no name of a repository")) from error
        if not isinstance(error, httpx.HTTPError):
            raise
        raise _unreachable(repo, error) from error


def _explained(error: OSError, kind: Kind, repo: str, revision: str | None) -> ZooError:
    from huggingface_hub import errors as hub

    page = f"{endpoint()}/{'' if kind == 'models' else 'datasets/'}{repo}"
    status = error.response.status_code if isinstance(error, hub.HfHubHTTPError) else None
    noun = "model" if kind == "models" else "data set"
    if isinstance(error, hub.GatedRepoError):
        return FetchError(
            f"{repo} is gated: accept its licence at {page}, then `hf auth login` (or HF_TOKEN) "
            "with a token of the account that did"
        )
    if isinstance(error, hub.RevisionNotFoundError):
        found = f"{repo} has no revision '{revision}'"
        hint = "`zoo models pin` finds the newest commit" if kind == "models" else f"see {page}"
        return InputError(Fault("revision", found, "a branch, tag or full commit", hint))
    if isinstance(error, hub.RepositoryNotFoundError):
        hint = f"see {page}; of a private one: `hf auth login` (or HF_TOKEN) first"
        return InputError(Fault("repo", f"the hub shows no {noun} '{repo}'", hint=hint))
    if status in (401, 403):
        return FetchError(
            f"{repo}: the hub refuses the token ({status}); `hf auth login` again (or another "
            f"HF_TOKEN), and see that it may read gated repositories ({page})"
        )
    if error.errno == errno.ENOSPC:
        return FetchError(
            f"{repo}: no space left on the disk of {hub_cache()}; make room or point HF_HOME at a "
            "bigger disk, then fetch again: complete files are kept"
        )
    return _unreachable(repo, error)


def _unreachable(repo: str, error: Exception) -> FetchError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    told = (str(cause).splitlines() or [type(cause).__name__])[0]
    return FetchError(
        f"{repo}: {endpoint()} could not be read ({told}); check the network and HTTPS_PROXY, "
        "name a mirror by HF_ENDPOINT, then fetch again: complete files are kept"
    )
