"""How far an entropy bonus that is averaged over each forward pass (TRL) moves a gradient from one
that is averaged over the update (zoo): `docs/reference/trl-and-the-study.md` quotes it.

On the update of `tests/stack/test_micro_batches.py`, with `loss_type: dapo`. The last line is one
JSON object: by coefficient and responses a pass the norm of the difference to the gradient of one
pass of 8, over that gradient's norm.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.stack import test_micro_batches as update  # noqa: E402

COEFFICIENTS = (0.001, 0.1)
PASSES = (2, 1)  # responses a forward pass


def main() -> None:
    """Measure and print."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for coefficient in COEFFICIENTS:
            update.COEF = coefficient
            whole = update.gradient(update.trainer_of(Path(folder), "dapo", 8))
            for responses in PASSES:
                for mean, over_update in (("micro_batch", False), ("update", True)):
                    trainer = update.trainer_of(Path(folder), "dapo", responses)
                    trainer.entropy_over_update = over_update
                    off = float(update.off(update.gradient(trainer), whole))
                    print(f"coefficient {coefficient}, {responses} a pass, {mean}: {off:.1e}")
                    found[f"{mean}_{coefficient}_{responses}"] = off
    print(json.dumps(found))


if __name__ == "__main__":
    main()
