"""`zoo eject`: the script's rewards are the trial's, it says what differs, and what is refused."""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.cli import files, zoo
from tests.support.trials import manifest, trials_of
from zoo.catalog import Catalog, ComputeProfile, RewardCard
from zoo.data import model_folder
from zoo.grading import Verdict
from zoo.release.eject import requirements, script_of
from zoo.rewards.base import Completion
from zoo.rewards.lookup import reward_of
from zoo.rewards.user import load_user_reward
from zoo.trials.trial import Trial

TEXTS = ["a \\boxed{7}", "<think>b</think> <answer>7</answer>", "c c c c c \\boxed{8}", "9"]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trials_of(manifest(tmp_path_factory.mktemp("m")))[0]


def script(trial: Trial, profile: str = "laptop", **update: Any) -> str:
    found = Catalog().get(ComputeProfile, profile).model_copy(update=update)
    return script_of(trial, found, model_folder(trial.model), 2000)


def rewards_of_group(text: str) -> Callable[..., list[float]]:
    """The function of that name in a script: all of the script's reward, and nothing of TRL."""
    first, last = text.index("# -- reward:"), text.index("def reward(")
    imports = [
        ast.unparse(node)
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not ast.unparse(node).startswith(("from datasets", "from tr", "import vllm", "from vl"))
    ]
    there: dict[str, Any] = {"__name__": "ejected"}
    exec("\n".join([*imports, text[first:last]]), there)
    return there["rewards_of_group"]


def group(seed: int) -> tuple[list[Verdict], list[Completion]]:
    """A made-up group of six, one of them unscored."""
    draw = random.Random(seed)
    verdicts = [*draw.choices([Verdict.CORRECT, Verdict.WRONG], k=5), Verdict.GRADER_FAULT]
    texts = draw.choices(TEXTS, k=6)
    return verdicts, [Completion(t, "boxed" in t, draw.randrange(9000), "stop") for t in texts]


@pytest.mark.parametrize("name", Catalog().names(RewardCard))
def test_reward_of_the_script_is_the_trials(
    trial: Trial, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Catalog().get(RewardCard, name)
    text = script(trial.model_copy(update={"reward": card}))
    monkeypatch.setitem(sys.modules, "ejected", ModuleType("ejected"))  # dataclasses look there
    ejected, own = rewards_of_group(text), reward_of(card)
    for seed in range(20):
        verdicts, completions = group(seed)
        expected = own(verdicts, completions, seed, "test")
        known = [value for value in expected if value is not None]
        mean = sum(known) / len(known)
        found = ejected(verdicts, completions, seed)
        assert found == pytest.approx([mean if v is None else v for v in expected])


def test_script_of_an_own_reward_imports_the_copied_file(trial: Trial, tmp_path: Path) -> None:
    source = tmp_path / "bonus.py"
    source.write_text(
        "PARAMS = {'bonus': 0.5}\n\n\ndef reward(verdicts, completions, params, seed):\n"
        "    return [v.correct + params['bonus'] * c.boxed "
        "for v, c in zip(verdicts, completions)]\n"
    )
    card = load_user_reward(source).card
    text = script(trial.model_copy(update={"reward": card}))
    assert "from reward_code import reward\n" in text
    assert "(1.0, reward, {'bonus': 0.5}, 0)" in text


def test_script_compiles_and_names_what_differs(trial: Trial) -> None:
    bonus = trial.model_copy(update={"grpo": trial.grpo | {"entropy_coef": 0.001}})
    text = script(bonus.model_copy(update={"entropy_mean": "update"}))
    compile(text, "train.py", "exec")
    assert "$" not in text
    assert "- The entropy bonus is a mean over each forward pass, not over the update.\n" in text
    assert "entropy bonus" not in script(trial)
    own = script(trial, "cpu-transformers")
    assert "- Transformers draws all responses from one random stream" in own
    assert "import vllm" not in own
    two = script(trial, "cpu-transformers", processes_per_trial=2)
    assert "accelerate launch --num_processes 2 train.py" in two


def test_requirements_are_exact_and_name_the_engine_once() -> None:
    found = requirements()
    assert all("==" in line or line.startswith("# zoo ") for line in found)
    assert sum(line.startswith("vllm") for line in found) <= 1
    assert any(line.startswith("trl==") for line in found)


def test_ejecting_writes_a_folder_once(folder: Path) -> None:
    path = Path("experiments/tiny.yaml")
    words = ("llama.box-strict", "out", "--on", "laptop")
    simulated = zoo("eject", "tiny", *words)
    assert simulated.status == 2
    assert "its trainer is `simulated`" in simulated.error
    assert not Path("out").exists()
    path.write_text(path.read_text().replace("trainer: simulated\n", ""))
    done = zoo("eject", "tiny", *words)
    assert done.status == 0, done.error
    expected = {"train.py", "requirements.txt", "problems.jsonl", "model/model.safetensors"}
    assert expected <= files(Path("out"))
    again = zoo("eject", "tiny", *words)
    assert again.status == 2
    assert "the folder is not empty" in again.error
