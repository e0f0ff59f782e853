"""A small stand-in for the Hugging Face hub and for raw files of git repositories, on 127.0.0.1.

Answers what huggingface_hub 1.x asks for when it looks up a revision, lists a tree and downloads a
file by plain HTTP: ETag, X-Repo-Commit, ranges, and the hub's error codes. A file can be made to
break off once. `/raw/OWNER/NAME/COMMIT/PATH` are git's files, for `ZOO_GIT_ENDPOINT`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

GOOD_TOKEN = "hf_good"


@dataclass
class Repo:
    """One repository: its commits (files by path) and what its branches and tags point to."""

    commits: dict[str, dict[str, bytes]]
    refs: dict[str, str]
    gated: bool = False


@dataclass
class Mirror:
    """What is served, and what was asked for (`METHOD path`, with the range where there is one)."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    """By `models/org/name` or `datasets/org/name`."""
    raw: dict[str, bytes] = field(default_factory=dict)
    """By `owner/name/commit/path`."""
    break_once: dict[str, int] = field(default_factory=dict)
    """Path -> bytes after which its next download breaks off."""
    asked: list[str] = field(default_factory=list)

    def put(self, key: str, files: dict[str, bytes], commit: str = "a" * 40, **more: Any) -> str:
        """Serve a repository with one commit, its `main`; returns the commit."""
        self.repos[key] = Repo({commit: files}, {"main": commit}, **more)
        return commit


@contextmanager
def serving() -> Iterator[Mirror]:
    """A mirror that runs until the end of the block."""
    mirror = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    mirror.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        asked = self.headers.get("Range")
        self.mirror.asked.append(f"{self.command} {path}{f' {asked}' if asked else ''}")
        parts = path.split("/")
        if parts[0] == "raw":
            body = self.mirror.raw.get("/".join(parts[1:]))
            return self._error(404, "") if body is None else self._file(path, body, "")
        if parts[0] == "api":
            return self._api(parts[1:])
        kind = "datasets" if parts[0] == "datasets" else "models"
        parts = parts[1:] if kind == "datasets" else parts
        found = self._repo(f"{kind}/{parts[0]}/{parts[1]}", parts[3])
        if found is None:
            return None
        repo, commit = found
        if repo.gated and self.headers.get("Authorization") != f"Bearer {GOOD_TOKEN}":
            return self._error(401, "GatedRepo")
        name = "/".join(parts[4:])
        if name not in repo.commits[commit]:
            return self._error(404, "EntryNotFound")
        return self._file(name, repo.commits[commit][name], commit)

    def _api(self, parts: list[str]) -> None:
        key, what = "/".join(parts[:3]), parts[3:]
        found = self._repo(key, "/".join(what[1:]) or "main")
        if found is None:
            return
        repo, commit = found
        files = repo.commits[commit]
        if what[:1] == ["tree"]:
            self._json(
                [
                    {"type": "file", "path": n, "size": len(b), "oid": _etag(b)}
                    for n, b in files.items()
                ]
            )
        else:
            siblings = [{"rfilename": n, "size": len(b)} for n, b in files.items()]
            about = {"id": "/".join(parts[1:3]), "sha": commit, "siblings": siblings}
            self._json(about | {"gated": "manual" if repo.gated else False})

    def _repo(self, key: str, revision: str) -> tuple[Repo, str] | None:
        """The repository and the commit that a revision means, or None after an error."""
        repo = self.mirror.repos.get(key)
        if repo is None:
            return self._error(404, "RepoNotFound")
        commit = repo.refs.get(revision, revision)
        if commit not in repo.commits:
            return self._error(404, "RevisionNotFound")
        return repo, commit

    def _file(self, name: str, body: bytes, commit: str) -> None:
        start = int((self.headers.get("Range") or "bytes=0-").split("=")[1].rstrip("-"))
        if start and start >= len(body):
            return self._error(416, "")
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_etag(body)}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.command == "HEAD":
            return None
        rest = body[start:]
        if (stop := self.mirror.break_once.pop(name, None)) is not None:
            self.wfile.write(rest[:stop])
            self.close_connection = True
            return None
        self.wfile.write(rest)
        return None

    def _json(self, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _etag(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()
