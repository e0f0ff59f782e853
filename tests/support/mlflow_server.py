"""A real MLflow server on localhost, behind a proxy that asks for user and password, can be slow
and can refuse what is uploaded."""

from __future__ import annotations

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "reader", "p4ss:word"
HOP = ("connection", "transfer-encoding", "content-length", "host", "authorization", "date")


class Proxy(ThreadingHTTPServer):
    """Forwards what carries the account to `port`."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = port
        self.delay_s = 0.0
        """Every answer comes so much later."""
        self.refused = ""
        """Requests with this in their path are answered by 403."""
        self.asked: list[str] = []
        """Method and path of what was forwarded, but reads."""

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay_s)
        account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {account}":
            return self._answer(401, b"You are not authenticated.")
        if self.server.refused and self.server.refused in self.path:
            return self._answer(403, b"Permission denied.")
        if self.command != "GET" and "/search" not in self.path:
            self.server.asked.append(f"{self.command} {self.path}")
        kept = {name: v for name, v in self.headers.items() if name.lower() not in HOP}
        link = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        link.request(self.command, self.path, body, kept)
        got = link.getresponse()
        self._answer(got.status, got.read(), got.getheader("Content-Type") or "text/plain")
        link.close()

    def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # who asked may have given up
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

    def log_message(self, format: str, *args: object) -> None:
        pass


def free_port() -> int:
    """A port of localhost that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(folder: Path) -> Iterator[Proxy]:
    """A server over `folder`/mlflow.db, which is there, behind its proxy."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env.pop("MLFLOW_TRACKING_URI", None)
    with (folder / "server.txt").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
    proxy = Proxy(port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        _wait_for(port)
        yield proxy
    finally:
        proxy.shutdown()
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=30)


def _wait_for(port: int, timeout_s: float = 400.0) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            link.request("GET", "/health")
            if link.getresponse().status == 200:
                return
        except OSError:
            assert time.monotonic() < end, "MLflow did not start"
        time.sleep(0.2)
