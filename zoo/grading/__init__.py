"""Grading: does a completion's answer equal the reference? One grader for training rewards and
evaluation.

Extract (a named rule) -> normalise and compare without sympy -> if undecided, compare symbolically
in a killable worker. Importing this package imports no sympy and no math-verify: only the worker
processes do.

Grading gives verdicts, not rewards; `zoo.rewards` turns verdicts into numbers.
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
