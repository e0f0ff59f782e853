"""How the pocket base models behave: 500 held-out problems a bucket, greedy and at temperature 1.0.

    python tests/bench/pocket_models.py [MODEL ...] [--write]

Samples through vLLM as a trial does, one process a model, and grades with zoo's grader. Prints a
table; the last line is one JSON object. `--write` puts the table into the models' README. The
problems are the generator's `test` split, which no benchmark, training set or pretraining text
shares.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from zoo.catalog import (  # noqa: E402
    BenchmarkCard,
    Catalog,
    ComputeProfile,
    ModelCard,
    PocketSource,
    PromptCard,
)
from zoo.data import load, model_folder, render  # noqa: E402
from zoo.evals.aggregate import measures  # noqa: E402
from zoo.grading import Grader, Item  # noqa: E402
from zoo.manifest.schema import Decoding  # noqa: E402
from zoo.pocket.generator import LEVELS  # noqa: E402

MODELS = ("pocket-qwen2", "pocket-llama", "pocket-mistral")
DECODINGS = {"t0": Decoding(temperature=0.0), "t1.0": Decoding(temperature=1.0)}
README = Path(__file__).parents[2] / "zoo" / "pocket" / "models" / "README.md"
MARK = "<!-- measured -->"
ROWS = "rows: "  # before what a model's process tells; vLLM prints as well


def measure(name: str) -> list[dict]:
    """Rows of one model: bucket, decoding and its measures."""
    from transformers import AutoTokenizer
    from vllm import LLM

    from zoo.trainer.engine import EngineSampler

    catalog = Catalog()
    card = catalog.get(ModelCard, name)
    prompt, folder = catalog.get(PromptCard, card.prompt), model_folder(card)
    llm = LLM(model=str(folder), max_model_len=1024, dtype="float32", max_num_seqs=256)
    sampler = EngineSampler(llm, AutoTokenizer.from_pretrained(folder), card.stop_ids)
    rows = []
    with Grader("simplerl") as grader:
        for level in LEVELS:
            held_out = BenchmarkCard(
                form="benchmark/1",
                name=f"pocket-{level}",
                pocket=PocketSource(level=level, split="test", n=500),
            )
            problems = load(held_out)
            prompts = [render(prompt, problem) for problem in problems]
            for decoding in DECODINGS:
                found = sampler(prompts, problems, DECODINGS[decoding], card.cap, seed=0)
                items = [Item(p.answer, g.text) for p, g in zip(problems, found, strict=True)]
                results = grader.grade(items).results
                numbers = measures(
                    [r.verdict for r in results],
                    [r.boxed for r in results],
                    [len(g.token_ids) for g in found],
                    [g.finish for g in found],
                )
                rows.append(
                    {"model": name, "bucket": held_out.name, "decoding": decoding} | numbers
                )
    return rows


def table(rows: list[dict]) -> str:
    """The rows as a markdown table."""
    head = (
        "| model | bucket | decoding | accuracy | box ratio | cut at the max response length "
        "| mean tokens |"
    )
    lines = [head, "|---|---|---|---|---|---|---|"]
    for row in rows:
        numbers = " | ".join(f"{row[key]:.3f}" for key in ("acc", "box_ratio", "clipped_ratio"))
        line = f"| {row['model']} | {row['bucket']} | {row['decoding']} | {numbers} "
        lines.append(line + f"| {row['mean_length']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure the models one after another, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--write", action="store_true", help="update the models' README")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(ROWS + json.dumps(measure(arguments.models[0])), flush=True)
        return
    rows = []
    env = os.environ | Catalog().get(ComputeProfile, "laptop").env
    for name in arguments.models:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr[-3000:])
        told = [line for line in done.stdout.splitlines() if line.startswith(ROWS)]
        rows += json.loads(told[0].removeprefix(ROWS))
    print(table(rows))
    if arguments.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(MARK)
        after = rest.partition(MARK)[2]
        README.write_text(f"{before}{MARK}\n{table(rows)}\n{MARK}{after}", encoding="utf-8")
    print(json.dumps({f"{r['model']}/{r['bucket']}/{r['decoding']}": r for r in rows}))


if __name__ == "__main__":
    main()
