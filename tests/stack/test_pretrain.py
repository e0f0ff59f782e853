"""The pocket models can be rebuilt: the same command gives the same files on the same machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from zoo.data.resolve import EMBEDDED


def test_pretraining_twice_gives_the_same_files_and_the_shipped_tokenizer(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    command = [
        sys.executable,
        "-m",
        "zoo.pocket.pretrain",
        "pocket-mistral",
        "--steps",
        "4",
        "--out",
    ]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*command, str(folder)], env=env, stderr=subprocess.PIPE)
        for folder in folders
    ]
    for process in running:
        errors = process.communicate(timeout=250)[1]
        assert process.returncode == 0, errors.decode()[-2000:]
    for file in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes(), file
    shipped = EMBEDDED / "pocket-mistral"
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (folders[0] / file).read_bytes() == (shipped / file).read_bytes(), file
