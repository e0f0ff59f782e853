"""An OpenAI-compatible chat endpoint over plain HTTP of the standard library.

Retries with backoff what may pass (no connection, a timeout, 408, 409, 425, 429, 5xx); everything
else is an error that names the endpoint and never the key. Redirects are refused, since a key would
follow them; a key is sent over https, or to this machine.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from zoo.errors import Fault, InputError, StateError, printable

MAX_REPLY_BYTES = 2**20
AGAIN = {408, 409, 425, 429, *range(500, 600)}
MAX_WAIT_S = 60.0
LOCAL = ("127.0.0.1", "localhost", "::1")
T = TypeVar("T")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to follow."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Never."""


@dataclass(frozen=True)
class Endpoint:
    """`url` is the base of the API, as `https://host/v1`."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout_s: float = 120.0
    retries: int = 5
    backoff_s: float = 1.0
    """Before the first retry; doubled for each further one, at most a minute."""

    def __post_init__(self) -> None:
        """Raises InputError: a URL that cannot be used, or would carry the key in the open."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            expected = "the base of an API, as https://host/v1"
            raise InputError(Fault("--endpoint", f"'{self.url}'", expected))
        if parts.username or parts.password or parts.query:
            raise InputError(Fault("--endpoint", "a URL with a login or a query", "neither"))
        if self.key and parts.scheme == "http" and parts.hostname not in LOCAL:
            found = "a key would go over plain http"
            raise InputError(Fault("--endpoint", found, "https, or this machine"))

    def ask(
        self, messages: list[dict[str, str]], settings: dict[str, Any], read: Callable[[str], T]
    ) -> T:
        """The answer, parsed by `read`; one that it refuses (ValueError) is requested again.

        Raises:
            StateError: no usable answer after all retries, or the endpoint refuses.
        """
        body = json.dumps({"model": self.model, "messages": messages, **settings}).encode()
        why = ""
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(min(MAX_WAIT_S, self.backoff_s * 2 ** (attempt - 1)))
            try:
                return read(self._once(body))
            except ValueError as error:
                why = f"unusable answer: {error}"
            except urllib.error.HTTPError as error:
                if error.code not in AGAIN:
                    raise self._error(f"HTTP {error.code} {_reason(error)}") from None
                why = f"HTTP {error.code}"
                _wait_as_told(error)
            except (OSError, http.client.HTTPException) as error:
                why = str(getattr(error, "reason", error)) or type(error).__name__
        raise self._error(f"{why} ({self.retries + 1} attempts)")

    def _once(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(url, body, headers, method="POST")
        handlers: list[Any] = [_NoRedirect()]
        if urlsplit(self.url).hostname in LOCAL:
            handlers.append(urllib.request.ProxyHandler({}))
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=self.timeout_s) as reply:
            raw = reply.read(MAX_REPLY_BYTES + 1)
        if len(raw) > MAX_REPLY_BYTES:
            raise ValueError("a reply that is too long")
        try:
            text = json.loads(raw)["choices"][0]["message"]["content"]
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            raise ValueError("no chat completion") from error
        if not isinstance(text, str):
            raise ValueError("a message without text")
        return text

    def _error(self, why: str) -> StateError:
        text = f"{self.url}: {printable(why)[:300]}"
        if self.key:
            text = text.replace(self.key, "...")
        return StateError(
            f"{text}; finished judgements are kept; run the command again to continue"
        )


def _reason(error: urllib.error.HTTPError) -> str:
    """The message of a refusal, shortened."""
    with error:
        raw = error.read(2000)
    try:
        return str(json.loads(raw)["error"]["message"])[:200]
    except (ValueError, RecursionError, LookupError, TypeError):
        return str(error.reason)


def _wait_as_told(error: urllib.error.HTTPError) -> None:
    """Wait for the seconds in `Retry-After`."""
    with error:
        told = error.headers.get("Retry-After", "")
    if told.isdecimal():
        time.sleep(min(MAX_WAIT_S, float(told)))
