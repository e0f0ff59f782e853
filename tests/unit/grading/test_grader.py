import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo.grading import GRADER_VERSION, Grader, Item, Verdict


def verdicts(pairs, policy="auto", **limits):
    with Grader(policy, **limits) as grader:
        return [r.verdict for r in grader.grade([Item(gold, text) for gold, text in pairs])]


def test_numbers_are_settled_without_a_worker():
    with Grader("boxed") as grader:
        graded = grader.grade([Item("7", r"\boxed{7}"), Item("7", r"\boxed{8}"), Item("7", "7")])
    assert [r.verdict for r in graded] == [Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER]
    assert graded.share_without_sympy() == 1.0
    assert graded.version == GRADER_VERSION
    assert [r.boxed for r in graded] == [True, True, False]


def test_an_empty_reference_is_bad_gold_and_unscored():
    (verdict,) = verdicts([("", r"\boxed{7}")])
    assert verdict is Verdict.BAD_GOLD
    assert not verdict.scored


def test_what_takes_symbols_is_settled_by_a_worker():
    gold = r"\int_0^1 x dx"
    assert verdicts([(gold, r"\boxed{\frac12}"), (gold, r"\boxed{\frac13}")]) == [
        Verdict.CORRECT,
        Verdict.WRONG,
    ]


def test_order_is_kept_around_hard_cases():
    pairs = [("1", "1"), (r"\int_0^1 2x dx", r"\boxed{1}"), ("2", "3"), ("4", "4")]
    assert [v.value for v in verdicts(pairs)] == ["correct", "correct", "wrong", "correct"]


def test_a_grader_works_from_a_thread():
    out = []
    thread = threading.Thread(target=lambda: out.extend(verdicts([(r"\int_0^1 2x dx", "1")])))
    thread.start()
    thread.join()
    assert out == [Verdict.CORRECT]


def test_a_forked_child_starts_workers_of_its_own_and_leaves_the_parents_alone():
    hard = [Item(r"\int_0^1 2x dx", "1")]
    with Grader("auto") as grader:
        assert grader.grade(hard)[0].verdict.correct
        child = os.fork()
        if child == 0:
            right = grader.grade(hard)[0].verdict.correct
            grader.close()
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert grader.grade(hard)[0].verdict.correct


def test_a_grader_works_from_a_notebook(tmp_path):
    """A process whose `__main__` has no file, in a folder of its own, inside a running event
    loop."""
    code = (
        "import asyncio\n"
        "from zoo.grading import Grader, Item\n"
        "async def cell():\n"
        "    with Grader('auto') as grader:\n"
        "        return grader.grade([Item('\\\\int_0^1 2x dx', '1')])[0]\n"
        "found = asyncio.run(cell())\n"
        "print('__file__' in globals(), found.verdict.value, found.by)\n"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "correct", "symbolic"], done.stderr


def test_a_worker_dies_with_its_parent():
    code = (
        "from zoo.grading import Grader, Item\n"
        "g = Grader('auto'); g.grade([Item('\\\\int_0^1 2x dx', '1')])\n"
        "import os; print(g._pool._workers[0].process.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                return
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")


def test_importing_the_grader_imports_nothing_heavy():
    code = (
        "import sys, zoo.grading, zoo.rewards\n"
        "print([m for m in ('sympy', 'math_verify', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
