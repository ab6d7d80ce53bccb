"""How an operation is written, described once: a sign between its operands, a power, a fraction, a call.

Texts, pictures, pages, lessons and notebooks render this description. Not here: the names of the operands (`names`).
Read next: `notation.local_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from autograd_mini.core.node import is_relu
from autograd_mini.core.row import Primitive
from autograd_mini.notation.text import bare

Markup = list[Any]  # MathML: [tag, *children], where children are texts or markup
Signs = Mapping[str, str]

# How to write a sign between its operands; a sign not listed is written as in Python, between spaces.
PYTHON: Signs = {"Σ": "sum"}
SCHOOL: Signs = {"*": " × ", "/": " ÷ ", "-": " − "}
ALGEBRA: Signs = {"*": "·", "/": "/"}
LATEX: Signs = {"*": r" \cdot ", "%": r" \bmod ", "//": r" \mathbin{//} "}
RELATIONS: Signs = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}


class Spelling(NamedTuple):
    """How a node is spelled.

    The form is "infix", "prefix" or "call"; or as its row says: "power", "fraction", "square root", "cube root", "bars"
    as in |x|, "floor" as in ⌊x⌋, "total", "products" of a dot product, or "choice". A format that lacks a form writes a
    sign or a call.
    """

    form: str
    symbol: str  # the sign as Python writes it, or the name of the function
    operands: tuple[Any, ...]  # those that are written

    def sign(self, signs: Signs = SCHOOL) -> str:
        """The sign or the name by itself."""
        return signs.get(self.symbol, self.symbol).strip()

    def text(self, operands: Sequence[str], signs: Signs = SCHOOL, most: int | None = None) -> str:
        """Return the operation as text, given the texts of its operands; a long call shows `most` of them."""
        between = signs.get(self.symbol, f" {self.symbol} ")
        match self.form:
            case "infix" | "power" | "fraction":
                return between.join(operands)
            case "prefix":  # −(2) is an operation, -2 a number
                is_number = operands[0][0] in "0123456789-−" or operands[0] in ("inf", "nan")
                return self.sign(signs) + (f"({operands[0]})" if is_number else operands[0])
            case "choice":
                return f"{operands[1]} if {operands[0]} else {operands[2]}"
            case "products":
                times = signs.get("*", " * ")
                return " + ".join(_some([times.join(pair) for pair in _pairs(operands)], most and most // 2, "…"))
        return f"{self.sign(signs)}({', '.join(_some([*map(bare, operands)], most, '…'))})"

    def mathml(self, operands: Sequence[Markup], most: int | None = None) -> list[Markup]:
        """Return the operation as MathML, given the markup of its operands."""
        sign = ["mo", self.sign()]
        match self.form:
            case "power":
                return [["msup", ["mrow", parenthesised(operands[0])], ["mrow", operands[1]]]]
            case shape if shape in _SHAPES:
                return [_SHAPES[shape][0](operands[0])]
            case "infix" | "fraction":  # ÷ as in texts: both stand beside each other
                rest = [piece for operand in operands[1:] for piece in (sign, parenthesised(operand))]
                return [operands[0], *rest]
            case "prefix":
                return [sign, parenthesised(operands[0], operands[0][0] == "mn")]
            case "products":
                products = [["mrow", parenthesised(a), ["mo", "×"], parenthesised(b)] for a, b in _pairs(operands)]
                terms = _some(products, most and most // 2, ["mo", "…"])
                return [piece for term in terms for piece in (["mo", "+"], term)][1:]
        alone = [["mi", bare(x[1])] if x[0] == "mi" and isinstance(x[1], str) else x for x in operands]
        shown = _some(alone, most, ["mo", "…"])
        listed = [piece for operand in shown for piece in (["mo", ","], operand)][1:]
        return [["mi", self.symbol], ["mrow", ["mo", "("], *listed, ["mo", ")"]]]

    def latex(self, operands: Sequence[str], most: int | None = None) -> str:
        """Return the operation in LaTeX, given the LaTeX of its operands."""
        first, *rest = operands
        sign = LATEX.get(self.symbol, f" {_escaped(self.symbol)} ")
        match self.form:
            case "power":
                return f"{grouped(first)}^{{{rest[0]}}}"
            case "fraction":
                return rf"\frac{{{first}}}{{{rest[0]}}}"
            case shape if shape in _SHAPES:
                return _SHAPES[shape][1] % first
            case "choice":  # as SymPy writes its own, so that formulas look alike
                a, b = rest
                return rf"\begin{{cases}} {a} & \text{{for}}\: {first} \\ {b} & \text{{otherwise}} \end{{cases}}"
            case "infix" | "total":
                terms = _some([*map(grouped, operands)], most, r"\dots")
                return (sign if self.form == "infix" else " + ").join(terms)
            case "products":
                products = [rf"{grouped(a)} \cdot {grouped(b)}" for a, b in _pairs(operands)]
                return " + ".join(_some(products, most and most // 2, r"\dots"))
            case "prefix":
                return f"{sign.strip()} {grouped(first)}"
        listed = ", ".join(_some(list(operands), most, r"\dots"))
        return rf"\operatorname{{{_escaped(self.symbol)}}}\left({listed}\right)"


def spelling(node: Any, written_out: bool = False) -> Spelling:
    """Return the spelling of a node that is not a leaf; written out, a sum and a choice show what they do."""
    if not written_out and is_relu(node):
        return Spelling("call", "relu", node.operands[2:])
    spelled = spelling_of(node._row, node.operands)
    if spelled.form == "total" and written_out:
        return Spelling("infix", "+", node.operands)
    return spelled._replace(form="call") if spelled.form == "choice" and not written_out else spelled


def spelling_of(row: Primitive, operands: tuple[Any, ...]) -> Spelling:
    """Return the spelling of a row with these operands."""
    form = "call" if row.symbol.isidentifier() else "infix" if len(operands) > 1 else "prefix"
    return Spelling(row.form or form, row.symbol, operands)


_SHAPES: dict[str, tuple[Callable[[Markup], Markup], str]] = {  # of one operand, in MathML and LaTeX
    "square root": (lambda x: ["msqrt", x], r"\sqrt{%s}"),
    "cube root": (lambda x: ["mroot", ["mrow", x], ["mn", "3"]], r"\sqrt[3]{%s}"),
    "bars": (lambda x: ["mrow", ["mo", "|"], x, ["mo", "|"]], r"\left| %s \right|"),
    "floor": (lambda x: ["mrow", ["mo", "⌊"], x, ["mo", "⌋"]], r"\left⌊ %s \right⌋"),
}
_ATOM = re.compile(r"[\w.]+(_\{?\w+\}?)?|\\[a-z]+")  # LaTeX that needs no parentheses beside a sign


def grouped(latex: str) -> str:
    """Return LaTeX to write beside a sign: anything but a name or a number without a sign gets parentheses."""
    return latex if _ATOM.fullmatch(latex) else rf"\left({latex}\right)"


def _escaped(symbol: str) -> str:
    """Return a symbol of a row, which may be any text, in LaTeX."""
    spelled = {"\\": r"\backslash{}", "^": r"\wedge{}", "~": r"\sim{}"}
    return "".join(spelled.get(c, rf"\{c}" if c in "#$%&_{}" else c) for c in symbol)


def parenthesised(operand: Markup, always: bool = False) -> Markup:
    """Return an operand to write after a sign: a negative number gets parentheses."""
    if not always and operand[0] == "mn" and len(operand) > 3:  # it changes, so the page decides
        return [*operand[:4], 1]
    if always or (operand[0] == "mn" and operand[1].startswith("-")):
        return ["mrow", ["mo", "("], operand, ["mo", ")"]]
    return operand


def _some(things: list[Any], most: int | None, dots: Any) -> list[Any]:
    """Return the first and the last of many things."""
    return things if most is None or len(things) <= max(most, 3) else [*things[: max(most, 3) - 2], dots, things[-1]]


def _pairs(operands: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Return the pairs of factors of a dot product: its operands are one list, then the other."""
    half = len(operands) // 2
    return zip(operands[:half], operands[half:], strict=True)
