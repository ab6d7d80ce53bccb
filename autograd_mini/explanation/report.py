"""What `explain` returns: findings, one per gradient or per group with the same trouble, with their text and advice.

Not here: the search for causes (`causes`), and stable forms (`stable`). Read next: `check`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from autograd_mini.core.node import is_relu
from autograd_mini.core.row import ZERO
from autograd_mini.engine import Value
from autograd_mini.explanation.causes import Cause, Causes
from autograd_mini.explanation.graph import SHOWN, Edge, Graph, Link, Words, at_site, ends, short, slope_text
from autograd_mini.explanation.stable import advise
from autograd_mini.notation.names import Names, call_of
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.output.streams import columns, printable_lines, wrapped
from autograd_mini.program.source import Site
from autograd_mini.watch.boundaries import Kink
from autograd_mini.watch.origins import place_of

_MOST_FINDINGS = 20  # about all leaves; nodes that were asked for get one each
_STUDIED = 50  # tiny or huge gradients that are studied one by one; any more have the same causes


class Culprit(NamedTuple):
    """The place where a gradient went wrong."""

    node: Value  # the operation, or the node whose contributions do not add up
    upstream: float | None  # one factor: the adjoint that arrived; None in a sum
    local: Any  # the other factor: the local partial derivative; `ZERO` where there is no edge; None in a sum
    origin: Site | None  # where in the user's program; None without provenance


@dataclass(frozen=True, eq=False)
class Finding:
    """What `explain` says about one gradient, or about several with the same trouble."""

    node: Value  # whose gradient
    gradient: float  # 0.0 where nothing arrives
    kind: str  # "zero", "nan", "inf", "exploding", "vanishing", "unreached"; "ordinary" if nothing is wrong
    cause: str  # a short code, such as "dead branch", "0 * inf", "saturated", "cancelled", "pole"
    message: str  # what happened, with the numbers: one fact per line
    path: tuple[Link, ...] = ()  # the factors from the output down to the node, one per primitive
    culprit: Culprit | None = None  # where it went wrong; None for an ordinary gradient
    kinks: tuple[Kink, ...] = ()  # points on the path without a derivative, with the slopes chosen and on both sides
    advice: str | None = None  # "Write X instead of Y.", what usually helps, or None
    others: tuple[Value, ...] = ()  # more nodes with the same trouble
    steps: tuple[Link, ...] = ()  # the path as the program wrote it: a composition of this package is one link
    gradients: tuple[float, ...] = ()  # of the node, then of the others
    arrivals: int = 1  # the number of contributions that add up to the gradient
    _text: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self._text


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What `explain` found; print it as text. It is true if something is wrong.

    Attributes:
        root: the output that is differentiated.
        findings: one per gradient, or group of gradients, that has something wrong or was asked for.
    """

    root: Value
    findings: tuple[Finding, ...]
    _result: str  # the output as the text calls it
    _besides: str  # what is wrong outside the gradients

    def __bool__(self) -> bool:
        return bool(self._besides) or any(finding.kind != "ordinary" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        lines = [f"Derivatives of {self._result}"]
        if not self.findings:  # only if all leaves were looked at: what was asked for has findings
            lines.append(self._besides or "Nothing is wrong: no gradient is zero, nan, infinite, tiny or huge.")
        lines += map(str, self.findings)
        if self and self.root.origin is None:
            lines.append("Record the computation under `with am.provenance():` and this text names your own lines.")
        most, text = columns(), printable_lines("\n".join(lines))
        return "\n".join(part for line in text.split("\n") for part in wrapped(line, most))


def explained(
    root: Value, names: Names, recorded: Snapshot, asked: dict[Value, str] | None, inputs: Iterable[Value] = (),
    small: float = 1e-6, large: float = 1e6,
) -> Explanation:  # fmt: skip
    """Explain a graph whose names and numbers are known; each node that was asked for comes with a name, or ""."""
    graph = Graph(root, Words(names, recorded))
    causes = Causes(graph, small, large)
    found = tuple(_findings(causes, asked, inputs))
    top = next((f.steps[0].text for f in found if f.steps and f.steps[0].node is root), "")
    return Explanation(root, found, graph.words.seen(root, top), causes.without_gradients())


def _findings(causes: Causes, asked: dict[Value, str] | None, inputs: Iterable[Value]) -> Iterator[Finding]:
    """Yield one finding per node that was asked for; of all leaves and inputs only what is wrong, in groups."""
    if asked is not None:
        for node, name in asked.items():
            yield _finding(causes, node, name)
        return
    graph = causes.graph
    targets = [node for node in graph.order if node.op is None and node is not graph.root]
    targets += [node for node in inputs if node not in graph.users]
    kinds = {node: causes.kind(node) for node in targets}
    sized = [node for node in kinds if kinds[node] in ("vanishing", "exploding")]
    sized.sort(key=lambda node: abs(math.log(abs(graph.adjoint(node)))), reverse=True)
    studied = dict.fromkeys(sized[:_STUDIED])
    groups: dict[Any, list[Value]] = {}
    for node in dict.fromkeys([*studied, *kinds]):
        kind = kinds[node]
        if kind == "ordinary":
            continue
        key: Any = next((key for key in groups if key[0] == kind), None)
        if kind not in ("vanishing", "exploding"):
            cause = causes.cause(node)
            site = place_of(cause.node) if cause.node.op else None
            key = kind, cause.code, None if kind == "unreached" else site.place if site else id(cause.node)
        elif node in studied or key is None:
            key = kind, causes.cause(node).code
        groups.setdefault(key, []).append(node)
    if len(groups) > _MOST_FINDINGS:  # more than you would read: group by cause alone
        merged: dict[Any, list[Value]] = {}
        for key, nodes in groups.items():
            merged.setdefault(key[:2], []).extend(nodes)
        groups = merged
    for first, *others in groups.values():
        yield _finding(causes, first, "", tuple(others))


def _finding(causes: Causes, node: Value, name: str, others: tuple[Value, ...] = ()) -> Finding:
    """Say everything about one gradient."""
    graph, words = causes.graph, causes.words
    kind, cause, path = causes.kind(node), causes.cause(node), graph.path(node)
    steps = graph.steps(path, node)
    culprit = None
    if kind not in ("ordinary", "unreached"):
        upstream, local = next(((k.upstream, k.local) for k in (*steps, *path) if k.node is cause.node), (None, None))
        if upstream is None and isinstance(edge := graph.began(node), Edge):
            upstream, local = graph.adjoint(edge.node), edge.partial
        culprit = Culprit(cause.node, upstream, local, place_of(cause.node) if cause.node.op else None)
    finding = Finding(
        node=node,
        gradient=graph.adjoint(node),
        kind=kind,
        cause=cause.code,
        message=cause.message,
        path=path,
        culprit=culprit,
        kinks=tuple([k for x in path if x.node in graph.adjoints and (k := causes.kink(x.node)) is not None]),
        advice=_advice(causes, cause, kind, path),
        others=others,
        steps=steps,
        gradients=tuple(map(graph.adjoint, (node, *others))),
        arrivals=graph.arrivals(node),
    )
    return replace(finding, _text=_text(finding, name or words.label(node), words))


# -- how it reads ------------------------------------------------------------------------------------------------------


def _text(finding: Finding, name: str, words: Words) -> str:
    cause = finding.cause
    if cause == "pole":
        cause = "close to an infinite slope" if finding.kind == "exploding" else "infinite slope"
    wrong = f"{finding.kind}: {cause}" if finding.kind in ("vanishing", "exploding") else cause
    lines = [f"{_whose(finding, name, words)} ({wrong})", *[f"  {fact}" for fact in finding.message.split("\n")]]
    if finding.steps:
        example = f"For {name}, from" if finding.others else "From"
        lines.append(f"  {example} the output down, what arrives × local slope = what is handed on:")
        lines += _links(finding, name, words)
    for kink in ends(finding.kinks):
        operands = ", ".join(map(short, kink.numbers))
        lines.append(f"  Kink: {kink.op}({operands}){at_site(kink.site)}: {kink.meaning}")
    return printable_lines("\n".join(lines + ([f"  {finding.advice}"] if finding.advice else [])))


def _links(finding: Finding, name: str, words: Words) -> list[str]:
    """Return the first and the last steps; none after the point where nothing is handed on."""
    last = next((i for i, link in enumerate(finding.steps) if link.local is ZERO), len(finding.steps))
    steps = finding.steps[: last + 1]
    lines = [
        f"    {_arriving(link.upstream, link.arrivals, before)} × {slope_text(link.local)} = "
        f"{short(link.contribution)}  by {words.seen(link.node, link.text)}"
        for link, before in ends(tuple(zip(steps, (None, *steps), strict=False)))
    ]
    if len(steps) > len(lines):
        lines.insert(len(lines) // 2, f"    ... {len(steps) - len(lines):,} more ...")
    arrived = _arriving(finding.gradient, finding.arrivals, steps[-1])
    return lines if arrived == short(finding.gradient) else [*lines, f"    {arrived} arrives at {name}"]


def _arriving(number: float, arrivals: int, before: Link | None) -> str:
    """Return what arrives at a node, with a note if other paths join the link above there."""
    if before is None or math.isclose(before.contribution, number, rel_tol=1e-6) or number != number:
        return short(number)
    return f"{short(number)} ({f'the sum of {arrivals:,} paths' if arrivals > 1 else 'a sum'})"


def _whose(finding: Finding, name: str, words: Words) -> str:
    """Return the gradient, or a summary of several: one number only if all have it."""
    if not finding.others:
        return f"Gradient of {name} = {finding.gradient!r}"
    count = len(finding.others) + 1
    names = [name, *[words.label(node) for node in finding.others[:2]]]
    known = {words.name(node) for node in (finding.node, *finding.others[:2])}  # a loop makes many nodes with one name
    if count > 3 and ("" in known or len(known) < 3):
        also = f"{count:,} inputs"
    else:
        also = ", ".join(names) + (f" and {count - 3:,} more" if count > 3 else "")
    if len(set(map(repr, finding.gradients))) == 1:
        return f"Gradients of {also}, each = {finding.gradient!r}"
    sizes = [abs(gradient) for gradient in finding.gradients]
    between = f"from {short(min(sizes))} to {short(max(sizes))} in size, " if min(sizes) < max(sizes) else ""
    return f"Gradients of {also}, {between}for example of {name} = {finding.gradient!r}"


# -- what to do about it -----------------------------------------------------------------------------------------------


def _advice(causes: Causes, cause: Cause, kind: str, path: tuple[Link, ...]) -> str | None:
    """Return one sentence of advice; None if nothing is wrong, or no remedy is known."""
    if cause.code == "never reaches":
        return causes.cut_off() or "Did you use .data, a new Value, or another variable of the same name?"
    if kind in ("ordinary", "unreached") or cause.code in ("stopped", "step"):
        return None
    users = causes.graph.users
    trouble = ends(cause.trouble)
    # A larger form may end above the trouble, closer to the output.
    above = [user for node in trouble for user, _ in users.get(node, ())[:SHOWN]]
    roots = [*trouble, *above, *(user for node in above for user, _ in users[node][:SHOWN])]
    roots += [link.node for link in path[-2 * SHOWN :]]
    found = advise([root for root in dict.fromkeys(roots) if root.op is not None], set(trouble))
    return found or _habit(causes, cause, kind)


def _habit(causes: Causes, cause: Cause, kind: str) -> str | None:
    """Return what usually helps if no single formula is to blame."""
    if cause.code == "dead branch" and is_relu(cause.node):
        remedies = "a smaller learning rate, another initialisation or leaky_relu keeps it alive"
        return f"The unit is off for this input; {remedies}."
    if cause.code == "product of many factors" and kind == "vanishing":
        return "Initialise so that slopes are near 1, add residual connections, or use relu."
    if cause.code == "product of many factors":
        return "Initialise smaller, so that slopes are near 1; clipping the gradient limits the damage."
    call = call_of(cause.node)
    if cause.code == "saturated" and call is not None and call.name in ("sigmoid", "tanh", "softmax"):
        loss = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy"}.get(call.name)
        logits = f"; with a loss on top, use one that takes the logits, such as {loss}" if loss else ""
        return f"Scale the inputs of {call.name}, or initialise smaller{logits}."
    for node in cause.trouble:
        numbers = [causes.words.number(x) for x in node.operands]
        low, high = node._row.inside if node._row is not None else (-math.inf, math.inf)
        is_below = low > -math.inf and numbers[0] <= low
        if is_below or (high < math.inf and numbers[0] >= high):  # nan and inf began elsewhere
            inside = f"between {low:g} and {high:g}" if high < math.inf else f"above {low:g}" if low else "positive"
            return f"Keep the argument of {node.op} {inside}: clip it, or use a form that cannot get there."
        if node.op == "div" and numbers[1] == 0.0:
            return "Keep the denominator away from 0: clip it, or use a form that cannot get there."
    return None
