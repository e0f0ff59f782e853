r"""Parser of formulas: tokens in, a small tree out. Reads school and competition notation; computes
no values.

A node is a tuple: `("n", rational)`, `("v", name)`, `("c", "pi"|"e"|"i"|"inf")`, `("+", nodes)`,
`("*", nodes)`, `("/", a, b)`, `("^", a, b)`, `("f", name, node)`, `("root", node, degree)`,
`("log", base, node)`, `("!", node)`, `("binom", n, k)`, `("deg", node)`, `("mod", a, b)`, `("call",
name, node)`. Unknown names become variables, so `\hbar` equals `\hbar` and nothing else. Where
notation is ambiguous it raises `Unread` rather than guess.
"""

from __future__ import annotations

from fractions import Fraction

from zoo.grading.digits import Node, mixed, number
from zoo.grading.lex import FUNCTIONS, Token, Unread
from zoo.grading.tidy import wordset

_CLOSE = {"(": ")", "[": "]", "\\{": "\\}", "{": "}"}
_DECORATIONS = wordset(
    "overline bar hat vec overrightarrow widehat widetilde tilde underline dot ddot mathbb "
    "mathfrak overarc wideparen angle triangle"
)
_TRANSPARENT = frozenset(["underline", "boxed", "fbox", "ensuremath", "mathstrut"])
_REFUSED = wordset(
    "int iint oint lim limsup liminf max min gcd lcm sup inf begin end cancel "
    "bcancel xcancel phantom hphantom vphantom def newcommand input include write csname "
    "catcode let text mathrm det"
)
_SUBSCRIPTS = wordset("max min avg eff tot total net out in rms new old ref left right top base")
_CLOSING = frozenset(("rfloor", "rceil"))
_APPLIED = frozenset("fghFGHPQW")
MINUS_ONE: Node = ("n", -1)


def read(tokens: list[Token]) -> Node:
    """The tree of a whole formula.

    Raises:
        Unread: for anything that is not exactly one formula.
    """
    reader = _TreeReader(tokens)
    node = reader.sum()
    if reader.at != len(tokens):
        raise Unread(f"{tokens[reader.at]}")
    return node


class _TreeReader:
    """Recursive descent; bounded in depth by the structural bound on brackets."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.bars = 0

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def value(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, kind: str) -> None:
        if self.peek() != kind:
            raise Unread(f"{self.value() or 'the end'} where {kind} was expected")
        self.at += 1

    def sum(self) -> Node:
        terms = [self.product()]
        while self.peek() in ("+", "-"):
            terms.append(self.product())
        return terms[0] if len(terms) == 1 else ("+", terms)

    def product(self) -> Node:
        sign = 1
        while self.peek() in ("+", "-"):
            sign = -sign if self.peek() == "-" else sign
            self.at += 1
        factors = [self.factor()]
        while True:
            kind = self.peek()
            if kind in ("*", "/"):
                self.at += 1
                divisor = self.signed_factor()
                if kind == "*":
                    factors.append(divisor)
                else:
                    factors = [("/", self._join(factors), divisor)]
            elif kind == "cmd" and self.value() in ("bmod", "mod"):
                self.at += 1
                factors = [("mod", self._join(factors), self.signed_factor())]
            elif self._continues(kind):
                self._juxtapose(factors)
            else:
                break
        node = self._join(factors)
        if sign > 0:
            return node
        return ("n", -node[1]) if node[0] == "n" else ("*", [MINUS_ONE, node])

    @staticmethod
    def _join(factors: list[Node]) -> Node:
        return factors[0] if len(factors) == 1 else ("*", factors)

    def _continues(self, kind: str) -> bool:
        if kind == "|":
            return not self.bars
        if kind == "cmd":
            return self.value() not in _CLOSING
        return kind in ("num", "sym", "(", "{", "[", "word")

    def _juxtapose(self, factors: list[Node]) -> None:
        """A factor without a sign before it: a product, or the fraction of a mixed number."""
        before, kind, value = factors[-1], self.peek(), self.value()
        written = self.tokens[self.at - 1]
        whole = before[0] == "n" and isinstance(before[1], int) and written[0] == "num"
        whole = whole and "." not in written[1]
        if whole and kind == "num":
            factors[-1] = self._marked(self._mixed_in_text(before))
            return
        glued = before[0] in ("n", "v", "c") and written[0] in ("num", "sym")
        if kind == "num" and glued and before != ("c", "i"):
            raise Unread("a number after a letter or a number")
        factor = self.factor()
        fraction = whole and kind == "cmd" and value == "frac" and len(factors) == 1
        both = mixed(before[1], factor) if fraction else None
        factors[-1:] = [both] if both else [before, factor]

    def _mixed_in_text(self, whole: Node) -> Node:
        """`1 1/2`; any other number that follows a number has no meaning."""
        first = 1 + (self.tokens[0][0] in ("+", "-"))
        after = self.tokens[self.at : self.at + 3]
        if [kind for kind, _ in after] != ["num", "/", "num"] or self.at != first:
            raise Unread("two numbers side by side")
        top, bottom = number(after[0][1]), number(after[2][1])
        both = whole if top == ("n", 0) != bottom else mixed(whole[1], ("/", top, bottom))
        if both is None:
            raise Unread("two numbers side by side")
        self.at += 3
        return both

    def signed_factor(self) -> Node:
        if self.peek() in ("+", "-"):
            negative = self.peek() == "-"
            self.at += 1
            factor = self.signed_factor()
            return ("*", [MINUS_ONE, factor]) if negative else factor
        return self.factor()

    def factor(self) -> Node:
        return self._marked(self.base())

    def _marked(self, node: Node) -> Node:
        """`node` with the powers, factorials, percent and degree signs that follow it."""
        while True:
            kind = self.peek()
            if kind == "^":
                node = self._power(node)
            elif kind == "!":
                self.at += 1
                node = ("!", node)
            elif kind == "%":
                self.at += 1
                node = ("/", node, ("n", 100))
            elif kind == "deg":
                self.at += 1
                node = ("deg", node)
            else:
                return node

    def _power(self, node: Node) -> Node:
        self.at += 1
        if self._circle():
            return ("deg", node)
        exponent = self.argument()
        if node[0] == "v" and self.peek() == "_":  # `v^2_0` is the square of `v_0`
            self.at += 1
            node = ("v", f"{node[1]}_{self._subscript()}")
        return ("^", node, exponent)

    def _circle(self) -> bool:
        for form in (("cmd",), ("{", "cmd", "}")):
            tokens = self.tokens[self.at : self.at + len(form)]
            if tuple(kind for kind, _ in tokens) == form and ("cmd", "circ") in tokens:
                self.at += len(form)
                return True
        return False

    def argument(self) -> Node:
        """A braced formula, or one token as LaTeX takes it."""
        if self.peek() == "{":
            return self.group("{")
        if self.peek() == "-":
            self.at += 1
            return ("*", [MINUS_ONE, self.base()])
        return self.base()

    def digit_argument(self) -> Node:
        r"""As `argument`, but of a bare number one digit: `\frac12` is a half."""
        if self.peek() == "num" and len(self.value()) > 1 and self.value().isdigit():
            digits = self.value()
            self.tokens = [*self.tokens]
            self.tokens[self.at] = ("num", digits[1:])
            return ("n", int(digits[0]))
        return self.argument()

    def group(self, opener: str) -> Node:
        self.take(opener)
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.bars = bars
        self.take(_CLOSE[opener])
        return node

    def base(self) -> Node:
        kind, value = self.peek(), self.value()
        if kind == "num":
            self.at += 1
            return self._repeating(value)
        if kind in ("sym", "word", "cmd"):
            self.at += 1
            return {"sym": self.symbol, "word": self.word, "cmd": self.command}[kind](value)
        if kind in ("(", "{", "["):
            return self.group(kind)
        if kind == "|":
            return self._absolute()
        raise Unread(value or "the end")

    def _repeating(self, text: str) -> Node:
        """A number, with the repeating digits that may follow its point."""
        if not (self.peek() == "cmd" and self.value() in ("overline", "bar") and "." in text):
            return number(text.rstrip("."))
        self.at += 1
        self.take("{")
        digits = self.value()
        self.take("num")
        self.take("}")
        if not digits.isdigit():
            raise Unread(digits)
        places = len(text.partition(".")[2])
        tail = Fraction(int(digits), (10 ** len(digits) - 1) * 10**places)
        return ("n", number(text.rstrip("."))[1] + tail)

    def _absolute(self) -> Node:
        self.take("|")
        self.bars += 1
        node = self.sum()
        self.take("|")
        self.bars -= 1
        return ("f", "abs", node)

    def symbol(self, name: str) -> Node:
        """A letter with its subscript and primes; `e` and `i` are constants; `f(x)` is a call."""
        plain = name
        if self.peek() == "_":
            self.at += 1
            name += "_" + self._subscript()
        while self.peek() == "'" or self._prime():
            self.at += self.peek() == "'"
            name += "'"
        if name == "e" or name == "i":
            return ("c", name)
        if self.peek() == "(" and (plain in _APPLIED or self._at_zero()):
            return ("call", name, self.group("("))
        return ("v", name)

    def _at_zero(self) -> bool:
        """Whether `(0)` follows: a product with zero is never written so, hence it is a call."""
        return self.tokens[self.at : self.at + 3] == [("(", "("), ("num", "0"), (")", ")")]

    def _prime(self) -> bool:
        for form in (
            [("^", "^"), ("cmd", "prime")],
            [("^", "^"), ("{", "{"), ("cmd", "prime"), ("}", "}")],
        ):
            if self.tokens[self.at : self.at + len(form)] == form:
                self.at += len(form)
                return True
        return False

    def _subscript(self) -> str:
        if self.at >= len(self.tokens):
            raise Unread("the end")
        if self.peek() == "{":
            return self.raw_group()
        name = self.value()
        if self.peek() == "word" and name not in _SUBSCRIPTS:  # LaTeX takes one letter
            rest = name[1:]
            self.tokens = [*self.tokens]
            self.tokens[self.at] = ("sym" if len(rest) == 1 else "word", rest)
            return name[0]
        self.at += 1
        return name

    def raw_group(self) -> str:
        """A braced group as a name; its content is not read."""
        self.take("{")
        depth, parts = 1, []
        while self.at < len(self.tokens):
            kind, value = self.tokens[self.at]
            self.at += 1
            depth += (kind == "{") - (kind == "}")
            if depth == 0:
                return "".join(parts)
            parts.append(value.strip())
        raise Unread("an open brace")

    def word(self, word: str) -> Node:
        """Several letters: a product of few ones, whose last takes subscript and powers; else one
        name.
        """
        if len(word) > 3:
            return ("v", word)
        letters = [("c", letter) if letter in "ei" else ("v", letter) for letter in word[:-1]]
        return ("*", [*letters, self._marked(self.symbol(word[-1]))])

    def command(self, name: str) -> Node:
        if name == "frac":
            top = self.digit_argument()
            return ("/", top, self.digit_argument())
        if name == "sqrt":
            degree: Node = ("n", 2)
            if self.peek() == "[":
                degree = self.group("[")
            return ("root", self.argument(), degree)
        if name in FUNCTIONS:
            return self._function(name)
        if name == "binom":
            top = self.digit_argument()
            return ("binom", top, self.digit_argument())
        if name in ("sum", "prod"):
            return self._series(name)
        if name in ("pi", "infty"):
            return ("c", "inf" if name == "infty" else name)
        if name in ("lfloor", "lceil"):
            node = self.sum()
            if self.tokens[self.at : self.at + 1] != [("cmd", "r" + name[1:])]:
                raise Unread(name)
            self.at += 1
            return ("f", name[1:], node)
        if name in _TRANSPARENT and self.peek() == "{":
            return self.group("{")
        if name in _DECORATIONS:
            content = self.raw_group() if self.peek() == "{" else self._subscript()
            return self.symbol(f"\\{name} {content}")
        if name in _REFUSED or (name.startswith("r") and name[1:] in ("floor", "ceil")):
            raise Unread(name)
        return self.symbol("\\" + name)

    def _series(self, name: str) -> Node:
        """A sum or product over an index: an unknown function, by its limits, of what it joins."""
        limits = ""
        while self.peek() in ("_", "^"):
            limits += self.peek()
            self.at += 1
            limits += self._subscript()
        return ("call", f"\\{name}{limits}", self.product())

    def _function(self, name: str) -> Node:
        base: Node | None = None
        power: Node | None = None
        for _ in range(2):
            if self.peek() == "_":
                self.at += 1
                base = self.argument()
            elif self.peek() == "^":
                self.at += 1
                power = self.argument()
        argument = self._function_argument()
        inverse = power == ("n", -1) or power == ("*", [MINUS_ONE, ("n", 1)])
        if inverse and name in ("sin", "cos", "tan", "cot", "sec", "csc"):
            return ("f", "arc" + name, argument)
        if base is not None and name != "log":
            raise Unread(name)
        node: Node = ("f", name, argument) if base is None else ("log", base, argument)
        return ("^", node, power) if power is not None else node

    def _function_argument(self) -> Node:
        """A bracketed argument, or the factors up to the next sign or function."""
        if self.peek() in ("(", "{", "["):
            node = self.group(self.peek())
            while self.peek() == "!":
                self.at += 1
                node = ("!", node)
            return node
        if self.peek() == "cmd" and self.value() in FUNCTIONS:
            self.at += 1
            return self._function(self.tokens[self.at - 1][1])
        factors = [self.factor()]
        while self.peek() in ("sym", "num", "word") or self._argument_command():
            factors.append(self.factor())
        return self._join(factors)

    def _argument_command(self) -> bool:
        """Whether a command follows that a function without brackets takes into its argument."""
        stops = self.value() in FUNCTIONS or self.value() in _CLOSING or self.value() == "bmod"
        return self.peek() == "cmd" and not stops
