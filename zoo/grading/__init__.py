"""Grading: is this completion's answer the reference's? One grader for training reward and for
evaluation.

Extract (a named rule) -> normalise and compare without sympy -> where only symbols can tell, ask a
killable worker. Importing this package imports no sympy and no math-verify: they live in the worker
processes alone.

It knows verdicts, not rewards: what a verdict is worth is `zoo.rewards`.
"""

from zoo.grader_version import GRADER_VERSION
from zoo.grading.boxes import has_box
from zoo.grading.extract import RULES, extract
from zoo.grading.fast import agree
from zoo.grading.grader import Grader
from zoo.grading.verdict import Graded, Item, Result, Verdict

__all__ = [
    "GRADER_VERSION",
    "RULES",
    "Graded",
    "Grader",
    "Item",
    "Result",
    "Verdict",
    "agree",
    "extract",
    "has_box",
]
