"""The four behaviours of the study, and a detector of their usual words.

Gandhi et al. 2025 (arXiv:2503.01307) name verification, backtracking, subgoal setting and backward
chaining; SimpleRL-Zoo (arXiv:2503.18892, section 2.2 and appendix I) replaces the last by
enumeration. The keywords are zoo's. Keywords detect less than a judge (its figure 15): read the
direction, not the level.
"""

from __future__ import annotations

import re
from types import MappingProxyType

BEHAVIOURS = ("verification", "backtracking", "subgoal_setting", "enumeration")
VERSION = "1"
"""Version of the keywords below: part of the id of their labels."""
MAX_CHARS = 65_536
"""Characters of a response that are searched."""

_LET = r"\b(?:let(?:'s| us| me)|(?:we|i) (?:can|should|will|must|need to))"
_WORDS = {
    "verification": (
        rf"{_LET} (?:now )?(?:check|verify|confirm|test|double[- ]check)\b",
        r"\b(?:double|re|sanity)[- ]?check",
        r"\bverif(?:y|ies|ied|ying|ication)\b",
        r"\bplug(?:ging)? (?:this|it|that|them|these|back|in)\b",
        r"\bsubstitut(?:e|ing) (?:this |it |them )?back\b",
        r"\bchecking (?:this|that|our|my|the)\b",
    ),
    "backtracking": (
        r"\bwait[,.!]",
        r"\b(?:try|start) (?:again|over)\b",
        rf"{_LET} (?:rethink|reconsider|redo|go back|try (?:another|a different))\b",
        r"\b(?:does not|doesn't|will not|won't|did not|didn't) work\b",
        r"\b(?:that|this)(?:'s| is) (?:wrong|incorrect|not (?:right|correct))\b",
        r"\bi (?:have )?made (?:a|an) (?:mistake|error)\b",
        r"\b(?:alternatively|rethink|reconsider(?:ing)?|on second thought)\b",
    ),
    "subgoal_setting": (
        r"\bfirst,? (?:we|i|let|find|compute|calculate|determine)\b",
        r"\bstep (?:1|one)\b",
        r"\bto (?:solve|find|do|answer) (?:this|that|it|the)\b[^.\n]{0,80}\bwe (?:first|need)\b",
        r"\b(?:our|the) (?:first|next) (?:step|goal|task) is\b",
        r"\bbreak (?:this|it|the problem) (?:down|up|into)\b",
        r"\bwe need to (?:first|find|determine|calculate|compute)\b",
    ),
    "enumeration": (
        r"\bcase (?:1|i|one|a)\b",
        r"\b(?:consider|check|try|list|examine|test) (?:all|each|every)\b",
        r"\benumerat(?:e|es|ed|ing|ion)\b",
        r"\bone by one\b",
        r"\ball (?:the )?(?:possible|possibilities|cases)\b",
        r"\bfor each (?:possible|value|case|of)\b",
    ),
}
PATTERNS = MappingProxyType(
    {name: re.compile("|".join(words), re.IGNORECASE) for name, words in _WORDS.items()}
)


def detect(text: str) -> frozenset[str]:
    """The behaviours whose keywords occur in a response."""
    text = text[:MAX_CHARS].replace("\u2019", "'")
    return frozenset(name for name, pattern in PATTERNS.items() if pattern.search(text))
