"""Free GPUs on nodes, and which of them a trial gets: for simulated sweeps and for their order."""

from __future__ import annotations

from zoo.catalog import ComputeProfile


class GpuNodes:
    """GPUs numbered over all nodes; on a CPU, processes on one node."""

    def __init__(self, profile: ComputeProfile) -> None:
        gpus = profile.gpus if profile.device == "cuda" else None
        self.size = gpus or profile.concurrency
        """All of them."""
        self.width = profile.gpus_per_node if profile.device == "cuda" else self.size
        """GPUs of a node."""
        self._free = [
            list(range(at, min(at + self.width, self.size)))
            for at in range(0, self.size, self.width)
        ]

    def take(self, gpus: int) -> tuple[int, ...] | None:
        """GPUs for a trial, of the node that it fills best, or of several whole nodes; None = not
        so many are free."""
        found = self._nodes(gpus)
        if found is None:
            return None
        taken: list[int] = []
        for node in found:
            many = min(gpus - len(taken), len(node))
            taken += node[:many]
            del node[:many]
        return tuple(taken)

    def give(self, gpus: tuple[int, ...]) -> None:
        """The GPUs are free again."""
        for gpu in gpus:
            self._free[gpu // self.width].append(gpu)

    def _nodes(self, gpus: int) -> list[list[int]] | None:
        best: list[int] | None = None
        for node in self._free:
            if len(node) >= gpus and (best is None or len(node) < len(best)):
                best = node
                if len(node) == gpus:
                    break
        if best is not None:
            return [best]
        whole = [node for node in self._free if len(node) == self.width]
        wanted = -(-gpus // self.width)
        return whole[:wanted] if 1 < wanted <= len(whole) else None
