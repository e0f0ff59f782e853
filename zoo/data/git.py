"""Single files of public GitHub repositories at a commit, kept by their content.

Plain HTTPS, no git. A file appears only when complete and with the card's SHA-256. An interrupted
download is resumed, also in a later run. `ZOO_GIT_ENDPOINT` names a mirror with the same paths
(`OWNER/NAME/COMMIT/PATH`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import BinaryIO

from zoo.catalog import GitSource
from zoo.data.places import git_file
from zoo.errors import Fault, FetchError, InputError

PUBLIC = "https://raw.githubusercontent.com"
TRIES, TIMEOUT_S, CHUNK_BYTES = 3, 30.0, 1 << 20


def endpoint() -> str:
    """Where files come from."""
    return (os.environ.get("ZOO_GIT_ENDPOINT") or PUBLIC).rstrip("/")


def fetch(source: GitSource, cache: Path) -> int:
    """Bring a file into `cache` unless it is there; returns the bytes that came down.

    Raises:
        InputError: no such file.
        FetchError: no network, or another content than the card's.
    """
    target = git_file(source, cache)
    if target.is_file():
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    url = "/".join((endpoint(), source.repo, source.commit, urllib.parse.quote(source.path)))
    with target.with_name(f"{target.name}.part").open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # of two processes, the second finds it done
        if target.is_file():
            return 0
        begun = stream.seek(0, os.SEEK_END)
        _fill(stream, url, source)
        size = stream.tell()
        stream.seek(0)
        found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != source.sha256:
            stream.truncate(0)
            raise FetchError(
                f"{url}: its SHA-256 is {found}, the card has {source.sha256}; the mirror or the "
                "card is wrong"
            )
        os.fsync(stream.fileno())
        Path(stream.name).replace(target)
        return size - begun


def _fill(stream: BinaryIO, url: str, source: GitSource) -> None:
    """Append the missing bytes of a file; retries when the connection breaks."""
    for left in reversed(range(TRIES)):
        try:
            if _append(stream, url):
                return
            told = "the connection broke off"
        except urllib.error.HTTPError as error:
            if error.code == 404:
                found = f"no file {source.path} in {source.repo} at {source.commit[:12]}"
                raise InputError(Fault("git", found, hint=url)) from error
            told = f"{error.code} {error.reason}"
            if error.code == 416:  # the partial file is longer than the whole
                stream.truncate(0)
        except OSError as error:
            told = str(getattr(error, "reason", error))
        if not left:
            raise FetchError(
                f"{url} could not be read ({told}); check the network and HTTPS_PROXY, name a "
                "mirror by ZOO_GIT_ENDPOINT, then fetch again: it goes on where it broke"
            )


def _append(stream: BinaryIO, url: str) -> bool:
    """Download from the end of `stream` on; returns whether the file is complete."""
    have = stream.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        if answer.status == 200:
            stream.truncate(0)  # the server ignores the range and sends the whole file
        length = answer.headers.get("Content-Length")
        got = 0
        while chunk := answer.read(CHUNK_BYTES):
            stream.write(chunk)
            got += len(chunk)
    stream.flush()
    return length is None or got == int(length)
