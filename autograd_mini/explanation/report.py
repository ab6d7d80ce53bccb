"""What `explain` returns: findings, and how they read.

Not here: how they are found (that is `study`). Read next: `study`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autograd_mini.core.row import ZERO
from autograd_mini.engine import Value
from autograd_mini.notation.names import Names, is_relu
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.output.screen import columns, wrapped
from autograd_mini.output.streams import printable_lines
from autograd_mini.program.source import Site, cell, located
from autograd_mini.watch.boundaries import Kink
from autograd_mini.watch.origins import place_of

SHOWN_LINKS = 6  # of a longer path, the text has the first and the last links


class Link(NamedTuple):
    """One factor of a path: an operation that hands its adjoint on to one of its operands.

    Where a composition of this package, such as `tanh`, is one link, its operand is what it was called with.

    Attributes:
        node: the operation's result.
        origin: where in the user's program it was computed; None without provenance.
        upstream: the adjoint of the node, 0.0 where nothing arrives.
        local: its local partial derivative for the next node down; `ZERO` where there is no edge.
        contribution: their product, what the next node down gets from here; 0.0 where nothing arrives.
        arrivals: how many contributions the adjoint is the sum of.
        text: the operation with its numbers: "tanh(0.5)".
    """

    node: Value
    origin: Site | None
    upstream: float
    local: Any
    contribution: float
    arrivals: int = 1
    text: str = ""


class Culprit(NamedTuple):
    """Where it went wrong.

    Attributes:
        node: the operation, or the node whose contributions do not add up.
        upstream: one factor, the adjoint that arrived; None in a sum.
        local: the other one, the local partial derivative; `ZERO` where there is no edge; None in a sum.
        origin: where in the user's program; None without provenance.
    """

    node: Value
    upstream: float | None
    local: Any
    origin: Site | None


@dataclass(frozen=True, eq=False)
class Finding:
    """What is to be said about one gradient, or about many that suffer from the same.

    Attributes:
        node: whose gradient.
        gradient: the number; 0.0 where nothing arrives.
        kind: "zero", "nan", "inf", "exploding", "vanishing", "unreached", or "ordinary" for one that is fine.
        cause: a short code, such as "dead branch", "0 * inf", "saturated", "cancelled", "pole".
        message: what happened, with the numbers: a fact a line.
        path: the factors from the output down to the node, one for each primitive.
        steps: the same path as the program wrote it: a composition of this package is one link.
        culprit: where it went wrong; None for an ordinary gradient.
        kinks: points on the path that are not differentiable, with the slopes chosen and those on both sides.
        advice: the stable form to write instead, "Write X instead of Y."; where there is none, what usually helps; or
            None.
        others: more nodes with the same trouble.
        gradients: of the node, and of the others.
        arrivals: how many contributions the gradient is the sum of.
    """

    node: Value
    gradient: float
    kind: str
    cause: str
    message: str
    path: tuple[Link, ...] = ()
    culprit: Culprit | None = None
    kinks: tuple[Kink, ...] = ()
    advice: str | None = None
    others: tuple[Value, ...] = ()
    steps: tuple[Link, ...] = ()
    gradients: tuple[float, ...] = ()
    arrivals: int = 1
    _name: str = ""
    _words: Words | None = field(default=None, repr=False)

    def __str__(self) -> str:
        words = self._known_words
        cause = self.cause
        if cause == "pole":
            cause = "close to an infinite slope" if self.kind == "exploding" else "infinite slope"
        wrong = f" ({self.kind}: {cause})" if self.kind in ("vanishing", "exploding") else f" ({cause})"
        lines = [f"{self._whose()}{wrong}", *[f"  {fact}" for fact in self.message.split("\n")]]
        if self.steps:
            example = f"For {self._name}, from" if self.others else "From"
            lines.append(f"  {example} the output down, what arrives × local slope = what is handed on:")
            last = next((i for i, link in enumerate(self.steps) if link.local is ZERO), len(self.steps))
            steps = self.steps[: last + 1]  # from where nothing flows, nothing is handed on
            rows = ends(tuple(zip(steps, (None, *steps), strict=False)))
            links = [
                f"    {_arriving(link.upstream, link.arrivals, before)} × {slope_text(link.local)} = "
                f"{short(link.contribution)}  by {words.seen_step(link)}"
                for link, before in rows
            ]
            if len(steps) > len(links):
                links.insert(len(links) // 2, f"    ... {len(steps) - len(links):,} more ...")
            arrived = _arriving(self.gradient, self.arrivals, steps[-1])
            if arrived != short(self.gradient):
                links.append(f"    {arrived} arrives at {self._name}")
            lines += links
        lines += [
            f"  Kink: {kink.op}({', '.join(map(short, kink.numbers))}){at_site(kink.site)}: {kink.meaning}"
            for kink in ends(self.kinks)
        ]
        return printable_lines("\n".join(lines + ([f"  {self.advice}"] if self.advice else [])))

    @property
    def _known_words(self) -> Words:
        assert self._words is not None  # whoever finds something knows what it is called
        return self._words

    def _whose(self) -> str:
        """The gradient, or what is to be said of many: one number only if it is that of all."""
        if not self.others:
            return f"Gradient of {self._name} = {self.gradient!r}"
        count = len(self.others) + 1
        words = self._known_words
        names = [self._name, *[words.label(node) for node in self.others[:2]]]
        known = {words.name(node) for node in (self.node, *self.others[:2])}  # a loop makes many of one name
        if count > 3 and ("" in known or len(known) < 3):
            also = f"{count:,} inputs"
        else:
            also = ", ".join(names) + (f" and {count - 3:,} more" if count > 3 else "")
        if len(set(map(repr, self.gradients))) == 1:
            return f"Gradients of {also}, each = {self.gradient!r}"
        sizes = [abs(gradient) for gradient in self.gradients]
        between = f"from {short(min(sizes))} to {short(max(sizes))} in size, " if min(sizes) < max(sizes) else ""
        return f"Gradients of {also}, {between}for example of {self._name} = {self.gradient!r}"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What `explain` found; printed, it is a text. True if something is wrong.

    Attributes:
        root: the output whose derivatives these are.
        findings: one entry for each gradient, or group of gradients, that has something wrong or was asked for.
    """

    root: Value
    findings: tuple[Finding, ...]
    _words: Words
    _besides: str = ""  # what is wrong although no gradient is

    def __bool__(self) -> bool:
        return bool(self._besides) or any(finding.kind != "ordinary" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        top = next((f.steps[0] for f in self.findings if f.steps and f.steps[0].node is self.root), None)
        lines = [f"Derivatives of {self._words.seen_step(top) if top else self._words.seen(self.root)}"]
        if not self.findings:  # of all: what was asked for has findings
            lines.append(self._besides or "Nothing is wrong: no gradient is zero, nan, infinite, tiny or huge.")
        lines += map(str, self.findings)
        if self and self.root.origin is None:
            lines.append("Record the computation under `with am.provenance():`, and this text names your own lines.")
        most, text = columns(), printable_lines("\n".join(lines))
        return "\n".join(part for line in text.split("\n") for part in wrapped(line, most))


# -- words -------------------------------------------------------------------------------------------------------------


def ends(things: tuple[Any, ...]) -> list[Any]:
    """All of a few, the first and the last of many."""
    if len(things) <= 2 * SHOWN_LINKS:
        return list(things)
    return [*things[:SHOWN_LINKS], *things[-SHOWN_LINKS:]]


def short(number: float) -> str:
    """Six digits, unless that makes a whole number of one that is none: acos(1.00000005) is no acos(1)."""
    text = f"{number + 0.0:.6g}"  # without the sign of -0.0
    return text if float(text) == number or not text.lstrip("-").isdigit() else repr(number)


def slope_text(partial: Any) -> str:
    return "none (no connection: nothing flows there)" if partial is ZERO else short(partial)


def _arriving(number: float, arrivals: int, before: Link | None) -> str:
    """What arrives at a node; with a note if the link above handed on something else, for other paths join there."""
    if before is None or math.isclose(before.contribution, number, rel_tol=1e-6) or number != number:
        return short(number)
    return f"{short(number)} ({f'the sum of {arrivals:,} paths' if arrivals > 1 else 'a sum'})"


class Words:
    """What the parts of a graph are called, with the numbers that it was recorded with.

    Args:
        names: of the nodes.
        recorded: the numbers of the leaves.
    """

    def __init__(self, names: Names, recorded: Snapshot) -> None:
        self.names, self.recorded = names, recorded

    def number(self, operand: Any) -> float:
        """The number of an operand: a constant, or a node."""
        return operand if type(operand) is float else self.recorded.value(operand)

    def name(self, node: Value) -> str:
        """What the user calls a node; "" where that is not known."""
        return self.names.name(node) if node in self.names.number else node.name or ""

    def called(self, node: Value) -> str:
        """An operation with its numbers: "log(0)", "0 / 3"; a leaf by its name."""
        if node.op is None:
            number, remark = short(self.number(node)), self.recorded.remark(node)
            text = f"{name} = {number}" if (name := self.name(node)) else f"the input {number}"
            return f"{text}, {remark}," if remark else text
        if is_relu(node):
            return f"relu({short(self.number(node.operands[2]))})"
        numbers = [short(self.number(x)) for x in node.operands]
        assert node._row is not None
        symbol = node._row.symbol
        if len(numbers) == 2 and symbol in ("+", "-", "*", "/", "**", "//", "%"):
            return f" {symbol} ".join(numbers)
        if len(numbers) > 4:
            numbers[2:-1] = ["..."]
        return f"{node.op}({', '.join(numbers)})"

    def label(self, node: Value) -> str:
        """What a node whose gradient is explained is called."""
        number = short(self.number(node))
        return self.name(node) or (f"{self.called(node)}{at(node)}" if node.op else f"the input {number}")

    def seen(self, node: Value) -> str:
        """A node, its number and its place."""
        return f"{self.called(node)}{f' = {short(node.data)}' if node.op else ''}{at(node)}"

    def seen_step(self, link: Link) -> str:
        """The same of a link."""
        return f"{link.text} = {short(link.node.data)}{at(link.node)}" if link.text else self.seen(link.node)


def at(node: Value) -> str:
    """The place of a node: " (model.py:12: x * x)", or nothing where it is not known."""
    return at_site(place_of(node) if node.op is not None else None)


def at_site(site: Site | None) -> str:
    if site is None:
        return ""
    file = site.file if cell(site.file) else os.path.basename(site.file)
    return f" ({located(file, site.line)}: {site.expression})"
