"""What `explain` returns: findings, and how they read.

Not here: how they are found (that is `study`). Read next: `study`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_mini.engine import Value
from autograd_mini.observers import Kink, place_of
from autograd_mini.primitives import TABLE, ZERO
from autograd_mini.source import Site

SHOWN_LINKS = 6  # of a longer path, the text has the first and the last links


class Link(NamedTuple):
    """One factor of a path: an operation that hands its adjoint on to one of its operands.

    Attributes:
        node: the operation's result.
        origin: where in the user's program it was computed; None without provenance.
        upstream: the adjoint of the node, 0.0 where nothing arrives.
        local: its local partial derivative for the next node down; `ZERO` where there is no edge.
        contribution: their product, what the next node down gets from here.
    """

    node: Value
    origin: Site | None
    upstream: float
    local: Any
    contribution: float


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
        message: a sentence, with the numbers.
        path: the factors from the output down to the node.
        culprit: where it went wrong; None for an ordinary gradient.
        kinks: points on the path that are not differentiable, with the slopes chosen and those on both sides.
        advice: the stable form to write instead; None if there is none.
        others: more nodes with the same trouble.
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
    _name: str = ""

    def __str__(self) -> str:
        names = [self._name, *[label(node) for node in self.others[:2]]]
        more = len(self.others) - len(names) + 1
        also = ", ".join(names) + (f" and {more:,} more" if more else "")
        wrong = f" ({self.kind}: {self.cause})" if self.kind in ("vanishing", "exploding") else f" ({self.cause})"
        lines = [f"Gradient of {also} = {self.gradient!r}{wrong}", f"  {self.message}"]
        if self.path:
            lines.append("  From the output down, what arrives × local slope = what is handed on:")
            links = [
                f"    {short(k.upstream)} × {slope_text(k.local)} = {short(k.contribution)}  by {seen(k.node)}"
                for k in ends(self.path)
            ]
            if len(self.path) > len(links):
                links.insert(len(links) // 2, f"    ... {len(self.path) - len(links):,} more ...")
            lines += links
        lines += [f"  Kink: {kink}; {kink.meaning}" for kink in ends(self.kinks)]
        return "\n".join(lines + ([f"  {self.advice}"] if self.advice else []))


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What `explain` found; printed, it is a text. True if something is wrong.

    Attributes:
        root: the output whose derivatives these are.
        findings: one entry for each gradient, or group of gradients, that has something wrong or was asked for.
    """

    root: Value
    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return any(finding.kind != "ordinary" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        lines = [f"Derivatives of {seen(self.root)}"]
        if not self:
            lines.append("Nothing is wrong: no gradient is zero, nan, infinite, tiny or huge.")
        lines += map(str, self.findings)
        if self and self.root.origin is None:
            lines.append("Record the computation under `with am.provenance():`, and this text names your own lines.")
        return "\n".join(lines)


# -- words -------------------------------------------------------------------------------------------------------------


def ends(things: tuple[Any, ...]) -> list[Any]:
    """All of a few, the first and the last of many."""
    if len(things) <= 2 * SHOWN_LINKS:
        return list(things)
    return [*things[:SHOWN_LINKS], *things[-SHOWN_LINKS:]]


def short(number: float) -> str:
    return f"{number + 0.0:.6g}"  # without the sign of -0.0


def slope_text(partial: Any) -> str:
    return "no edge" if partial is ZERO else short(partial)


def number_of(operand: Any) -> float:
    return operand if type(operand) is float else operand.data


def is_relu(node: Value) -> bool:
    if node.op != "where" or node.scope is None or node.scope.name != "relu":
        return False
    _, zero, x = node.operands
    return zero == 0.0 and type(x) is Value


def called(node: Value) -> str:
    """An operation with its numbers: "log(0)", "0 / 3"; a leaf by its name."""
    if node.op is None:
        return f"{node.name} = {short(node.data)}" if node.name else f"the leaf {short(node.data)}"
    if is_relu(node):
        return f"relu({short(number_of(node.operands[2]))})"
    numbers = [short(number_of(x)) for x in node.operands]
    symbol = TABLE[node.op].symbol
    if len(numbers) == 2 and symbol in ("+", "-", "*", "/", "**", "//", "%"):
        return f" {symbol} ".join(numbers)
    if len(numbers) > 4:
        numbers[2:-1] = ["..."]
    return f"{node.op}({', '.join(numbers)})"


def label(node: Value) -> str:
    """What a node whose gradient is explained is called."""
    return node.name or (f"{called(node)}{at(node)}" if node.op else f"the leaf {short(node.data)}")


def at(node: Value) -> str:
    """The place of a node: " (model.py:12: x * x)", or nothing where it is not known."""
    site = place_of(node) if node.op is not None else None
    return f" ({os.path.basename(site.file)}:{site.line}: {site.expression})" if site is not None else ""


def seen(node: Value) -> str:
    return f"{called(node)}{f' = {short(node.data)}' if node.op else ''}{at(node)}"
