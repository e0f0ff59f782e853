"""Every field of manifest and cards: in which ids it is and how, or why it is in none.

A table only: `zoo.trials.identity` computes the ids. A test walks all models and fails
on a field that is not here, and changes one field after the other to check that ids change as in
the table. A model's own fields are listed with it, those that it inherits with its base.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel


class Place(NamedTuple):
    """Where a field is: the earliest ids that follow from it (ids of later stages include
    earlier ids), and how, or why in none.

    `problems`: in the train id where the problems are trained on, in the ids of samples where they
    are a benchmark. `parts`: by its own fields.
    """

    ids: Literal["train", "problems", "sample", "score", "parts", "none"]
    how: str


VALUE = Place("train", "by value")
SETTING = Place("train", "resolved into the trial's settings, which are in by value")
CARD = Place("train", "names a card, of which the content is in")
FILES = Place("train", "by a digest of the model's files")
HORIZON = Place("train", "where a schedule depends on it; else a run can be extended")
PROBLEMS = Place("problems", "by a digest of the normalised problems that are left")
SAMPLE = Place("sample", "by value")
SCORE = Place("score", "by value")
BONUS = Place("train", "by value where there is an entropy bonus; else out")
ADAPTER = Place("train", "by value where `r` is not 0; else out")
PARTS = Place("parts", "by its own fields")

FORM = Place("none", "has one value")
NAME = Place("none", "in the slug before the hash, for people")
PROSE = Place("none", "prose for readers; no computation uses it")
CHECKED = Place("none", "checked against the files: it can stop a run and changes none")
FETCHING = Place("none", "where the bytes come from; the content itself is hashed")
COST = Place("none", "an estimate of memory, time or length, for the plan")
WARNED = Place("none", "used by a plan warning")
STAND_IN = Place("none", "for rehearsals only; there the stand-in's content is hashed")
CELLS = Place("none", "selects which cells exist; changes none of them")
SCHEDULE = Place("none", "schedules evaluations; these do not change training")
JUDGING = Place("none", "read when runs are compared")
GUARD = Place("none", "a limit on the whole study")
TRIPWIRE = Place("none", "in the record: a stopped trial keeps its id and its number")
COMPUTE = Place("none", "where trials run; the software is in the stack of samples")
DERIVED = Place("none", "derived from other fields")

FIELDS: dict[str, dict[str, Place]] = {
    # -- manifest ----------------------------------------------------------------------------------
    "Experiment": {
        "form": FORM,
        "name": NAME,
        "question": PROSE,
        "prediction": PROSE,
        "recipe": CARD,
        "grid": PARTS,
        "zip": PARTS,
        "seeds": VALUE,
        "rounds": HORIZON,
        "final": JUDGING,
        "trainer": VALUE,
        "grpo": SETTING,
        "batch": SETTING,
        "peft": SETTING,
        "overrides": PARTS,
        "exclude": CELLS,
        "include": CELLS,
        "evaluate": PARTS,
        "tripwires": TRIPWIRE,
        "budget": GUARD,
        "claims": JUDGING,
        "max_trials": GUARD,
    },
    "SeedLooks": {"start": CELLS, "add": CELLS, "most": CELLS, "until": FORM},
    "Axes": dict.fromkeys(("model", "reward", "data", "prompt", "recipe"), CARD),
    "Override": {"when": SETTING, "set": SETTING, "why": PROSE},
    "Exclude": {"why": PROSE},
    "Include": {"why": PROSE},
    "Evaluate": {"watch": PARTS, "full": PARTS, "decoding": PARTS},
    "Schedule": {
        "benchmarks": PARTS,
        "problems": SAMPLE,
        "samples": SAMPLE,
        "every": SCHEDULE,
        "at": SCHEDULE,
        "decodings": SCHEDULE,
    },
    "Decoding": {
        "temperature": SAMPLE,
        "top_p": SAMPLE,
        "max_tokens": Place("sample", "by value; None = the trial's max response length"),
    },
    "Threshold": dict.fromkeys(("metric", "above", "below", "rounds"), JUDGING),
    "Tripwire": {"then": TRIPWIRE, "when": TRIPWIRE},
    "Budget": dict.fromkeys(("gpu_hours", "usd", "disk_gib", "hours"), GUARD),
    "Claim": dict.fromkeys(
        [
            *("id", "says", "kind", "compare", "differs_by", "order"),
            *("event", "where", "for_each", "metric", "k", "expect"),
        ],
        JUDGING,
    ),
    "Expect": dict.fromkeys(
        ("lower_by", "higher_by", "not_worse_than", "equal_within", "not_before"), JUDGING
    ),
    "InlineModel": {
        "path": Place("train", "by a digest of the folder's files; of the hub by repo and commit"),
        "prompt": CARD,
        "name": NAME,
        "stop_ids": VALUE,
        "cap": SETTING,
        "beta": SETTING,
        "base": Place("train", "as a card of a checkpoint that was trained elsewhere"),
    },
    "InlineData": {"path": PROBLEMS, "columns": PARTS, "gold": PROBLEMS, "name": NAME},
    "InlineBenchmark": {"extract": SCORE},
    # -- cards -------------------------------------------------------------------------------------
    "Card": {"name": NAME, "about": PROSE, "source": PROSE},
    "ModelCard": {
        "form": FORM,
        "family": PROSE,
        "parameters": COST,
        "geometry": COST,
        "embedded": FILES,
        "path": FILES,
        "repo": VALUE,
        "revision": VALUE,
        "gated": WARNED,
        "license": PROSE,
        "trust_remote_code": Place("train", "by value where true: the code is of that commit"),
        "random_weights": PARTS,
        "base": Place("train", "of a checkpoint that was trained elsewhere: the base's content"),
        "trained": Place("none", "metadata of a checkpoint; its weights are hashed by content"),
        "context": COST,
        "prompt": CARD,
        "stop_ids": VALUE,
        "eos_ids": CHECKED,
        "cap": Place("train", "as max_completion_length, where the recipe has from-card"),
        "beta": Place("train", "as grpo.beta, where the recipe has from-card"),
        "response": COST,
        "origin": PROSE,
        "traps": PROSE,
        "stand_in": STAND_IN,
    },
    "Geometry": dict.fromkeys(
        ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab", "tied"), COST
    ),
    "RandomWeights": dict.fromkeys(("config", "seed"), VALUE),
    "ResponseLength": {"base": COST, "trained": COST},
    "Trained": dict.fromkeys(("by", "reward", "data", "rounds"), PROSE),
    "ProblemCard": {
        "pocket": PARTS,
        "local": PARTS,
        "hub": PARTS,
        "git": PARTS,
        "built": PARTS,
        "filters": PARTS,
        "n": CHECKED,
        "kept": CHECKED,
        "digest": Place("problems", "replaces the problems until they are fetched; then checked"),
        "license": PROSE,
        "stand_in": STAND_IN,
        "uses": DERIVED,
    },
    "PocketSource": dict.fromkeys(("level", "split", "n", "seed"), PROBLEMS),
    "Rows": {"columns": PARTS, "gold": PROBLEMS},
    "Columns": {
        "problem": PROBLEMS,
        "answer": PROBLEMS,
        "level": Place("none", "for metrics by level; what is picked by level is in by content"),
    },
    "LocalSource": {"path": PROBLEMS},
    "HubSource": dict.fromkeys(("repo", "revision", "files"), PROBLEMS),
    "GitSource": {
        "repo": FETCHING,
        "commit": FETCHING,
        "path": FETCHING,
        "sha256": PROBLEMS,
    },
    "Ingredient": {"data": PROBLEMS, "levels": PROBLEMS},
    "BuiltSource": {"parts": PARTS},
    "Filters": {
        "empty": Place("none", "off = an error where it would leave something out"),
        "max_prompt_chars": PROBLEMS,
        "prompt": PROBLEMS,
        "duplicates": PROBLEMS,
        "overlap": PROBLEMS,
    },
    "DataCard": {"form": FORM, "length_factor": COST},
    "BenchmarkCard": {
        "form": FORM,
        "extract": SCORE,
        "samples": SAMPLE,
        "decoding": PROSE,
        "published": PROSE,
        "overlaps": WARNED,
    },
    "Published": {"before": PROSE, "after": PROSE},
    "Overlap": {"problems": WARNED, "how": WARNED},
    "RewardCard": {
        "form": FORM,
        "kind": VALUE,
        "version": VALUE,
        "extract": VALUE,
        "params": VALUE,
        "needs_box": WARNED,
        "code": PARTS,
    },
    "RewardCode": {"digest": VALUE, "file": FETCHING, "entry": FETCHING},
    "PromptCard": {"form": FORM, "template": VALUE, "asks_for_box": WARNED},
    "RecipeCard": {
        "form": FORM,
        "grpo": SETTING,
        "batch": PARTS,
        "peft": PARTS,
        "entropy_mean": BONUS,
    },
    "Peft": dict.fromkeys(("r", "alpha", "dropout", "target_modules"), ADAPTER),
    "Batch": {
        "prompts": VALUE,
        "num_generations": VALUE,
        "updates": VALUE,
        "micro_batch": Place("train", "by value where it is pinned; else the profile's, out"),
    },
    "ComputeProfile": {
        "form": FORM,
        "device": COMPUTE,
        "executor": COMPUTE,
        "address": COMPUTE,
        "gpu": COMPUTE,
        "gpus": COMPUTE,
        "gpus_per_node": COMPUTE,
        "concurrency": COMPUTE,
        "cpus_per_trial": COMPUTE,
        "gpus_per_trial": COMPUTE,
        "processes_per_trial": COMPUTE,
        "nodes_per_trial": COMPUTE,
        "micro_batch": COMPUTE,
        "gradient_checkpointing": COMPUTE,
        "trim_padding": COMPUTE,
        "engine": COMPUTE,
        "generation_batch": COMPUTE,
        "engine_dtype": COMPUTE,
        "vllm_gpu_memory_utilization": COMPUTE,
        "vllm_enable_sleep_mode": COMPUTE,
        "save_every": COMPUTE,
        "keep": COMPUTE,
        "keep_extendable": COMPUTE,
        "grace_s": COMPUTE,
        "silence_s": COMPUTE,
        "warm_starts": COMPUTE,
        "env": COMPUTE,
        "slurm": COMPUTE,
    },
    "SlurmOptions": dict.fromkeys(
        [
            *("partition", "account", "qos", "time", "constraint", "extra"),
            *("setup", "python", "report_partition"),
        ],
        COMPUTE,
    ),
    "Gpu": dict.fromkeys(("name", "memory_gib", "speed", "usd_per_hour", "usd_source"), COMPUTE),
    # -- what they resolve to ----------------------------------------------------------------------
    "Trial": {
        "id": DERIVED,
        "identity": DERIVED,
        "cell": NAME,
        "seed": VALUE,
        "rounds": HORIZON,
        "trainer": VALUE,
        "recipe": NAME,
        "model": PARTS,
        "model_digest": FILES,
        "base": PARTS,
        "base_digest": FILES,
        "data": PARTS,
        "data_digest": PROBLEMS,
        "reward": PARTS,
        "prompt": PARTS,
        "grpo": VALUE,
        "batch": PARTS,
        "peft": PARTS,
        "entropy_mean": BONUS,
        "evaluations": PARTS,
        "final": JUDGING,
        "tripwires": TRIPWIRE,
        "said": Place("none", "the lock separates edits from drift by it"),
        "rehearsal": Place("train", "with what the stand-ins replaced"),
    },
    "Evaluation": {
        "benchmark": PARTS,
        "digest": SAMPLE,
        "problems": SAMPLE,
        "samples": SAMPLE,
        "decoding_name": NAME,
        "decoding": PARTS,
        "rounds": Place("sample", "each sample is of one round"),
        "schedules": SCHEDULE,
        "series": NAME,
    },
}


def place(model: type[BaseModel], field: str) -> Place | None:
    """The entry of a model's field, or None where the table does not list it."""
    for made in model.__mro__:
        if (found := FIELDS.get(made.__name__, {}).get(field)) is not None:
            return found
    return None
