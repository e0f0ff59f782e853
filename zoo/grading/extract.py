r"""Extract the text of an answer from a completion by a named extraction rule. The rule is part of
a reward's or a benchmark's identity.

- `boxed`: the last complete box, with its neighbouring boxes and the signs next to it.
- `simplerl`: the last box, else what follows "answer is", else the last number
  (hkust-nlp/simpleRL-reason parser.py:L499-546, with incomplete boxes treated as none).
- `gsm8k`: what follows the last `####`.
- `auto`: last box, `####`, an answer phrase, the whole text where it reads as one answer, the last
  formula or number.

Text after an end-of-text mark is ignored. Extraction gets neither the reference nor the prompt, so
neither can leak into it; an empty completion has no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from zoo.errors import Fault, InputError, did_you_mean
from zoo.grading.boxes import last_answer
from zoo.grading.tidy import wordset

STOPS = ("<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>")
MAX_TEXT_CHARS = 262_144  # 32k tokens of 8 characters

_NUMBER = re.compile(
    r"(?<![\w.^])(?<!\^\{)[-−]?(?:\$\s?)?[-−]?(?:\d+,\d\d(?=\s?[$€£])|"
    r"(?:\d{1,3}(?:(?:,|\{,\})\d{3})+|\d+)?(?:\.\d+|(?<=\d)))"
    r"(?:\s*/\s*\d+(?!\d|\.\d))?(?:\s*\\?%)?",
    re.ASCII,
)
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s+([^\s{}$\\]+)")
_ESCAPED_BOX = re.compile(r"\\boxed\{([^{}\\$]+)\\\}\$?$")
_ESCAPED_ENDS = ("\\}", "\\}$")
_THOUGHT = "</think>"
_GIVEN, _GIVEN_END = (re.compile(tag, re.IGNORECASE) for tag in ("<answer>", "</answer>"))
_MATH = re.compile(
    r"\$\$(.+?)\$\$|(?<!\\)\$((?:[^$\\]|\\.)+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL
)
_PHRASE = re.compile(
    r"(?:answer|result|solution)s?\**(?:\s+(?:to|of|for)\s+[^.:\n]{1,60}?)?\s*"
    r"(?:is|are|equals|:|=)(?!\w)\**\s*:?\**"
    r"|(?:roots|values) are(?!\w)|correct (?:option|choice) is|答案(?:[是为]|等于)?\s*[:\uff1a]?",
    re.IGNORECASE,
)
_A_LINE = re.compile(r"(?:^|\n)\s*(?:\*\*)?A(?:nswer)?\s*:(?:\*\*)?[ \t]*([^\n]+)", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"\n|。|\.(?=\s|$)|\.(?=\$\s*$)| because\b| since\b|;\s|,\s+(?:so|which|where|as)\b"
)
_DIGIT_RUN = re.compile(r"[0-9]+")
_ONE_ANSWER_CHARS = 200
_CLAUSE_CHARS = 2_100
_CHUNK_CHARS = 2_000
_NUMBER_CHARS = 1_100
_MAX_TRIES = 4
_PHRASE_MARKS = ("nswer", "esult", "olution", "orrect ", "oots are", "alues are")
_WORD = re.compile(r"[A-Za-z]{2,}")
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\{[^{}]*\})?")
_CODE = re.compile(r"__\w+__|\w\(\)|\blambda\b[^:]{0,40}:|\bimport\b|\w\(['\"]|\beval\b|\bexec\b")
_CAPTION = re.compile(r"[A-Za-z]{4,} ?:")
_MEASURE = re.compile(r"[\d.,]+[A-Za-z]{1,3}[²³]?")
_SCALE = re.compile(r" (?:dozen|hundred|thousand|million|billion|trillion|percent)\b")
_ALTERS = re.compile(
    r"\b(?:root|square of|cube of|half of|twice|double|triple|not|less than|more than|greater than"
    r"|fewer than|at least|at most|between|either|unknown|logarithm|factorial|negative|minus"
    r"|reciprocal|inverse|except|other than|opposite|negation|divided|prime|after|false|none|nor"
    r"|number of \w+ (?:below|above|less|greater)|set of|wrong|or equal)\b"
)
_IS = re.compile(r"\s(?:is|are|equals|was|be)\s")
_CONDITIONS = wordset(
    "and or where for some any all real positive negative nonnegative integer integers with if "
    "when constant every number numbers odd even prime not"
)
_PLAIN = wordset("and or either percent pct percentage pi sqrt sin cos tan log ln in cm mm km kg")


def extract(text: str, rule: str, stop: Sequence[str] = STOPS) -> str | None:
    """The text of the answer in `text`, or None where it has none.

    Args:
        text: the completion only.
        rule: one of `RULES`.
        stop: marks after which nothing is read. A text of more than `MAX_TEXT_CHARS` before the
            stop has no answer.

    Raises:
        InputError: for an unknown rule, with a suggestion.
    """
    find, text = rule_named(rule), before_stop(text, stop)
    answer = find(text) if len(text) <= MAX_TEXT_CHARS else None
    answer = answer.strip() if answer else None
    return answer or None


def rule_named(rule: str) -> Callable[[str], str | None]:
    """The extraction function of `rule`."""
    if rule not in _RULES:
        raise InputError(
            Fault(
                place="extract",
                found=f"unknown extraction rule '{rule}'",
                expected="one of " + ", ".join(RULES),
                hint=did_you_mean(rule, list(RULES)),
            )
        )
    return _RULES[rule]


def before_stop(text: str, stop: Sequence[str] = STOPS) -> str:
    """`text` up to the first stop mark."""
    if "<" in text or stop is not STOPS:
        for mark in stop:
            at = text.find(mark)
            if at >= 0:
                text = text[:at]
    return text


def _simplerl(text: str) -> str | None:
    return (
        _minerva(text)
        or last_answer(text)
        or _bare_box(text)
        or _after_phrase(text)
        or _last_number(text)
    )


def _gsm8k(text: str) -> str | None:
    at = text.rfind("####")
    if at < 0:
        return None
    return text[at + 4 :].strip().split("\n", 1)[0]


def _auto(text: str) -> str | None:
    if "</" in text:
        if tagged := _tagged(text):
            return tagged
        thought, _, rest = text.rpartition(_THOUGHT)
        if thought and rest.strip():
            text = rest
    return _told(text) or _whole(text) or _last_formula(text)


def _told(text: str) -> str | None:
    """The marked answer of a text: a box, `####`, an answer phrase."""
    return (
        _minerva(text)
        or last_answer(text)
        or _bare_box(text)
        or _gsm8k(text)
        or _after_phrase(text)
        or _after_a_line(text)
    )


def _tagged(text: str) -> str | None:
    """The content of the last answer tags."""
    before = len(text)
    while before > 0:  # from the end, a window at a time
        start = max(0, before - _CHUNK_CHARS)
        begins = [match.end() for match in _GIVEN.finditer(text, start, before)][-1:]
        end = _GIVEN_END.search(text, begins[0]) if begins else None
        if begins:
            given = text[begins[0] : end.start()] if end else ""
            return (_told(given) or given) if given.strip() else None
        before = start + len("<answer>") - 1 if start else 0
    return None


def _bare_box(text: str) -> str | None:
    r"""What follows the last box without braces: `\boxed 5`; or with an escaped one at the end of
    the text: `\boxed{5\}`.
    """
    if "box" not in text:
        return None
    if text.endswith(_ESCAPED_ENDS) and (broken := _ESCAPED_BOX.search(text, len(text) - 100)):
        return broken[1]
    at = max(text.rfind("\\boxed "), text.rfind("\\fbox "))
    match = _BARE_BOX.match(text, at) if at >= 0 else None
    return match[1] if match else None


def _minerva(text: str) -> str | None:
    """The sentence "The final answer is $...$. I hope it is correct." where it follows the last
    box.
    """
    end = text.rfind(". I hope it is correct")
    if end < 0 or text.rfind("boxed{") > end:
        return None
    start = text.rfind("inal answer is", 0, end)
    if start < 0 or "\n" in text[start:end]:
        return None
    return text[start + len("inal answer is") : end]


def _after_phrase(text: str) -> str | None:
    """The clause after the last "answer is"."""
    before = len(text)
    marks = _PHRASE_MARKS if text.isascii() else (*_PHRASE_MARKS, "答案")
    for _ in range(_MAX_TRIES):
        at = max(text.rfind(word, 0, before) for word in marks)
        if at < 0:
            return None
        start = max(0, at - 12)
        for match in reversed(list(_PHRASE.finditer(text, start, at + 100))):
            clause = _clause(text[match.end() : match.end() + _CLAUSE_CHARS].lstrip())
            if clause:
                return clause
        before = at
    return None


def _after_a_line(text: str) -> str | None:
    """What follows the last line that begins with `A:` or `Answer:`."""
    at = max(text.rfind("A:"), text.rfind("nswer:"), text.rfind("NSWER:"))
    if at < 0:
        return None
    lines = _A_LINE.findall(text, max(0, at - 100), at + _CLAUSE_CHARS)
    return _clause(lines[-1]) if lines else None


def _clause(text: str) -> str | None:
    """The first clause of `text`, reduced to its formula or number where prose surrounds exactly
    one.
    """
    formula = _MATH.match(text)
    start = formula.end() if formula else 0
    end = _CLAUSE_END.search(text, start)
    clause = (text[: end.start()] if end else text).strip().strip("*").strip()
    if not _words_outside(clause, 3):
        return clause or None
    told = [match.end() for match in _IS.finditer(clause)]
    if told and clause[told[-1] :].strip():
        return _clause(clause[told[-1] :].strip())
    if _ALTERS.search(clause):
        return clause
    found = [match.group() for match in _MATH.finditer(clause)]
    found += _numbers(_MATH.sub(" ", clause))
    return found[0] if len(found) == 1 else clause


def _whole(text: str) -> str | None:
    """The text itself where it is short and reads as one answer and not as prose."""
    text = text.strip()
    if not text or len(text) > _ONE_ANSWER_CHARS or "\n" in text:
        return None
    if _CODE.search(text) or (text[0] == "$" and _only_conditions(text)):
        return text
    formulas = any(len(match.group()) > 5 for match in _MATH.finditer(text))
    limit = 1 if formulas or (_MATH.search(text) and any(map(str.isdigit, text))) else 6
    if limit == 6 and any(map(str.isdigit, text)):
        limit = 1 if _CAPTION.match(text) else 2
    return None if _words_outside(text, limit) else text


def is_prose(text: str) -> bool:
    """Whether a text reads as sentences and not as one answer: six words or more outside formulas.
    Of the references of GSM8K, MATH and nine benchmarks one does; of worked solutions 95 % do.
    """
    return _words_outside(text, 6)


def _only_conditions(text: str) -> bool:
    """Whether the words outside formulas only state conditions: `$a^2$ for some $a > 0$`."""
    words = _WORD.findall(_COMMAND.sub(" ", _MATH.sub(" ", text)))
    return all(word.lower() in _CONDITIONS for word in words)


def _words_outside(text: str, limit: int) -> bool:
    """Whether there are at least `limit` words outside formulas, connectives and percent not
    counted.
    """
    outside = _MATH.sub(" ", text) if "$" in text or "\\" in text else text
    outside = _COMMAND.sub(" ", outside)
    return sum(word.lower() not in _PLAIN for word in _WORD.findall(outside)) >= limit


def _last_formula(text: str) -> str | None:
    """The last formula between math delimiters or the last number, whichever ends later."""
    if told := _last_told(text):
        return told
    start = max(0, len(text) - _CLAUSE_CHARS)
    formulas = list(_MATH.finditer(text, start)) if "$" in text or "\\" in text else []
    formulas = [formula for formula in formulas if not formula.group().startswith("$^")]
    if "\\" in text and (bare := _bare_formula(text)):
        return bare
    number = _last_number_match(text)
    if formulas and (number is None or formulas[-1].end() >= number.end()):
        return formulas[-1].group()
    return _last_number(text) if number else None


def _last_told(text: str) -> str | None:
    """What follows the last "is" of the last line, where it is a short formula without words."""
    line = text[-_ONE_ANSWER_CHARS:].rstrip().rsplit("\n", 1)[-1].rstrip(".")
    told = [match.end() for match in _IS.finditer(line)]
    clause = line[told[-1] :].strip() if told else ""
    formula = (
        clause and not (clause.isascii() and clause.isalnum()) and not _words_outside(clause, 1)
    )
    if not formula or "$" in clause or ". " in clause or _MEASURE.fullmatch(clause):
        return None
    return clause


def _bare_formula(text: str) -> str | None:
    r"""The last word of the text, where it is LaTeX without delimiters: `is \frac{1}{2}`."""
    last = text[-_CLAUSE_CHARS:].split()[-1:]
    bare = last[0].rstrip(".,;*") if last else ""
    return bare if _COMMAND.search(bare) and "$" not in bare and bare[-1:] not in ")]" else None


def _last_number(text: str) -> str | None:
    match = _last_number_match(text)
    scale = _SCALE.match(text, match.end()) if match else None
    return match.group() + (scale.group() if scale else "") if match else None


def _last_number_match(text: str) -> re.Match[str] | None:
    """The last number; only the text around the last digits is searched for its beginning."""
    end = len(text)
    tries = 0
    while end > 0 and tries < _MAX_TRIES:
        start = max(0, end - _CHUNK_CHARS)
        runs = list(_DIGIT_RUN.finditer(text, start, end))
        if runs:
            tries += 1
            last = runs[-1]
            if last.end() - last.start() >= _NUMBER_CHARS - 100:
                return last
            start = max(0, last.end() - _NUMBER_CHARS)
            found = list(_NUMBER.finditer(text, start, last.end() + 12))
            if found:
                return found[-1]
        end = start
    return None


def _numbers(text: str) -> list[str]:
    return [match.group() for match in _NUMBER.finditer(text)]


_RULES: dict[str, Callable[[str], str | None]] = {
    "boxed": last_answer,
    "simplerl": _simplerl,
    "gsm8k": _gsm8k,
    "auto": _auto,
}
RULES: tuple[str, ...] = tuple(_RULES)
