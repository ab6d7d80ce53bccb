"""A call of a composition as a page shows it while it is folded: one operation, with its closed form and its plot.

Not here: which calls a picture has folded (`shots`), and single steps (`mathml`). Read next: `debug.pages.shots`.
"""

from __future__ import annotations

import re
from typing import Any

from autograd_mini import functions
from autograd_mini.debug.pages.alive import Number, position, told, worded
from autograd_mini.debug.pages.mathml import called, derivative, numeral, row, still, tangent, variable
from autograd_mini.debug.timeline.paths import Call
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.notation.spelling import Markup, parenthesised
from autograd_mini.notation.text import number as short

_MOST = 4  # results or operands that are written
_LISTS = ("softmax", "log_softmax")  # one result for each operand
_TARGETED = ("cross_entropy", "nll", "binary_cross_entropy", "mse", "mae", "huber", "hinge")
_TOKENS = re.compile(r"[^\W\d_²]+_\w+|[^\W\d_²]|[A-Za-z]\w*|-?\d[\d.]*(?:e[+-]?\d+)?|²|\s+|.")


class FoldedCall:
    """The texts of a folded call."""

    def __init__(self, trace: Trace, call: Call) -> None:
        self.trace, self.call, self.fold = trace, call, call.fold
        self.inputs = sorted(call.fold.inputs, key=lambda x: _natural(called(trace, x)))

    def data(self, plot: str) -> dict[str, Any]:
        """Return the call for the script of a page; `plot` is the id that its plot would have."""
        return {
            "name": self.call.name, "title": self.title,
            "forward": {**worded(self._computed()), "formulas": [self._application()], "rules": self._rules()},
            "backward": {**worded(self._handed_on()), "formulas": self._sums(), "rules": self._rules()},
            "plot": plot if self.plot(plot) else "",
        }  # fmt: skip

    @property
    def title(self) -> str:
        """What the reader opens: "softmax of z[0], z[1]"."""
        names = [called(self.trace, x) for x in self.inputs]
        return f"{self.call.name} of {', '.join(names[:_MOST])}{', …' * (len(names) > _MOST)}"

    def plot(self, key: str) -> str:
        """Return the plot of a function of one number; "" for any other."""
        function = getattr(functions, self.call.name, None)
        if len(self.inputs) != 1 or len(self.fold.outputs) != 1 or self.call.name in _TARGETED or function is None:
            return ""
        (x,), (y,) = self.inputs, self.fold.outputs
        slope = self.call.slope(y, x)
        try:
            return tangent(function, self.trace.value(x), self.trace.value(y), slope or 0.0, self.call.name, key)
        except Exception:  # it takes more than a number
            return ""

    # -- forwards ------------------------------------------------------------------------------------------------------

    def _computed(self) -> str:
        results = [told(self.trace.value(y)) for y in self.fold.outputs]
        return f"{self.call.name} is computed: {', '.join(results[:_MOST])}{', …' * (len(results) > _MOST)}."

    def _application(self) -> list[Markup]:
        """Return the call with its operands and its results, in symbols and in numbers."""
        inputs, outputs, value = self.inputs, self.fold.outputs, self.trace.value
        symbols, numbers = [variable(self.trace, x) for x in inputs], [numeral(value(x)) for x in inputs]
        results = [numeral(value(y)) for y in outputs]
        names = [variable(self.trace, y) for y in outputs]
        if self.call.name in _LISTS and len(outputs) < len(inputs):  # the others are not used
            names, results = [*names, ["mo", "…"]], [*results, ["mo", "…"]]
        pieces = [row(*_listed(names), "=", self._applied(symbols))]
        return [*pieces, row("=", self._applied(numbers)), row("=", *_listed(results))]

    def _applied(self, operands: list[Markup]) -> Markup:
        more = [["mo", ","], ["mi", "t"]] * (self.call.name in _TARGETED)
        return row(["mi", self.call.name], "(", *_listed(operands), *more, ")")

    def _rules(self) -> list[list[Markup]]:
        """Return the derivative of each result by each operand: closed form, numbers, result."""
        form, value, found = self.call.form(), self.trace.value, []
        for y in self.fold.outputs[:_MOST]:
            for x in self.inputs[:_MOST]:
                if (slope := self.call.slope(y, x)) is None:
                    continue
                pieces = [row(derivative(variable(self.trace, y), variable(self.trace, x)))]
                pieces += [row("=", closed(form.text))] if form is not None else []
                numbered = self.call.numbered(y, x, value)
                pieces += [still(row("=", closed(numbered)))] if numbered not in ("", short(slope)) else []
                found.append([*pieces, row("=", numeral(slope))])
        if form is not None and found:
            found.append([row(["mtext", f"with {form.where}"])])
        return found

    # -- backwards -----------------------------------------------------------------------------------------------------

    def _handed_on(self) -> str:
        names = [called(self.trace, x) for x in self.inputs]
        where = f"{', '.join(names[:_MOST])}{' and more' * (len(names) > _MOST)}"
        return f"{self.call.name} hands on to {where}, by its own derivative."

    def _sums(self) -> list[list[Markup]]:
        """Return what each operand receives: the sum over the results, with its numbers."""
        trace, root = self.trace, variable(self.trace, self.trace.root)
        journal, own = trace.journal, {*self.call.nodes}
        lines = []
        for x in self.inputs[:_MOST]:
            steps = [s for index in journal.arrivals(x) if (s := trace[index]).node in own and s.node is not s.operand]
            if not steps:
                continue
            terms = [(y, upstream, slope) for y in self.fold.outputs
                     if (slope := self.call.slope(y, x)) is not None
                     and (upstream := trace.grad(y, steps[-1].index)) is not None]  # fmt: skip
            by = variable(trace, x)
            pieces = [row(derivative(root, by), "+=")]
            for place, (y, _, _) in enumerate(terms[:_MOST]):
                result = variable(trace, y)
                product = [derivative(root, result), "·", derivative(result, by)]
                pieces.append(row(*["+"] * (place > 0), *product))
            pieces += [row("+", "…")] * (len(terms) > _MOST)
            for place, (_, upstream, slope) in enumerate(terms[:_MOST]):
                pieces.append(row("+" if place else "=", _signed(upstream, place > 0), "×", _signed(slope, True)))
            pieces += [row("+", "…")] * (len(terms) > _MOST)
            pieces.append(row("=", numeral(_sum([step.contribution or 0.0 for step in steps]))))
            lines.append([*pieces, row(["mtext", "total"], numeral(steps[-1].total))])
        return lines


def _sum(terms: list[float]) -> float:
    places = [place for term in terms if isinstance(place := position(term), int)]
    return Number(sum(terms), places) if places else sum(terms)


def _natural(name: str) -> tuple[str, int]:
    """Return a sort key for names: z[2] comes before z[10], and other names stay in their order."""
    found = re.fullmatch(r"(.*?)\[?(\d+)\]?", name)
    return ("", 0) if found is None else (found[1], int(found[2]))


def _signed(number: float, enclosed: bool) -> Markup:
    markup = numeral(number)
    return parenthesised(markup) if enclosed else markup


def _listed(things: list[Markup]) -> list[Markup]:
    """Return things between commas, the first of many."""
    shown = [*things[:_MOST], *[["mo", "…"]] * (len(things) > _MOST)]
    return [piece for thing in shown for piece in (["mo", ","], thing)][1:]


def closed(text: str) -> Markup:
    """Return the text of a closed form as MathML."""
    pieces: list[Markup] = []
    for token in _TOKENS.findall(text):
        if token == "²" and pieces:
            pieces.append(["msup", pieces.pop(), ["mn", "2"]])
        elif "_" in token:
            letter, _, index = token.partition("_")
            pieces.append(["msub", ["mi", letter], ["mi", index]])
        elif token[-1].isdecimal():
            pieces.append(["mn", token])
        elif token.isalpha():
            pieces.append(["mi", token] if len(token) == 1 else ["mtext", token])
        elif token.strip():
            pieces.append(["mo", token])
    return ["mrow", *pieces]
