"""Names of evaluation metrics: `<series>/<benchmark>/<measure>/<decoding>`, as in
`eval/math500/acc/t1.0`, `watch/math500/acc/t1.0`, `eval/avg6/acc/t0`.

The only module that joins and parses them. Every other metric is a training metric, `train/...`
under TRL's name, and has no parts.
"""

from __future__ import annotations

from dataclasses import dataclass

EVAL = "eval"
"""The series of what is compared; see `zoo.trials.schedule`."""
FINAL = "final"
"""First part of the names under which MLflow has the final numbers as people read them."""
TRAIN = "train"
RESERVED = (EVAL, FINAL, TRAIN)
"""First parts that no schedule may be named."""


@dataclass(frozen=True, slots=True)
class MetricName:
    """The name of an evaluation metric in its four parts, none of which has a `/` in it."""

    series: str
    """`eval`, or the schedule that evaluates it on another set of problems or samples."""
    benchmark: str
    """A benchmark, or `avgN`: the plain mean over the N benchmarks of a schedule."""
    measure: str
    decoding: str

    def __str__(self) -> str:
        return "/".join((self.series, self.benchmark, self.measure, self.decoding))

    @classmethod
    def parse(cls, text: str) -> MetricName | None:
        """The parts of a name; None for a training metric and for what is no name."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == 4 and all(parts) and parts[0] != TRAIN else None


def measure_of(text: str) -> str:
    """The quantity of a metric: `acc` of `eval/math500/acc/t1.0`, `accuracy` of
    `train/accuracy`."""
    name = MetricName.parse(text)
    return name.measure if name else text.rsplit("/", 1)[-1]
