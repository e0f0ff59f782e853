"""Connections between the launchers of one trial that spans nodes: all begin together, and the end
of one ends all.

The launcher of node 0 listens; the others connect and show the launch's token. Once all are
connected it sends the port at which their processes meet (`port`), and when those shall end
(`over`); a launch that ran out of memory begins again over the same connections. An open connection
means that the other side is alive: when it closes, or reports a failed process, the launch ends on
all nodes. One line of JSON per message.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import socket
import time
from typing import Any

from zoo.errors import FailureClass, StateError
from zoo.launching.ranks import Rendezvous

POLL_S = 0.1
LIMIT = 64 * 1024
"""Bytes of a message at most."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 4}
"""A node that is switched off closes no connection: it counts as gone after 30 s of silence."""


class Link:
    """One end of a connection between two launchers."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._read = connection, b""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
        self.gone = False
        """Whether the other side has closed it."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a failure to send means that the other side is gone."""
        try:
            self._socket.settimeout(5.0)
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.gone = True

    def receive(self, wait_s: float = 0.0) -> dict[str, Any] | None:
        """The next message; None if none has arrived.

        Raises:
            StateError: the data is not a message.
        """
        end = time.monotonic() + wait_s
        while b"\n" not in self._read and not self.gone:
            self._socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                got = self._socket.recv(4096)
            except TimeoutError:
                return None
            except OSError:
                got = b""
            self.gone, self._read = not got, self._read + got
            if len(self._read) > LIMIT:
                raise StateError("a launcher of another node sent what is no message")
        line, _, self._read = self._read.partition(b"\n")
        if not line:
            return None
        try:
            return dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise StateError("a launcher of another node sent what is no message") from error

    def close(self) -> None:
        """Say that this side is gone."""
        with contextlib.suppress(OSError):
            self._socket.close()


class Host:
    """The links of node 0's launcher to all others."""

    def __init__(self, where: Rendezvous, token: str) -> None:
        """Raises:
        StateError: the address is not of this machine, or the port is in use.
        """
        self.where, self.token = where, token
        self.links: dict[int, Link] = {}
        self.failed = ""
        """What ended the launch on another node."""
        self.failure_class = FailureClass.KILLED
        """Of that failure."""
        self._begun = 0
        """The port of the launch that runs; word of an earlier one may still arrive."""
        try:
            self._listener = socket.create_server((where.address, where.port))
        except OSError as error:
            at = f"{where.address}:{where.port}"
            raise StateError(
                f"cannot wait at {at} for the launchers of other nodes: {error}"
            ) from error

    @property
    def port(self) -> int:
        """At which the others find it."""
        return self._listener.getsockname()[1]

    def accept(self, wait_s: float = POLL_S) -> bool:
        """Take up who comes meanwhile; returns whether all are there."""
        self._listener.settimeout(wait_s)
        with contextlib.suppress(TimeoutError):
            connection, _ = self._listener.accept()
            link = Link(connection)
            hello = link.receive(5.0) or {}
            known = hmac.compare_digest(str(hello.get("token")), self.token)
            node = hello.get("node")
            if known and isinstance(node, int) and 0 < node < self.where.nodes:
                self.links[node] = link
            else:
                link.close()
        return len(self.links) == self.where.nodes - 1

    def begin(self, port: int) -> None:
        """Send all the port at which their processes meet."""
        self.failed, self._begun = "", port
        for link in self.links.values():
            link.send({"port": port})

    def end(self) -> None:
        """Have the processes of all nodes end; the launchers wait for the next launch."""
        for link in self.links.values():
            link.send({"over": True})

    def over(self) -> bool:
        """Whether another node has ended, which ends the launch here."""
        for node, link in self.links.items():
            if (message := link.receive()) is not None and message.get("port") == self._begun:
                self.failed = str(message.get("failed", ""))
                with contextlib.suppress(ValueError):
                    self.failure_class = FailureClass(message.get("class"))
            elif link.gone and not self.failed:
                self.failed = f"the launcher of node {node} is gone"
                self.failure_class = FailureClass.INFRA
        return bool(self.failed)

    def close(self) -> None:
        """End the launch on all nodes."""
        for link in self.links.values():
            link.close()
        self._listener.close()


def join(where: Rendezvous, token: str) -> Link | None:
    """Try to reach the launcher of node 0; None = not there yet."""
    try:
        link = Link(socket.create_connection((where.address, where.port), timeout=5.0))
    except OSError:
        time.sleep(POLL_S)
        return None
    link.send({"node": where.node, "token": token})
    return link
