"""Runs `mlflow server` on a sqlite store, bound to one address, until it is stopped.

Knows the command line of MLflow and nothing of its Python.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress

from zoo.errors import InputError
from zoo.track.backend import path_of, without_account


def run(uri: str, artifacts: str, port: int, host: str, page: Callable[[], str]) -> int:
    """Serve until stopped; `page()` is the part of the address to print. See `zoo.track.ui`."""
    if (file := path_of(uri)) is None:
        print(f"MLflow: {without_account(uri).rstrip('/')}{page()}")
        return 0
    if not file.is_file():
        raise InputError(
            f"{uri} does not exist: no sweep has been recorded yet; `zoo sweep` does it without "
            "--bare, and `zoo sync NAME` for one that ran"
        )
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"cannot serve on {host}:{port} ({error.strerror}); try --port"
            ) from error
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--default-artifact-root", artifacts, "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    env = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    env["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # eight processes that nothing here uses
    address = f"http://{host}:{port}"
    print(f"starting MLflow at {address} (takes some 20 s; Ctrl-C stops it)", flush=True)
    server = subprocess.Popen(command, env=env, start_new_session=True)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = address + page()
        _wait_until_ready(address, server)
        print(f"MLflow: {found}", flush=True)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and every process that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(server.pid, number)
            server.wait(timeout=10)


def _wait_until_ready(
    address: str, server: subprocess.Popen[bytes], timeout_s: float = 120
) -> None:
    """Wait for the server's first answer, its end, or `timeout_s` seconds."""
    until = time.monotonic() + timeout_s
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
