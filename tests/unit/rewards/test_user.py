"""A reward of the user's own: what is taken, what is refused and where, and that a trial runs what
was planned or nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zoo.errors import InputError, TrialError
from zoo.grading import Verdict
from zoo.rewards import trying
from zoo.rewards.base import Completion
from zoo.rewards.lookup import reward_of
from zoo.rewards.user import load_user_reward

MINE = """\
PARAMS = {"bonus": 0.25}

def mine(verdicts, completions, params, seed):
    return [1.0 if v.correct else params["bonus"] for v in verdicts]

def _helper(verdicts, completions, params, seed):
    return 0
"""
GROUP = [Verdict.CORRECT, Verdict.WRONG, Verdict.BAD_GOLD]
DONE = [Completion("", True)] * 3
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes `mine.py` into an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def written(text: str) -> Path:
        path = Path("mine.py")
        path.write_text(text)
        return path

    return written


def body(text: str) -> str:
    """A file whose function is one line."""
    return f"def mine(verdicts, completions, params, seed):\n    {text}\n"


def test_a_file_is_a_card_with_the_digest_of_its_source(write: Write) -> None:
    path = write(MINE)
    card = load_user_reward(path).card
    assert (card.name, card.kind, card.version, card.extract) == ("mine", "mine", 1, "simplerl")
    assert card.params == {"bonus": 0.25}
    assert card.code is not None
    assert card.code.file == str(path.resolve())
    assert reward_of(card)(GROUP, DONE, 0) == [1.0, 0.25, None]
    path.write_bytes(MINE.replace("\n", "\r\n").encode())
    again = load_user_reward(path).card.code
    assert again is not None
    assert again.digest == card.code.digest
    write(MINE.replace("0.25", "0.5"))
    other = load_user_reward(path).card.code
    assert other is not None
    assert other.digest != card.code.digest


def test_the_example_of_the_documentation_is_a_reward(write: Write) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "reward.md"
    text = page.read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert load_user_reward(write(example)).card.params == {"bonus": 0.1, "tokens": 64}


def test_a_file_may_say_name_version_policy_and_whether_it_needs_a_box(write: Write) -> None:
    said = 'NAME = "other"\nVERSION = 3\nEXTRACT = "boxed"\nNEEDS_BOX = True\n'
    card = load_user_reward(write(said + MINE)).card
    assert (card.name, card.kind, card.version) == ("other", "other", 3)
    assert (card.extract, card.needs_box) == ("boxed", True)


def test_loading_writes_nothing_beside_the_file_and_never_runs_an_older_one(write: Write) -> None:
    path = write(MINE)
    load_user_reward(path)
    write(MINE.replace("0.25", "0.75"))  # as long, within the same second
    assert load_user_reward(path).card.params == {"bonus": 0.75}
    assert [found.name for found in Path().iterdir()] == ["mine.py"]


def test_dataclasses_and_late_annotations_work_in_it(write: Write) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    text += "@dataclass\nclass Cell:\n    value: float\n"
    card = load_user_reward(write(text + body("return [Cell(2.0).value for v in verdicts]"))).card
    assert reward_of(card)(GROUP, DONE, 0) == [2.0, 2.0, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "mine.py: reward functions found: none; expected one function (verdicts, "),
        ("1 / 0\n", "mine.py:1:1: does not run: ZeroDivisionError: division by zero"),
        ("x = 1\nx = = 2\n", "mine.py:2:5: does not run: SyntaxError"),
        ("import sys\nsys.exit()\n", "mine.py:2:1: does not run: SystemExit"),
        ("import no_such_module\n", "mine.py:1:1: does not run: ModuleNotFoundError"),
        ("\ndef f(x):\n    return x\n", "mine.py:2:1: f(x) is no reward; expected one function"),
        (
            body("return []") + body("return []").replace("mine", "other"),
            "mine.py:3:1: reward functions found: mine, other; expected one function (verdicts, "
            "completions, params, seed) -> [float or None] of a group; let the names of helpers "
            "begin with `_`\n    def other(",
        ),
        ("PARAMS = [1]\n" + MINE[25:], "mine.py:1:1: PARAMS is [1]; expected a dict of names"),
        ("PARAMS = {'x': {1}}\n" + MINE[25:], "PARAMS is {x: {1}}; expected a dict of names and"),
        ("PARAMS = {'x': float('inf')}\n" + MINE[25:], "PARAMS is {x: inf}; expected a dict of"),
        ("PARAMS = {1: 2}\n" + MINE[25:], "PARAMS is {1: 2}; expected a dict of names and plain"),
        ("VERSION = True\n" + MINE, "mine.py:1:1: VERSION is true; expected a whole number of"),
        ("EXTRACT = 'boxd'\n" + MINE, "simplerl, gsm8k, auto; did you mean 'boxed'?\n    EXTRACT"),
        ("NEEDS_BOX = 1\n" + MINE, "mine.py:1:1: NEEDS_BOX is 1; expected True or False"),
        ("NAME = 'My Reward'\n" + MINE, "mine.py:1:1: the name is 'My Reward'; expected a name of"),
        ("NAME = 'matrix'\n" + MINE, "the name is 'matrix'; expected another: zoo has a kind of"),
        (body("return [params['x']]"), "mine.py:2:5: fails on a synthetic group: KeyError: 'x'"),
        (body("return [1.0]"), "mine.py:1:1: gives 1 rewards for 6 completions on a synthetic"),
        (body("return None"), "gives NoneType instead of a list of rewards on a synthetic"),
        (body("return dict.fromkeys(range(6))"), "gives dict instead of a list of rewards on a"),
        (body("return set(range(6))"), "gives set instead of a list of rewards on a synthetic"),
        (body("return ['1'] * 6"), "gives a reward of '1' on a synthetic group; expected 6 fin"),
        (body("return [float('nan')] * 6"), "gives a reward of nan on a synthetic group"),
        (
            "import itertools\ncount = itertools.count()\n" + body("return [next(count)] * 6"),
            "gives [0, 0, 0, 0, 0, 0], then [1, 1, 1, 1, 1, 1] for one group and one seed",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_at_its_place(
    text: str, message: str, write: Write
) -> None:
    with pytest.raises(InputError) as caught:
        load_user_reward(write(text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\nos._exit(0)\n", "mine.py:2:1: does not run: SystemExit: it calls os._exit(0)"),
        (
            "from os import _exit\n" + body("_exit(3)"),
            "mine.py:3:5: fails on a synthetic group: SystemExit: it calls os._exit(3)",
        ),
    ],
)
def test_a_file_that_ends_the_process_is_told_at_its_place(
    text: str, message: str, write: Write
) -> None:
    file = write(text)
    code = f"from zoo.rewards.user import load_user_reward as l; l({file.name!r})"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=file.absolute().parent, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert message in ended.stderr


def test_a_file_may_end_the_processes_that_it_starts(write: Write) -> None:
    child = "import os\npid = os.fork()\nif not pid:\n    os._exit(7)\n"
    told = "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
    load_user_reward(write(child + told + MINE))
    assert os._exit.__module__ == "posix"


def test_all_that_a_file_says_wrongly_is_told_at_once(write: Write) -> None:
    with pytest.raises(InputError) as caught:
        load_user_reward(write("VERSION = 0\nNEEDS_BOX = None\nPARAMS = 7\n" + MINE[25:]))
    places = [fault.place for fault in caught.value.faults]
    assert places == ["mine.py:1:1", "mine.py:2:1", "mine.py:3:1"]


def test_a_file_that_is_not_there_and_a_name_that_nobody_brings_are_told(write: Write) -> None:
    with pytest.raises(InputError, match=r"absent\.py: no such file; expected a Python file"):
        load_user_reward("absent.py")
    with pytest.raises(InputError, match="unknown reward 'no-such-name'"):
        load_user_reward("no-such-name")


def test_what_a_file_prints_goes_to_standard_error(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    load_user_reward(
        write("print('loaded')\n" + MINE.replace("    return", "    print()\n    return"))
    )
    assert capsys.readouterr() == ("", "loaded\n\n\n")


def test_a_reward_that_takes_long_is_named_while_it_does(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "PATIENCE_S", 0.05)
    slow = "import time\n" + MINE.replace(
        "    return", "    time.sleep(params['bonus'])\n    return"
    )
    load_user_reward(write(slow))
    told = capsys.readouterr().err.splitlines()
    assert set(told) == {"zoo: still trying reward mine.py; Ctrl-C stops it"}
    monkeypatch.setattr(trying, "PATIENCE_S", 30.0)
    load_user_reward(write(MINE))
    assert capsys.readouterr().err == ""


def test_a_trial_refuses_a_file_that_changed_or_went_since_the_plan(write: Write) -> None:
    path = write(MINE)
    card = load_user_reward(path).card
    write("raise SystemExit('never run')\n")
    with pytest.raises(
        TrialError, match=r"mine\.py changed since the plan \(.* plan again"
    ) as told:
        reward_of(card)
    assert told.value.failure_class == "data"
    path.unlink()
    with pytest.raises(TrialError, match=r"cannot be loaded: .*no such file"):
        reward_of(card)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package that brings `brought`, a function, and `broken`, which is not there."""
    site = tmp_path / "site"
    about = site / "brings-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    entries = "brought = brings_a_reward:mine\nwhole = brings_a_reward\nbroken = not_there:f\n"
    (about / "entry_points.txt").write_text(f"[zoo.rewards]\n{entries}")
    (site / "brings_a_reward.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("brings_a_reward", None)


@pytest.mark.parametrize("name", ["brought", "whole"])
def test_an_installed_reward_is_found_by_its_name(name: str, package: Path) -> None:
    card = load_user_reward(name).card
    assert (card.name, card.kind, card.params) == (name, name, {"bonus": 0.25})
    assert card.code is not None
    assert (card.code.entry, card.code.file) == (name, None)
    assert reward_of(card)(GROUP, DONE, 0) == [1.0, 0.25, None]


def test_an_installed_reward_that_does_not_load_is_told_with_its_place(package: Path) -> None:
    with pytest.raises(
        InputError, match=r"reward broken \(not_there:f\): does not load: ModuleNot"
    ):
        load_user_reward("broken")
    with pytest.raises(InputError, match=r"did you mean 'brought'\?"):
        load_user_reward("brougt")


def test_an_installed_reward_that_changed_since_the_plan_is_refused(package: Path) -> None:
    (package / "brings_a_reward.py").write_text(MINE + "# as planned\n")
    card = load_user_reward("brought").card
    (package / "brings_a_reward.py").write_text(MINE + "# another\n")
    with pytest.raises(TrialError, match="changed since the plan"):
        reward_of(card)


def test_a_reward_that_fails_in_a_small_first_round_stops_the_run(write: Write) -> None:
    text = body("return [1.0 for c in completions if c.n_tokens < 100]")
    guard = reward_of(load_user_reward(write(text)).card, round_size=8)
    long = [Completion("", False, n_tokens=200)] * 4
    assert guard([Verdict.WRONG] * 4, long, 0, group="1/0") == [None] * 4
    assert guard([Verdict.WRONG] * 4, long, 0, group="1/1") == [None] * 4
    with pytest.raises(TrialError, match="reward 'mine' failed on 8 of 8 samples") as told:
        guard.check()
    assert told.value.failure_class == "reward"
