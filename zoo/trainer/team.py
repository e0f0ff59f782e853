"""The processes of one trial: process 0 leads, the others follow.

Only the leader has a session: it closes rounds, evaluates, writes. Work that needs all processes is
a command that it calls with `lead`; followers execute commands in `follow` until the leader ends
the round. Objects travel over gloo on the CPU, in a separate group, so that waiting for a long
evaluation blocks no GPU and no collective of the trainer. The launcher handles a process that dies
(`zoo.launching.ranks`): the others wait here until they are ended.

With a single process every command is a plain call.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

OVER = "over"
PATIENCE = timedelta(days=7)
"""How long a process waits for another; longer than any round, as the launcher ends what hangs."""


class Team:
    """One process among those of its trial.

    Args:
        engine_width: processes that share one engine (tensor parallelism).
    """

    def __init__(self, rank: int = 0, size: int = 1, engine_width: int = 1) -> None:
        self.rank, self.size, self.engine_width = rank, size, engine_width
        self.handlers: dict[str, Callable[..., Any]] = {}
        """Command -> what each process does; the leader's answer is that of `lead`."""
        self._group: Any = None
        if size > 1:
            import torch.distributed as dist

            found = dist.get_world_size()
            if found != size:
                raise RuntimeError(f"{found} processes met, the trial has {size}")
            self._group = dist.new_group(backend="gloo", timeout=PATIENCE)

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0

    @property
    def engine(self) -> int:
        """Number of the engine that this process is part of."""
        return self.rank // self.engine_width

    @property
    def engines(self) -> int:
        """Engines of the trial."""
        return self.size // self.engine_width

    def share(self, value: Any) -> Any:
        """The leader's value, in all processes."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        held = [value]
        dist.broadcast_object_list(held, src=0, group=self._group)
        return held[0]

    def gather(self, value: Any) -> list[Any]:
        """All processes' values by rank, for the leader; nothing for the others."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] | None = [None] * self.size if self.leads else None
        dist.gather_object(value, values, dst=0, group=self._group)
        return values or []

    def lead(self, command: str, *arguments: Any) -> Any:
        """Run a command in all processes; returns the result of the leader's handler."""
        if self.size > 1:
            self.share((command, arguments))
        return self.handlers[command](*arguments)

    def over(self, ended: bool) -> None:
        """Let the followers go on. `ended`: training ends here."""
        if self.size > 1:
            self.share((OVER, ended))

    def follow(self) -> bool:
        """Answer the leader's commands until the round is over; returns whether training is."""
        while True:
            command, arguments = self.share(None)
            if command == OVER:
                return arguments
            self.handlers[command](*arguments)


def place_in_team() -> tuple[int, int]:
    """Number of this process and how many there are, from its environment (as torchrun's)."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")) if size > 1 else 0), size


def even_parts(count: int, parts: int) -> list[range]:
    """Split so many items into contiguous parts whose sizes differ by at most one."""
    ends = [count * at // parts for at in range(parts + 1)]
    return [range(begin, end) for begin, end in itertools.pairwise(ends)]


def spread_seed(seed: int, *places: int) -> int:
    """A seed for each engine and round of a trial: 32 bits of a hash, so that no two trials or
    engines draw the same numbers, as `seed + rank` would for neighbouring seeds."""
    import hashlib

    text = "/".join(map(str, (seed, *places)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
