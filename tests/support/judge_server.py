"""A chat endpoint on this machine that answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str], Any]
"""From the last message to the reply's text, or (status, headers, body)."""


@dataclass
class Server:
    """Where it listens, and what it was sent."""

    url: str
    answer: Answer
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def says(*names: str, quote: str = "check") -> str:
    """A judge's answer that names these behaviours."""
    return json.dumps({"behaviours": [{"name": name, "quote": quote} for name in names]})


@contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    """Serve until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.bodies.append(body)
                server.headers.append(dict(self.headers))
                found = server.answer(body["messages"][-1]["content"])
            if isinstance(found, str):
                found = (200, {}, json.dumps({"choices": [{"message": {"content": found}}]}))
            status, headers, text = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            raw = text.encode()
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_port}/v1", answer)
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
