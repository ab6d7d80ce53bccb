"""Derivatives as formulas: those of a node, by the table's own rule on symbols, and those of compositions, as text.

Each symbol knows its number, so the rule decides its branches as it did for the numbers. The texts are closed forms,
such as 1 − o² for o = tanh(x); tests prove them with SymPy, so that no picture needs it. Not here: the rules (`table`).
Read next: `notation.namespaces`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from autograd_mini.core.node import is_relu
from autograd_mini.core.row import TABLE, ZERO, Constant, Primitive, interpreters
from autograd_mini.core.rules import DENSITY, GAUSS, LN2, LOG2E, LOG10E
from autograd_mini.core.traced import RELATE, Unrecorded, local_partials, relations
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.spelling import Markup, Signs, Spelling, spelling, spelling_of
from autograd_mini.notation.text import bracketed, guarded, number


class ClosedForm(NamedTuple):
    """A derivative written with a few letters; letters side by side are multiplied."""

    text: str  # such as "a_i(δ_ij − a_j)"
    where: str  # what the letters stand for
    value: Callable[..., float]  # the same derivative as a function; its parameters are the letters

    @property
    def letters(self) -> tuple[str, ...]:
        """The letters in the text."""
        return self.value.__code__.co_varnames

    def numbered(self, letters: Mapping[str, float], digits: int = 4) -> str:
        """Return the text with numbers in place of its letters."""
        written, after_operand = "", False
        for token in re.findall("|".join([*sorted(self.letters, key=len, reverse=True), r"\d+", " +", "."]), self.text):
            is_operand = token in self.letters or token.isdecimal()
            written += " × " * (after_operand and (is_operand or token == "("))
            written += guarded(number(letters[token], digits)) if token in self.letters else token
            after_operand = is_operand or token in (")", "²")
        return written


_SIGMOID, _SOFTMAX = "a = sigmoid(x)", "a = softmax(z)"
# By the name of the composition.
CLOSED_FORMS: dict[str, ClosedForm] = {
    "tanh": ClosedForm("1 − o²", "o = tanh(x)", lambda o: 1.0 - o * o),
    "sigmoid": ClosedForm("a(1 − a)", _SIGMOID, lambda a: a * (1.0 - a)),
    "softplus": ClosedForm("a", _SIGMOID, lambda a: a),
    "log_sigmoid": ClosedForm("1 − a", _SIGMOID, lambda a: 1.0 - a),
    "silu": ClosedForm("a(1 + x(1 − a))", _SIGMOID, lambda a, x: a * (1.0 + x * (1.0 - a))),
    "gelu": ClosedForm("Φ + xφ", "Φ is the normal distribution at x, φ its density", lambda Φ, x, φ: Φ + x * φ),
    "relu": ClosedForm("1 if x > 0, else 0", "x is the operand", lambda x: 1.0 if x > 0.0 else 0.0),
    "leaky_relu": ClosedForm("1 if x > 0, else s", "s is the slope on the left", lambda x, s: 1.0 if x > 0.0 else s),
    "softsign": ClosedForm("(1 − |o|)²", "o = softsign(x)", lambda o: (1.0 - abs(o)) ** 2),
    "softmax": ClosedForm(
        "a_i(δ_ij − a_j)", f"{_SOFTMAX}, δ_ij = 1 if i = j, else 0", lambda a_i, δ_ij, a_j: a_i * (δ_ij - a_j)
    ),
    "log_softmax": ClosedForm("δ_ij − a_j", f"{_SOFTMAX}, δ_ij = 1 if i = j, else 0", lambda δ_ij, a_j: δ_ij - a_j),
    "logsumexp": ClosedForm("a_j", _SOFTMAX, lambda a_j: a_j),
    "cross_entropy": ClosedForm("a_j − t_j", f"{_SOFTMAX}, t is the target", lambda a_j, t_j: a_j - t_j),
    "nll": ClosedForm("−t_j", "t is the target", lambda t_j: -t_j),
    "binary_cross_entropy": ClosedForm("(a − t)/n", f"{_SIGMOID}, t is the target, n their number",
                                       lambda a, t, n: (a - t) / n),
    "mse": ClosedForm("2(p − t)/n", "p is the prediction, t the target, n their number",
                      lambda p, t, n: 2.0 * (p - t) / n),
}  # fmt: skip
# Where the probabilities of a target do not sum to 1.
UNNORMALISED = {
    "cross_entropy": ClosedForm("a_jΣt − t_j", f"{_SOFTMAX}, t is the target and Σt its sum",
                                lambda a_j, Σt, t_j: a_j * Σt - t_j),
}  # fmt: skip


def closed_form(name: str, is_normalised: bool = True) -> ClosedForm | None:
    """Return the closed form of a composition's derivative, or None if it is not known.

    `is_normalised` says whether the target sums to 1.
    """
    return CLOSED_FORMS.get(name) if is_normalised else UNNORMALISED.get(name, CLOSED_FORMS.get(name))


# -- one operation -----------------------------------------------------------------------------------------------------

SIGNS: Signs = {"*": " × ", "-": " − "}
_LN10 = math.log(10.0)
_NAMED = {LN2: "log(2)", _LN10: "log(10)", GAUSS: "2/√π", DENSITY: "1/√(2π)", math.sqrt(math.pi) / 2.0: "√π/2"}
_RECIPROCALS = {LOG2E: LN2, LOG10E: _LN10}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_BLOCKS = ("defined", "one_minus_square", "one_power_less", "power_term")  # of rules, which readers need not know
_SUM, _ROUNDED, _PRODUCT, _POWER, _ATOM = range(5)  # how strongly a term binds
_BINDS = {
    "add": _SUM, "sub": _SUM, "floor_divide": _ROUNDED, "remainder": _ROUNDED, "neg": _PRODUCT, "mul": _PRODUCT,
    "div": _PRODUCT, "pow": _POWER,
}  # fmt: skip
_MOST = 6  # operands that are written
_CLOSE = 1e-6  # relative: how near a rule must come to the derivative that was recorded

Name = Callable[[Value], Any]  # of an operand: text, or markup


class Term:
    """A formula: a constant or an operand without row, or a row applied to terms."""

    __slots__ = ("node", "number", "operands", "row")

    def __init__(
        self, number: float, node: Value | None = None, row: Primitive | None = None, operands: tuple[Term, ...] = ()
    ) -> None:
        self.number, self.node, self.row, self.operands = number, node, row, operands

    # -- rendering -----------------------------------------------------------------------------------------------------

    @property
    def binds(self) -> int:
        """How strongly it binds."""
        return _BINDS.get(self.row.name, _ATOM) if self.row is not None else _ATOM

    def text(self, name: Name) -> str:
        """Return the formula as text, with these names or numbers for its operands."""
        if self.row is None:
            return name(self.node) if self.node is not None else _NAMED.get(self.number, number(self.number))
        texts = [operand.text(name) for operand in self.operands]
        if self.row.name == "pow" and (exponent := self.operands[1]).node is None and exponent.row is None:
            power = number(exponent.number)
            base = texts[0] if self.operands[0].binds == _ATOM and not texts[0].startswith("-") else f"({texts[0]})"
            return base + power.translate(_RAISED) if power.lstrip("-").isdecimal() else f"{base} ** {guarded(power)}"
        if self.binds < _ATOM:
            pairs = zip(texts, self.operands, strict=True)
            texts = [f"({t})" if self._encloses(i, x, t) else t for i, (t, x) in enumerate(pairs)]
        form = "call" if self.binds == _ATOM else "prefix" if self.row.name == "neg" else "infix"
        if form == "prefix":
            return f"−{texts[0]}"
        return Spelling(form, self.row.symbol, self.operands).text(texts, SIGNS, most=_MOST)

    def mathml(self, name: Name) -> Markup:
        """Return the formula as MathML, with this markup for its operands."""
        if self.row is None:
            if self.node is not None:
                markup: Markup = name(self.node)
                return markup
            known = _NAMED.get(self.number)
            return ["mi", known] if known else ["mn", number(self.number), repr(self.number)]
        parts = [operand.mathml(name) for operand in self.operands]
        if self.row.name == "div":
            return ["mfrac", *parts]
        if self.binds < _ATOM:
            first = self.row.name == "pow"
            pairs = [*zip(parts, self.operands, strict=True)]
            parts = [
                ["mrow", ["mo", "("], part, ["mo", ")"]]
                if not (first and i) and (self._encloses(i, x, part[1] if part[0] == "mn" else ""))
                and not (x.row is not None and x.row.name == "div" and not first)  # a fraction holds itself together
                else part
                for i, (part, x) in enumerate(pairs)
            ]  # fmt: skip
        if self.row.name == "pow":
            return ["msup", *parts]
        form = "call" if self.binds == _ATOM else "prefix" if self.row.name == "neg" else "infix"
        if form == "call":
            return ["mrow", *spelling_of(self.row, self.operands).mathml(parts, _MOST)]
        sign = Spelling(form, self.row.symbol, self.operands).sign({**SIGNS, "-": "−"})
        return ["mrow", *([["mo", sign], parts[0]] if form == "prefix" else [parts[0], ["mo", sign], parts[1]])]

    def _encloses(self, place: int, operand: Term, text: str) -> bool:
        """Return whether an operand needs parentheses."""
        if operand.binds == _ATOM:
            return text.startswith("-") and (place > 0 or self.binds > _SUM or self.row is TABLE["neg"])
        weaker = operand.binds < self.binds or (self.binds == _POWER and operand.binds == _POWER)
        is_chain = self.row in (TABLE["add"], TABLE["mul"]) and operand.row in (self.row, TABLE["sub"])
        return weaker or (place > 0 and operand.binds == self.binds and not is_chain)


class LocalRule(NamedTuple):
    """The local derivative of a node by one of its operands, as a formula."""

    node: Value
    operand: Value
    derivative: Term
    slope: float  # the recorded derivative

    def operation(self, name: Callable[[Value], str]) -> str:
        """Return the operation that is differentiated, in parentheses if it needs them."""
        spelled = spelling(self.node)
        texts = [name(x) if is_node(x) else guarded(number(x)) for x in spelled.operands]
        return bracketed(spelled.text(texts, SIGNS, most=_MOST))

    def text(self, name: Callable[[Value], str], value: Callable[[Value], float]) -> str:
        """Return the derivative in symbols, in numbers, and its result: "1 / b = 1 / 1.05 = 0.9526"."""
        symbols, numbers = self.derivative.text(name), self.derivative.text(lambda x: number(value(x)))
        if is_relu(self.node):
            return f"1, as {name(self.operand)} > 0"
        return " = ".join(dict.fromkeys([symbols, numbers, number(self.slope)]))


def local_rules(node: Value, value: Callable[[Value], float]) -> Iterator[LocalRule | None]:
    """Yield the rule for each operand that a node passes a gradient to; None where the rule cannot be written.

    `value` gives the recorded number of an operand. A rule that does not give the recorded derivative is left out.
    """
    slopes = [None if partial is ZERO else partial for partial in node.partials]
    terms = [Term(value(x), x) if is_node(x) else None for x in node.operands]
    found = _derivatives(node, terms)
    for operand, slope, derivative in zip(node.operands, slopes, found, strict=True):
        if slope is None or not is_node(operand):
            continue
        yield LocalRule(node, operand, derivative, slope) if derivative and _agrees(derivative, slope) else None


def _derivatives(node: Value, terms: list[Term | None]) -> list[Term | None]:
    """Run the rule of a node's operation on terms; constants have none."""
    row = node._row
    assert row is not None  # a leaf hands nothing on
    numbers = [Constant(x) if term is None else term for x, term in zip(node.operands, terms, strict=True)]
    try:
        result = _apply(row, tuple([x if isinstance(x, Term) else Term(x) for x in numbers]), node.data)
        slopes = local_partials(row, result, [Unrecorded(x) if isinstance(x, Term) else x for x in numbers])
    except Exception:  # the rule of a user's operation may do anything
        return [None] * len(terms)
    return [x if isinstance(x, Term) else Term(float(x)) if isinstance(x, float) else None for x in slopes]


def _agrees(derivative: Term, slope: float) -> bool:
    found = derivative.number
    return found == slope or (found != found and slope != slope) or abs(found - slope) <= _CLOSE * abs(slope)


# -- the interpreter ---------------------------------------------------------------------------------------------------


def _compute(row: Primitive, operands: tuple[Any, ...]) -> Any:
    """Apply a row to terms and floats."""
    terms = tuple([x if isinstance(x, Term) else Term(float(x)) for x in operands])
    if row.name in ("flat", "slope_at_kink"):
        return 0.0
    if row.name in ("stop_gradient", "pos"):
        return terms[0]
    if row.name == "floor" and terms[0].row is not None:
        return 0.0  # `gaussian` splits x into h and a rest; it holds for every h, and is shortest for h = 0
    if row.name == "where":
        return terms[1] if terms[0].number else terms[2]
    result = row.function(*[term.number for term in terms])
    if row.name == "clip" and result == terms[0].number:
        return terms[0]
    if row.name in _BLOCKS and row.expansion is not None:
        expanded = row.expansion(*[Unrecorded(term) for term in terms])
        term = expanded.data if isinstance(expanded, Unrecorded) else Term(float(expanded))
        return Term(result, term.node, term.row, term.operands)
    return _apply(row, terms, result)


def _apply(row: Primitive, terms: tuple[Term, ...], result: float) -> Term:
    """Return a row applied to terms, in the simplest form."""
    simple = _SIMPLER[row.name](*terms) if row.name in _SIMPLER else None
    if simple is None:
        return Term(result, None, row, terms)
    return Term(result, simple.node, simple.row, simple.operands)


def _is(term: Term, x: float) -> bool:
    return term.row is None and term.node is None and term.number == x


def _same(a: Term, b: Term) -> bool:
    """Return whether two terms are the same formula."""
    if a.row is None or b.row is None:
        return a.row is b.row and a.node is b.node and (a.node is not None or a.number == b.number)
    return a.row is b.row and len(a.operands) == len(b.operands) and all(map(_same, a.operands, b.operands))


def _made(name: str, *terms: Term) -> Term:
    row = TABLE[name]
    return _apply(row, terms, row.function(*[term.number for term in terms]))


def _negated(term: Term) -> Term | None:
    """Return what a term is the negative of."""
    if term.row is TABLE["neg"]:
        return term.operands[0]
    if term.row is None and term.node is None and term.number < 0.0:
        return Term(-term.number)
    if term.row in (TABLE["mul"], TABLE["div"]) and (inner := _negated(term.operands[0])) is not None:
        assert term.row is not None  # it is one of the two
        return _made(term.row.name, inner, term.operands[1])
    return None


def _product(a: Term, b: Term) -> Term | None:
    for one, other in ((a, b), (b, a)):
        if _is(one, 1.0):
            return other
        if _is(one, -1.0):
            return _made("neg", other)
        if (inner := _negated(one)) is not None and not (one.row is None and other.row is None and other.node is None):
            return _made("neg", _made("mul", inner, other) if one is a else _made("mul", other, inner))
    if b.row is TABLE["div"] and _is(b.operands[0], 1.0):
        return _made("div", a, b.operands[1])
    if a.row is TABLE["mul"] and _same(a.operands[1], b):
        return _made("mul", a.operands[0], _made("pow", b, Term(2.0)))
    return _made("pow", a, Term(2.0)) if _same(a, b) else None


def _quotient(a: Term, b: Term) -> Term | None:
    if _is(b, 1.0):
        return a
    if (inner := _negated(a)) is not None and not (a.row is None and b.row is None and b.node is None):
        return _made("neg", _made("div", inner, b))
    if a.row is None and a.number in _RECIPROCALS:
        return _made("div", Term(1.0), _made("mul", b, Term(_RECIPROCALS[a.number])))
    if a.row is TABLE["div"] and _same(a.operands[1], b):
        return _made("div", a.operands[0], _made("pow", b, Term(2.0)))
    return None


def _sum(a: Term, b: Term) -> Term | None:
    if _is(a, 0.0) or _is(b, 0.0):
        return b if _is(a, 0.0) else a
    if (inner := _negated(b)) is not None:
        return _made("sub", a, inner)
    return _made("sub", b, inner) if (inner := _negated(a)) is not None else None


def _difference(a: Term, b: Term) -> Term | None:
    if _is(b, 0.0):
        return a
    if _is(a, 0.0):
        return _made("neg", b)
    return _made("add", a, inner) if (inner := _negated(b)) is not None else None


def _power(a: Term, b: Term) -> Term | None:
    if _is(b, 1.0):
        return a
    if _is(b, 0.0):
        return Term(1.0)
    if _is(b, 2.0) and a.row is TABLE["sqrt"]:
        return a.operands[0]
    if _is(b, 2.0) and a.row is TABLE["hypot"] and len(a.operands) == 2:
        squares = [_made("pow", x, Term(2.0)) if x.node or x.row else Term(x.number**2) for x in a.operands]
        return _made("add", squares[0], squares[1])
    return None


_SIMPLER: dict[str, Callable[..., Term | None]] = {
    "mul": _product, "div": _quotient, "add": _sum, "sub": _difference, "pow": _power,
    "neg": lambda a: _negated(a),
}  # fmt: skip


def _relate(symbol: str, *data: Any) -> bool:
    return bool(RELATE[symbol](*[x.number if isinstance(x, Term) else x for x in data]))


interpreters[Term] = _compute
relations[Term] = _relate
