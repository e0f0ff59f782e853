r"""The worker process, which alone imports sympy and math-verify: `python -m zoo.grading.worker`.
No module imports it.

It reads one JSON request a line on standard input and answers each with one JSON line: `{"equal":
bool}`, `{"bad_gold": text}`, `{"memory": true}` or `{"fault": text}`. Its bounds are the kernel's,
so no Python or C loop can sit them out: two interval timers whose default action ends the process,
and a limit on its address space. It ends itself when its input closes or its parent is gone. It
gets no extraction rule and no completion, only two short texts of whitelisted characters.
"""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import sys
from typing import Any

_IDLE_CHECK_S = 2.0
_FORBIDDEN = re.compile(
    r"__|[\x00-\x08\x0e-\x1f\ud800-\udfff]|\b(?:import|lambda|eval|exec|compile|getattr|setattr|globals"
    r"|locals|open|os|sys|subprocess|builtins)\b\s*[.(\['\":]"
)
_MAX_CHARS = 20_000


def main() -> None:
    """Serve requests until the input closes. Arguments: parent pid, cpu_s, memory_mib."""
    parent, cpu_s, memory_mib = int(sys.argv[1]), *map(float, sys.argv[2:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error, never into the protocol
    judge = _load()
    limit = int(memory_mib * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(2_000)
    replies.write('{"ready": true}\n')
    for request in _requests(parent):
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        signal.setitimer(signal.ITIMER_REAL, request.pop("wall_s"))
        reply = _judge_safely(judge, request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(json.dumps(reply) + "\n")
        if reply.get("memory"):
            return


def _requests(parent: int) -> Any:
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], _IDLE_CHECK_S)
        if not ready:
            if os.getppid() != parent:
                return
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            return
        pending += chunk
        *lines, pending = pending.split(b"\n")
        yield from map(json.loads, lines)


def _load() -> Any:
    import logging

    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify

    def judge(gold: str, prediction: str) -> dict[str, Any]:
        expected = parse(gold, parsing_timeout=0)
        if not expected:
            return {"bad_gold": "math-verify reads nothing in the reference"}
        found = parse(prediction, parsing_timeout=0)
        return {"equal": bool(verify(expected, found, timeout_seconds=None))}

    for warm in ("$\\boxed{x^2 < \\frac{1}{2}}$", "$\\boxed{\\{1\\} \\cup [2, 3)}$"):
        judge(warm, warm)  # grammars and caches are built before any budget runs
    return judge


def _judge_safely(judge: Any, request: dict[str, Any]) -> dict[str, Any]:
    for text in request.values():
        if len(text) > _MAX_CHARS or _FORBIDDEN.search(text):
            return {"equal": False, "refused": True}
    try:
        return judge(request["gold"], request["prediction"])
    except MemoryError:
        return {"memory": True}
    except RecursionError:
        return {"equal": False}
    except (
        Exception
    ) as error:  # a library's failure on hostile text is a reply, not the end of the worker
        return {"fault": f"{type(error).__name__}: {error}"[:300]}


if __name__ == "__main__":
    main()
