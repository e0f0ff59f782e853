"""An engine over stored weights in a process of its own, as wide as asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from zoo.data.resolve import EMBEDDED
from zoo.launching.ranks import LOCALHOST, free_port

MODEL, LIMIT_S = "pocket-mistral", 240
PROMPTS = ("What is 3+4?", "What is 12+5?", "What is 9-2?")
SCRIPT = """
import json, sys
from zoo.manifest.schema import Decoding
from zoo.trainer.engine import EngineSampler, start_engine
from transformers import AutoTokenizer

if __name__ == "__main__":
    folder, width = sys.argv[1], int(sys.argv[2])
    arguments = {
        "tensor_parallel_size": width, "max_model_len": 256, "max_num_seqs": 8, "dtype": "float32",
        "seed": 0, "distributed_executor_backend": "external_launcher" if width == 1 else "mp",
        "gpu_memory_utilization": 0.3,
    }
    llm = start_engine(folder, arguments)
    sampler = EngineSampler(llm, AutoTokenizer.from_pretrained(folder), (), workers=width > 1)
    prompts = json.loads(sys.argv[3])
    drawn = [(0.0, 0), (1.0, 1), (1.0, 1), (1.0, 2)]
    found = [
        [g.token_ids for g in sampler(prompts, [], Decoding(temperature=t), 24, seed)]
        for t, seed in drawn
    ]
    sampler.end()
    print("\\n" + json.dumps(found), flush=True)
"""


def responses(folder: Path, width: int, env: Mapping[str, str]) -> list[list[list[int]]]:
    """Token ids of a pocket model's responses to `PROMPTS` through an engine of so many workers:
    greedy, drawn with seed 1, with seed 1 again, with seed 2. `folder`: for the script."""
    script = folder / "stored.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), str(EMBEDDED / MODEL), str(width), json.dumps(PROMPTS)]
    own = {"MASTER_ADDR": LOCALHOST, "MASTER_PORT": str(free_port())}
    done = subprocess.run(
        command, env={**env, **own}, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])
