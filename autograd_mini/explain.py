"""`explain`: why is this gradient zero, nan, infinite, tiny or huge?

A gradient is a sum of products along paths. Whatever is wrong with it came in at one place: going up from the node,
towards the output, as long as the adjoint is just as bad, one arrives at the product, or the sum, where it began.
Not here: the sweep (that is `sweep`), and what to write instead (that is `stable`). Read next: `stable`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.functions import kink_at_switch, relu
from autograd_mini.observers import Kink, kink_of, last_root, place_of
from autograd_mini.primitives import TABLE, ZERO
from autograd_mini.scopes import unobserved
from autograd_mini.source import Site
from autograd_mini.stable import advise, composite_of, inputs_of
from autograd_mini.sweep import sweep, topological_order

_SHOWN_LINKS = 6  # of a longer path, the text has the first and the last links
_CANCELLED = 1e-12  # a sum that is smaller than its terms by this has no digits left
_MOST_FINDINGS = 20  # of all leaves; of nodes that were asked for, one each
_STUDIED = 50  # so many tiny or huge gradients are looked at one by one; what is wrong with more is wrong with these

_WITHOUT_POLE = ("add", "sub", "mul", "sum", "dot", "hypot")  # they are infinite only where they grow beyond all floats
_WITH_POLE = ("div", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "pow", "atanh", "asin", "acos", "acosh")
_WITH_FLAT_TAILS = ("erf", "erfc", "ndtr", "atan", "atan2", "hypot", "div")


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
        names = [self._name, *[_label(node) for node in self.others[:2]]]
        more = len(self.others) - len(names) + 1
        also = ", ".join(names) + (f" and {more:,} more" if more else "")
        wrong = f" ({self.kind}: {self.cause})" if self.kind in ("vanishing", "exploding") else f" ({self.cause})"
        lines = [f"Gradient of {also} = {self.gradient!r}{wrong}", f"  {self.message}"]
        if self.path:
            lines.append("  From the output down, what arrives × local slope = what is handed on:")
            links = [
                f"    {_number(k.upstream)} × {_slope(k.local)} = {_number(k.contribution)}  by {_seen(k.node)}"
                for k in _ends(self.path)
            ]
            if len(self.path) > len(links):
                links.insert(len(links) // 2, f"    ... {len(self.path) - len(links):,} more ...")
            lines += links
        lines += [f"  Kink: {kink}; {kink.meaning}" for kink in _ends(self.kinks)]
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
        lines = [f"Derivatives of {_seen(self.root)}"]
        if not self:
            lines.append("Nothing is wrong: no gradient is zero, nan, infinite, tiny or huge.")
        lines += map(str, self.findings)
        if self and self.root.origin is None:
            lines.append("Record the computation under `with am.provenance():`, and this text names your own lines.")
        return "\n".join(lines)


def explain(v: Value, by: Any = None, *, small: float = 1e-6, large: float = 1e6) -> Explanation:
    """Say why gradients are zero, nan, infinite, tiny or huge, and where in the program that began.

    It needs no `backward()` and changes no `.grad`. Record under `with am.provenance():`, and it names your lines.

    Args:
        v: the output of the computation. A leaf, with nothing in `by`: the gradient of the leaf itself, of the
            output that the last `backward()` was called on under provenance.
        by: the `Value`s whose gradients to explain: one, or a list, tuple or dict of them. By default every leaf
            behind v, also behind branches not taken, and only what is wrong.
        small: gradients below this in size are tiny, for a derivative of 1 of the output by itself.
        large: gradients above this in size are huge.

    Returns:
        an `Explanation`: print it, or look at its `findings`; it is true if something is wrong.

    Raises:
        OperandError: v, or something in by, is not a `Value`.
        ArgumentError: v is a leaf, by is None, and no output is known.

    >>> import autograd_mini as am
    >>> x = am.Value(0.0, name="x")
    >>> explanation = explain(am.sqrt(x * x))
    >>> [(f.node.name, f.kind, f.cause, f.advice) for f in explanation]
    [('x', 'nan', '0 * inf', 'Write abs(x) instead of sqrt(x * x).')]
    >>> bool(explain(x * 2.0))
    False
    """
    if type(v) is not Value:
        raise OperandError(
            f"explain() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass the node whose derivatives to explain, such as the loss.",
        )
    if by is None and v.op is None:
        root = last_root.get()
        if root is None:
            raise ArgumentError(
                f"explain() got the leaf {shown(v)}, and it is not known of which output it is to be explained.",
                "Write explain(loss, x); or record and call backward() inside `with autograd_mini.provenance():`.",
            )
        v, by = root, v
    names = None if by is None else dict(_named(by, "by"))
    return Explanation(v, tuple(_Study(v, small, large).findings(names)))


def _named(by: Any, name: str) -> Iterator[tuple[Value, str]]:
    """The `Value`s to explain, with what the user calls them."""
    if type(by) is Value:
        yield by, by.name or ("" if name == "by" else name)
    elif isinstance(by, Mapping):
        for key, value in by.items():
            yield from _named(value, str(key))
    elif isinstance(by, (list, tuple)):
        for index, value in enumerate(by):
            yield from _named(value, f"{name}[{index}]")
    else:
        raise OperandError(
            f"explain(by) takes Values, not {type(by).__name__}: {shown(by)}.", "Pass a Value, or a list of them."
        )


# -- words -------------------------------------------------------------------------------------------------------------


def _ends(things: tuple[Any, ...]) -> list[Any]:
    """All of a few, the first and the last of many."""
    if len(things) <= 2 * _SHOWN_LINKS:
        return list(things)
    return [*things[:_SHOWN_LINKS], *things[-_SHOWN_LINKS:]]


def _number(number: float) -> str:
    return f"{number + 0.0:.6g}"  # without the sign of -0.0


def _slope(partial: Any) -> str:
    return "no edge" if partial is ZERO else _number(partial)


def _data(operand: Any) -> float:
    return operand if type(operand) is float else operand.data


def _is_relu(node: Value) -> bool:
    if node.op != "where" or node.scope is None or node.scope.name != "relu":
        return False
    _, zero, x = node.operands
    return zero == 0.0 and type(x) is Value


def _called(node: Value) -> str:
    """An operation with its numbers: "log(0)", "0 / 3"; a leaf by its name."""
    if node.op is None:
        return f"{node.name} = {_number(node.data)}" if node.name else f"the leaf {_number(node.data)}"
    if _is_relu(node):
        return f"relu({_number(_data(node.operands[2]))})"
    numbers = [_number(_data(x)) for x in node.operands]
    symbol = TABLE[node.op].symbol
    if len(numbers) == 2 and symbol in ("+", "-", "*", "/", "**", "//", "%"):
        return f" {symbol} ".join(numbers)
    if len(numbers) > 4:
        numbers[2:-1] = ["..."]
    return f"{node.op}({', '.join(numbers)})"


def _label(node: Value) -> str:
    """What a node whose gradient is explained is called."""
    return node.name or (f"{_called(node)}{_at(node)}" if node.op else f"the leaf {_number(node.data)}")


def _at(node: Value) -> str:
    """The place of a node: " (model.py:12: x * x)", or nothing where it is not known."""
    site = place_of(node) if node.op is not None else None
    return f" ({os.path.basename(site.file)}:{site.line}: {site.expression})" if site is not None else ""


def _seen(node: Value) -> str:
    return f"{_called(node)}{f' = {_number(node.data)}' if node.op else ''}{_at(node)}"


# -- the study ---------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What a culprit is guilty of: a code, a sentence, where it began, and all nodes that take part."""

    cause: str
    message: str
    node: Value
    trouble: tuple[Value, ...]


class Edge(NamedTuple):
    """An operation, the operand it hands something on to, the partial derivative, and what it hands on."""

    node: Value
    below: Value
    partial: Any
    contribution: float


def _class(number: float) -> str:
    """What is bad about a number."""
    return "nan" if math.isnan(number) else "inf" if math.isinf(number) else "zero" if number == 0.0 else "finite"


class _Study:
    """A graph and its adjoints, and the way up from any node."""

    def __init__(self, root: Value, small: float, large: float) -> None:
        self.root, self.small, self.large = root, small, large
        self.adjoints = topological_order(root)
        for _ in sweep(root, 1.0, self.adjoints):
            pass
        self.order = topological_order(root, everything=True)
        self.users: dict[Value, list[tuple[Value, Any]]] = {node: [] for node in self.order}
        for node in self.order:
            for operand, partial in zip(node.operands, node.partials, strict=True):
                if type(operand) is Value:
                    self.users[operand].append((node, partial))
        self._began: dict[Value, Edge | Value] = {}
        self._blocked: dict[Value, list[Edge]] = {}

    def findings(self, names: dict[Value, str] | None) -> Iterator[Finding]:
        """One for each node that was asked for; of all leaves, what is wrong, equal troubles together."""
        if names is not None:
            for node, name in names.items():
                yield self.finding(node, name)
            return
        targets = [node for node in self.order if node.op is None and node is not self.root]
        groups: dict[Any, list[Value]] = {}
        sized = [x for x in targets if self.kind(x) in ("vanishing", "exploding")]
        sized.sort(key=lambda x: abs(math.log(abs(self.adjoint(x)))), reverse=True)
        studied = dict.fromkeys(sized[:_STUDIED])
        for node in dict.fromkeys([*studied, *targets]):
            kind = self.kind(node)
            if kind == "ordinary":
                continue
            if kind in ("vanishing", "exploding"):
                known = None if node in studied else next((key for key in groups if key[0] == kind), None)
                key: Any = known or (kind, self.verdict(node).cause)
            else:
                verdict = self.verdict(node)
                site = place_of(verdict.node) if verdict.node.op else None
                key = kind, verdict.cause, (site.code, site.instruction) if site else id(verdict.node)
            groups.setdefault(key, []).append(node)
        if len(groups) > _MOST_FINDINGS:  # nobody reads more: by cause alone
            merged: dict[Any, list[Value]] = {}
            for key, nodes in groups.items():
                merged.setdefault(key[:2], []).extend(nodes)
            groups = merged
        for first, *others in groups.values():
            yield self.finding(first, "", tuple(others))

    def adjoint(self, node: Value) -> float:
        """What arrives at a node; 0.0 where nothing does."""
        adjoint = self.adjoints.get(node, ZERO)
        return 0.0 if adjoint is ZERO else adjoint

    def kind(self, node: Value) -> str:
        """What is wrong with a gradient."""
        if node not in self.users:
            return "unreached"
        if node is self.root:
            return "ordinary"
        gradient = self.adjoint(node)
        if (kind := _class(gradient)) != "finite":
            return kind
        if abs(gradient) < self.small or self.is_cancelled(node):
            return "vanishing"
        return "exploding" if abs(gradient) > self.large else "ordinary"

    def finding(self, node: Value, name: str, others: tuple[Value, ...] = ()) -> Finding:
        """Everything about one gradient."""
        kind, verdict = self.kind(node), self.verdict(node)
        path = self.path(node)
        culprit = None
        if kind not in ("ordinary", "unreached"):
            link = next((k for k in path if k.node is verdict.node), None)
            culprit = Culprit(
                verdict.node,
                link and link.upstream,
                link and link.local,
                place_of(verdict.node) if verdict.node.op else None,
            )
            began = self.began(node)
            if link is None and isinstance(began, Edge):
                culprit = culprit._replace(upstream=self.adjoint(began.node), local=began.partial)
        advice = None
        if kind not in ("ordinary", "unreached") and verdict.cause not in ("stopped", "step"):
            # A larger form may end above the trouble, on its way to the output.
            trouble = _ends(verdict.trouble)
            above = [user for node in trouble for user, _ in self.users.get(node, ())[:_SHOWN_LINKS]]
            roots = [*trouble, *above, *(user for node in above for user, _ in self.users[node][:_SHOWN_LINKS])]
            roots += [link.node for link in path[-2 * _SHOWN_LINKS :]]
            advice = advise([root for root in dict.fromkeys(roots) if root.op is not None], set(trouble))
        kinks = [kink for link in path if (kink := _kink(link.node)) is not None]
        return Finding(
            node,
            self.adjoint(node),
            kind,
            verdict.cause,
            verdict.message,
            path,
            culprit,
            tuple(kinks),
            advice,
            others,
            name or _label(node),
        )

    # -- the way up ----------------------------------------------------------------------------------------------------

    def edges(self, node: Value) -> list[Edge]:
        """All that hand something on to a node."""
        return [
            Edge(user, node, partial, self.adjoint(user) * partial)
            for user, partial in self.users[node]
            if partial is not ZERO and self.adjoints.get(user, ZERO) is not ZERO
        ]

    def up(self, node: Value) -> Edge | None:
        """The edge that made the adjoint of a node what it is; None at the root, and where only the sum did."""
        edges = self.edges(node)
        if node is self.root or not edges:
            return None
        kind = _class(self.adjoint(node))
        if kind == "finite":
            return max(edges, key=lambda edge: abs(edge.contribution))
        alike = [edge for edge in edges if _class(edge.contribution) == kind]
        if not alike or (kind == "zero" and len(alike) < len(edges)):
            return None
        fresh = [edge for edge in alike if _class(self.adjoint(edge.node)) != kind]
        return (fresh or alike)[0]

    def began(self, node: Value) -> Edge | Value:
        """The edge where the adjoint of a node became nan, infinite or zero; or the node whose sum it was."""
        kind, way = _class(self.adjoint(node)), []
        while node not in self._began:
            way.append(node)
            edge = self.up(node)
            if edge is None:
                self._began[node] = node
            elif _class(self.adjoint(edge.node)) != kind:
                self._began[node] = edge
            else:
                node = edge.node
        for passed in way:
            self._began[passed] = self._began[node]
        return self._began[node]

    def path(self, node: Value) -> tuple[Link, ...]:
        """The factors from the output down to a node."""
        links: list[Link] = []
        if node not in self.adjoints and node in self.users:
            (first, *_), below = self._walls(node)
            passed, start = [self.link(first.node, ZERO)], node
            node, inner = first.node, first.below
            while inner is not start:
                user = inner
                inner, partial = below[user]
                passed.append(self.link(user, partial))
            links += reversed(passed)
            while node not in self.adjoints and self.users[node]:
                user, partial = min(self.users[node], key=lambda user: user[0] not in self.adjoints)
                links.append(self.link(user, partial))
                node = user
        while node in self.adjoints and node is not self.root:
            up = self.up(node)
            if up is None:  # a sum: along its largest term
                up = max(self.edges(node), key=lambda edge: abs(edge.contribution))
            links.append(self.link(up.node, up.partial))
            node = up.node
        return tuple(reversed(links))

    def link(self, node: Value, partial: Any) -> Link:
        """An edge as the user sees it."""
        upstream = self.adjoint(node)
        return Link(node, place_of(node), upstream, partial, 0.0 if partial is ZERO else upstream * partial)

    def _walls(self, node: Value) -> tuple[list[Edge], dict[Value, tuple[Value, Any]]]:
        """The nearest missing edges above a node that nothing arrives at; for each node on the way, the one below."""
        walls: list[Edge] = []
        below: dict[Value, tuple[Value, Any]] = {node: (node, ZERO)}
        waiting = [node]
        for inner in waiting:  # it grows
            for user, partial in self.users[inner]:
                if partial is ZERO:
                    walls.append(Edge(user, inner, ZERO, 0.0))
                elif user not in below:
                    below[user] = inner, partial
                    waiting.append(user)
        return walls, below

    def blockers(self, node: Value) -> list[Edge]:
        """The nearest edges that are none, with one walk for all nodes whose only way is through the same node."""
        way = []
        while node not in self._blocked and len(self.users[node]) == 1 and self.users[node][0][1] is not ZERO:
            way.append(node)
            node = self.users[node][0][0]
        if node not in self._blocked:
            self._blocked[node] = self._walls(node)[0]
        self._blocked.update(dict.fromkeys(way, self._blocked[node]))
        return self._blocked[node]

    # -- verdicts ------------------------------------------------------------------------------------------------------

    def is_cancelled(self, node: Value) -> bool:
        """Whether the contributions to a node leave next to nothing of each other."""
        largest = max([abs(edge.contribution) for edge in self.edges(node)], default=0.0)
        return math.isfinite(largest) and abs(self.adjoint(node)) < _CANCELLED * largest

    def verdict(self, node: Value) -> Verdict:
        """What is wrong with the gradient of a node, and where it began."""
        kind = self.kind(node)
        if kind == "unreached":
            return Verdict("never reaches", f"It has no part in the computation of {_seen(self.root)}.", node, ())
        if kind == "ordinary":
            return Verdict("ordinary", "Nothing is wrong; this is the strongest path.", node, ())
        if kind in ("vanishing", "exploding"):
            return self.product(node, kind)
        if node not in self.adjoints:
            return self.wall(node)
        began = self.began(node)
        if isinstance(began, Edge):
            return {"nan": self.nan, "inf": self.infinite, "zero": self.zero}[kind](began)
        return self.total(began, kind)

    def total(self, node: Value, kind: str) -> Verdict:
        """A sum of contributions that is worse than each of them."""
        numbers = sorted([edge.contribution for edge in self.edges(node)], key=abs, reverse=True)
        listed = ", ".join(map(_number, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
        cause = {"nan": "inf - inf", "inf": "overflow"}.get(kind, "cancelled")
        what = {
            "nan": "infinities of both signs arrive, and their sum is nan",
            "inf": "their sum is beyond the largest float",
        }.get(kind, "they cancel; it may be a minimum, or a symmetry")
        message = f"The contributions {listed} arrive at {_seen(node)}: {what}."
        trouble = tuple([edge.node for edge in self.edges(node)[:_SHOWN_LINKS]])
        if kind in ("nan", "inf"):
            infinite = next((edge for edge in self.edges(node) if math.isinf(edge.contribution)), None)
            if infinite is not None:
                source = self.source(infinite.node, infinite.partial)
                message, trouble = f"{message} {source.message}", (*trouble, *source.trouble)
        return Verdict(cause, message, node, (node, *trouble))

    def wall(self, node: Value) -> Verdict:
        """All paths end at branches not taken, steps, or where the program asked for it."""
        walls = self.blockers(node)
        if not walls:
            return Verdict("never reaches", f"Nothing that it is used for reaches {_seen(self.root)}.", node, ())
        told = [_wall(edge) for edge in walls]
        cause, message = told[0]
        more = list(dict.fromkeys([text for _, text in told[1:] if text != message]))
        if more:
            message += " The other ways are blocked too: " + " ".join(more[:2])
        if len(more) > 2:
            message += f" And {len(more) - 2:,} more."
        return Verdict(cause, message, walls[0].node, tuple(edge.node for edge in walls))

    def nan(self, edge: Edge) -> Verdict:
        """The product that is nan while the adjoint was not."""
        if math.isnan(edge.partial):
            return self.forward(edge.node, "nan")
        upstream = self.adjoint(edge.node)
        source, origin = self.source(edge.node, edge.partial), self.adjoint_source(edge.node)
        message = (
            f"{_number(upstream)} arrives at {_seen(edge.node)}, whose local slope is {_number(edge.partial)}, and "
            f"0 * inf is nan. The slope: {source.message} What arrives: {origin.message}"
        )
        return Verdict("0 * inf", message, edge.node, (edge.node, edge.below, *source.trouble, *origin.trouble))

    def infinite(self, edge: Edge) -> Verdict:
        """The product that is infinite while the adjoint was not."""
        if math.isinf(edge.partial):
            return self.source(edge.node, edge.partial)
        return self.rounded(edge, "overflow", "is beyond the largest float, 1.8e308")

    def rounded(self, edge: Edge, cause: str, what: str) -> Verdict:
        """A product of two ordinary factors that floats cannot hold."""
        factors = f"{_number(self.adjoint(edge.node))} * {_number(edge.partial)}"
        return Verdict(cause, f"At {_seen(edge.node)} the product {factors} {what}.", edge.node, (edge.node,))

    def zero(self, edge: Edge) -> Verdict:
        """The product that is 0 while the adjoint was not."""
        if edge.partial != 0.0:
            return self.rounded(edge, "underflow", "is below the smallest float, 5e-324")
        return self.source(edge.node, edge.partial, edge.below)

    def adjoint_source(self, node: Value) -> Verdict:
        """Why what arrives at a node is 0 or infinite."""
        if _class(self.adjoint(node)) == "finite":
            return Verdict("ordinary", "", node, ())
        began = self.began(node)
        if not isinstance(began, Edge):
            return self.total(began, _class(self.adjoint(node)))
        return self.zero(began) if self.adjoint(node) == 0.0 else self.infinite(began)

    def source(self, node: Value, partial: Any, below: Value | None = None) -> Verdict:
        """Why a local slope is 0, infinite or nan."""
        if partial != 0.0:
            return self.forward(node, _class(partial))
        scope, op = composite_of(node), node.op
        partners = [x for x in node.operands if _data(x) == 0.0]
        if scope is not None and op in ("exp", "expm1", "div", "log1p"):
            inputs = inputs_of(scope, node)
            numbers = ", ".join(_number(x.data) for x in inputs[:3])
            message = f"{scope.name} is saturated at {numbers}: its slope is 0 in floating point{_at(node)}."
            return Verdict("saturated", message, node, (node,))
        if op in ("mul", "dot", "div") and partners:
            partner = next((x for x in partners if x is not below), partners[0])
            if op != "dot" and partner is below and all(x is below for x in node.operands):
                return Verdict("stationary", f"{_seen(node)} is flat where its operand is 0.", node, (node,))
            message = f"It is multiplied by 0 in {_seen(node)}."
            trouble: tuple[Value, ...] = (node,)
            if type(partner) is Value and partner.op is not None:
                message += f" That 0 is {_seen(partner)}."
                trouble = node, partner
            return Verdict("multiplied by 0", message, node, trouble)
        if node.data == 0.0 and op in ("exp", "exp2", "pow") and not partners:
            message = f"{_called(node)} is below the smallest float, so it is 0, and its slope too{_at(node)}."
            return Verdict("underflow", message, node, (node,))
        infinite = next((x for x in node.operands if math.isinf(_data(x))), None)
        if infinite is not None:
            reason = self.forward(infinite, "inf") if type(infinite) is Value else None
            message = f"{_seen(node)} has the slope 0 at an infinite operand."
            if reason is not None:
                return Verdict(reason.cause, f"{message} {reason.message}", node, (node, *reason.trouble))
            return Verdict("saturated", message, node, (node,))
        if op in _WITH_FLAT_TAILS and node.data != 0.0:
            message = f"{_called(node)} is so flat there that its slope is 0 in floating point{_at(node)}."
            return Verdict("saturated", message, node, (node,))
        return Verdict("stationary", f"The slope of {_called(node)} is 0 at that point{_at(node)}.", node, (node,))

    def forward(self, node: Value, kind: str) -> Verdict:
        """Where, in computing, a number or a slope became nan or infinite: at finite operands, or in the input."""
        trail = [node]
        while True:
            operands = [x for x in node.operands if not math.isfinite(_data(x))]
            operands.sort(key=lambda x: math.isinf(_data(x)))  # nan first
            if not operands or (math.isfinite(node.data) and len(trail) > 1):
                break
            operand = operands[0]
            if type(operand) is float or operand.op is None:
                return Verdict(*self._input(node, operand), node, tuple(trail))
            node = operand
            trail.append(node)
        if node.op is None:
            return Verdict(*self._input(node, node), node, tuple(trail))
        numbers = [_data(x) for x in node.operands]
        if math.isnan(node.data) or (math.isfinite(node.data) and kind == "nan"):
            cause = "outside domain"
            what = "result" if math.isnan(node.data) else "slope"
            message = f"{_called(node)} is outside the domain of {node.op}: the {what} is nan{_at(node)}."
        elif math.isfinite(node.data):
            cause, message = "pole", f"The slope of {_called(node)} is infinite{_at(node)}."
        elif _is_pole(node, numbers):
            cause, message = "pole", f"{_called(node)} is {_number(node.data)}{_at(node)}: a pole."
            if any(x == 0.0 and self._underflowed(operand) for x, operand in zip(numbers, node.operands, strict=True)):
                zero = next(operand for operand in node.operands if self._underflowed(operand))
                message += f" The 0 is {_seen(zero)}."
                trail.append(zero)
        else:
            cause = "overflow"
            message = f"{_called(node)} is beyond the largest float, 1.8e308, so it is {_number(node.data)}{_at(node)}."
        first_nan = next((n for n in reversed(trail) if math.isnan(n.data)), None)
        if cause != "outside domain" and first_nan is not None:
            message += f" Then {_called(first_nan)} is nan{_at(first_nan)}."
        return Verdict(cause, message, node, tuple(trail))

    @staticmethod
    def _underflowed(operand: Any) -> bool:
        return type(operand) is Value and operand.op is not None and operand.data == 0.0

    @staticmethod
    def _input(node: Value, operand: Any) -> tuple[str, str]:
        number = _data(operand)
        name = f"The constant {_number(number)}" if type(operand) is float else f"The input {_called(operand)}"
        return ("nan input" if math.isnan(number) else "inf input"), f"{name} goes into {_seen(node)}."

    def product(self, node: Value, kind: str) -> Verdict:
        """A gradient that is tiny or huge: one factor, many of them, or a sum that cancelled."""
        path = self.path(node)
        for place in [*(link.node for link in path), node]:
            if self.is_cancelled(place):
                return self.total(place, "cancelled")
        sign = 1.0 if kind == "vanishing" else -1.0
        factors = sorted(path, key=lambda link: sign * abs(link.local))
        worst, rest = factors[0], abs(self.adjoint(node)) / abs(factors[0].local or 1.0)
        trouble = tuple(link.node for link in factors[:3])
        if self.small <= rest <= self.large:
            scope = composite_of(worst.node)
            message = f"The slope {_slope(worst.local)} of {_seen(worst.node)} alone makes it so."
            if kind == "exploding":
                return Verdict("pole" if worst.node.op in _WITH_POLE else "large factor", message, worst.node, trouble)
            if scope is not None:
                inputs = ", ".join(_number(x.data) for x in inputs_of(scope, worst.node)[:3])
                return Verdict("saturated", f"{scope.name} is saturated at {inputs}. {message}", worst.node, trouble)
            return Verdict("small factor", message, worst.node, trouble)
        size = "smallest" if kind == "vanishing" else "largest"
        telling = [link for link in factors if sign * abs(link.local) < sign] or factors
        places: dict[Any, Link] = {}  # each place once, with its worst factor
        for link in telling:
            places.setdefault((link.origin.code, link.origin.instruction) if link.origin else link.node, link)
        listed = "; ".join([f"{_slope(link.local)} by {_seen(link.node)}" for link in [*places.values()][:3]])
        message = f"It is a product of {len(path):,} factors. The {size}: {listed}."
        return Verdict("product of many factors", message, worst.node, trouble)


def _is_pole(node: Value, numbers: list[float]) -> bool:
    """Whether a result is infinite at this very point, and not because it grew beyond all floats."""
    if node.op in _WITHOUT_POLE:
        return False
    function = TABLE[str(node.op)].function
    moved = [
        function(*numbers[:i], math.nextafter(number, side), *numbers[i + 1 :])
        for i, number in enumerate(numbers)
        for side in (-math.inf, math.inf)
    ]
    return (0.0 in numbers and node.op in ("div", "pow")) or any(number != node.data for number in moved)


def _wall(edge: Edge) -> tuple[str, str]:
    """Why an operation hands nothing on to an operand: a code, and a sentence."""
    node, op = edge.node, edge.node.op
    called = f"{_called(node)}{_at(node)}"
    if op == "stop_gradient":
        return "stopped", f"The program asked for it: {called} is a constant for all derivatives."
    if op in ("floor", "sign", "floor_divide"):
        return "step", f"{called} is a step function: its derivative is 0 wherever it has one."
    if _is_relu(node):
        return "dead branch", f"{called} got a number that is not positive, so it is 0 and hands nothing on."
    if op == "where":
        return "dead branch", f"{called} took the other branch."
    if op in ("maximum", "minimum"):
        return "dead branch", f"{called} chose another operand, {_number(node.data)}, not {_number(edge.below.data)}."
    if op == "clip":
        return (
            "dead branch",
            f"{called} is limited to {_number(node.data)}: outside the bounds, and on them, it is constant.",
        )
    if _kink(node) is not None:
        return "kink", f"{called} is a kink, and the slope chosen there is 0."
    return "dead branch", f"{called} does not depend on this operand here."


def _kink(node: Value) -> Kink | None:
    """The kink that a node of a path sits on."""
    kink = kink_of(node)
    if kink is None and _is_relu(node) and _data(node.operands[2]) == 0.0:
        with unobserved():
            kink = kink_at_switch("relu", relu, node.operands[2], node)
    return kink
