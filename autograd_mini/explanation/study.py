"""How `explain` finds what is wrong with a gradient.

A gradient is a sum of products along paths. Whatever is wrong with it came in at one place: going up from the node,
towards the output, as long as the adjoint is just as bad, one arrives at the product, or the sum, where it began.
Not here: the sweep (that is `sweep`), and what to write instead (that is `stable`). Read next: `stable`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.engine import CUT_OFF, Value, is_cut_off, is_node
from autograd_mini.explanation.digits import without_digits
from autograd_mini.explanation.report import SHOWN_LINKS, Culprit, Finding, Link, Words, at, ends, short, slope_text
from autograd_mini.explanation.stable import advise, inputs_of
from autograd_mini.functions.activations import kink_at_switch, relu
from autograd_mini.notation.names import call_of, composite_of, is_relu
from autograd_mini.program.scopes import unobserved
from autograd_mini.program.stack import Scope
from autograd_mini.watch.boundaries import Kink, kink_of
from autograd_mini.watch.origins import place_of

_CANCELLED = 1e-12  # a sum that is smaller than its terms by this has no digits left
_MOST_FINDINGS = 20  # of all leaves; of nodes that were asked for, one each
_MOST = 0.5  # of the logarithm of a product: a factor with more of it is the cause, if the others alone do no harm
_NEARLY_ALL = 0.67  # a factor with more is the cause in any case
_STUDIED = 50  # so many tiny or huge gradients are looked at one by one; what is wrong with more is wrong with these


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


class Study:
    """A graph and its adjoints, and the way up from any node."""

    def __init__(self, root: Value, small: float, large: float, words: Words) -> None:
        self.root, self.small, self.large, self.words = root, small, large, words
        self.adjoints = adjoints(root)
        self.order = topological_order(root, everything=True)
        self.users: dict[Value, list[tuple[Value, Any]]] = {node: [] for node in self.order}
        for node in self.order:
            for operand, partial in zip(node.operands, node.partials, strict=True):
                if is_node(operand):
                    self.users[operand].append((node, partial))
        self._position = {node: i for i, node in enumerate(self.order)}
        self._slopes: dict[Value, dict[Value, Any]] = {}
        self._began: dict[Value, Edge | Value] = {}
        self._blocked: dict[Value, list[Edge]] = {}

    def findings(self, names: dict[Value, str] | None, inputs: Iterable[Value] = ()) -> Iterator[Finding]:
        """One for each node that was asked for; of all leaves and inputs, what is wrong, equal troubles together."""
        if names is not None:
            for node, name in names.items():
                yield self.finding(node, name)
            return
        targets = [node for node in self.order if node.op is None and node is not self.root]
        targets += [node for node in inputs if node not in self.users]
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
            elif kind == "unreached":
                key = kind, "never reaches"
            else:
                verdict = self.verdict(node)
                site = place_of(verdict.node) if verdict.node.op else None
                key = kind, verdict.cause, site.place if site else id(verdict.node)
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
        steps = tuple([step._replace(arrivals=self.arrivals(step.node)) for step in self.steps(path, node)])
        culprit = None
        if kind not in ("ordinary", "unreached"):
            link = next((k for k in (*steps, *path) if k.node is verdict.node), None)
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
            trouble = ends(verdict.trouble)
            above = [user for node in trouble for user, _ in self.users.get(node, ())[:SHOWN_LINKS]]
            roots = [*trouble, *above, *(user for node in above for user, _ in self.users[node][:SHOWN_LINKS])]
            roots += [link.node for link in path[-2 * SHOWN_LINKS :]]
            advice = advise([root for root in dict.fromkeys(roots) if root.op is not None], set(trouble))
            advice = advice or _habit(verdict, kind, self.words)
        if verdict.cause == "never reaches" and (cut := self.cut_off()):
            advice = cut
        elif verdict.cause == "never reaches":
            advice = "Did you use .data, a new Value, or another variable of the same name?"
        reached = [link.node for link in path if link.node in self.adjoints]
        kinks = [kink for user in reached if (kink := _kink(user, self.words)) is not None]
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
            steps,
            tuple([self.adjoint(n) for n in (node, *others)]),
            self.arrivals(node),
            name or self.words.label(node),
            self.words,
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
        upstream, reached = self.adjoint(node), node in self.adjoints
        return Link(
            node, place_of(node), upstream, partial, upstream * partial if reached and partial is not ZERO else 0.0
        )

    def arrivals(self, node: Value) -> int:
        """How many contributions a node's adjoint is the sum of; those of one call of a composition are one."""
        users = [edge.node for edge in self.edges(node)] if node in self.users else []
        calls = [call_of(user) for user in users]
        return len(set(calls) - {None, call_of(node)}) + calls.count(None)

    def steps(self, path: tuple[Link, ...], end: Value) -> tuple[Link, ...]:
        """A path as the program wrote it: the links inside of one call of a composition are one, if it ends outside."""
        around = call_of(end) if end.op is not None else None
        pairs = zip(path, [*[link.node for link in path[1:]], end], strict=False)
        steps: list[Link] = []
        calls = {link.node: found for link in path if (found := call_of(link.node)) is not around}
        groups = itertools.groupby(pairs, key=lambda pair: calls.get(pair[0].node) or id(pair[0].node))
        for call, members in groups:
            inside = list(members)
            (link, _), (_, bottom) = inside[0], inside[-1]
            if isinstance(call, Scope):
                slope = self.slopes(link.node, call).get(bottom, ZERO)
                handed = 0.0 if slope is ZERO or link.node not in self.adjoints else link.upstream * slope
                link = link._replace(local=slope, contribution=handed, text=self.called(link.node, call))
            steps.append(link)
        return tuple(steps)

    def called(self, node: Value, call: Scope) -> str:
        """A call of a composition with what it was called with: "tanh(0.5)"."""
        inputs = list(self.slopes(node, call))
        numbers = [short(self.words.number(x)) for x in inputs[:3]]
        return f"{call.name}({', '.join(numbers)}{', ...' * (len(inputs) > 3)})"

    def seen(self, node: Value) -> str:
        """A node, its number and its place; the result of a composition as what was called."""
        call = call_of(node)
        if call is None or any(call_of(user) is call for user, _ in self.users.get(node, ())):
            return self.words.seen(node)
        return f"{self.called(node, call)} = {short(node.data)}{at(node)}"

    def slopes(self, node: Value, call: Scope) -> dict[Value, Any]:
        """The derivatives of a result of a composition by everything that it was called with."""
        if node not in self._slopes:
            inside, inputs = {node}, set()
            waiting = [node]
            while waiting:
                for operand in waiting.pop().operands:
                    if not is_node(operand) or operand in inside:
                        continue
                    if operand.operands and call_of(operand) is call:
                        inside.add(operand)
                        waiting.append(operand)
                    else:
                        inputs.add(operand)
            adjoints: dict[Value, Any] = {node: 1.0}
            for inner in sorted(inside, key=self._position.__getitem__, reverse=True):
                adjoint = adjoints.get(inner, ZERO)
                for operand, partial in zip(inner.operands, inner.partials, strict=True):
                    if is_node(operand) and partial is not ZERO and adjoint is not ZERO:
                        adjoints[operand] = adjoints.get(operand, 0.0) + adjoint * partial
            self._slopes[node] = {x: adjoints.get(x, ZERO) for x in sorted(inputs, key=self._position.__getitem__)}
        return self._slopes[node]

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

    def cut_off(self) -> str:
        """What to say of the first number whose computation was not recorded; "" if there is none."""
        node = next(filter(is_cut_off, self.order), None)
        if node is None:
            return ""
        return f"{self.words.seen(node)} {CUT_OFF}. Compute it outside of no_grad(), or use what it was detached from."

    def without_gradients(self) -> str:
        """What is wrong although no gradient is: there is none, or the result is not finite; "" if nothing is."""
        if not any(node.op is None for node in self.order) and (cut := self.cut_off()):
            return cut
        if math.isfinite(self.root.data):
            return ""
        reason = self.forward(self.root, _class(self.root.data))
        fine = f"No gradient is zero, nan, infinite, tiny or huge, but the result is {short(self.root.data)}."
        return f"{fine} {reason.message}"

    # -- verdicts ------------------------------------------------------------------------------------------------------

    def is_cancelled(self, node: Value) -> bool:
        """Whether the contributions to a node leave next to nothing of each other."""
        largest = max([abs(edge.contribution) for edge in self.edges(node)], default=0.0)
        return math.isfinite(largest) and abs(self.adjoint(node)) < _CANCELLED * largest

    def verdict(self, node: Value) -> Verdict:
        """What is wrong with the gradient of a node, and where it began."""
        kind = self.kind(node)
        if kind == "unreached":
            return Verdict("never reaches", f"It has no part in the computation of {self.seen(self.root)}.", node, ())
        if kind == "ordinary":
            if not math.isfinite(node.data):
                reason = self.forward(node, _class(node.data))
                return Verdict("ordinary", f"Its gradient is fine, its number is not. {reason.message}", node, ())
            if node is self.root and is_cut_off(node):
                return Verdict("ordinary", self.cut_off(), node, ())
            way = "the sweep begins here" if node is self.root else "this is the strongest path"
            return Verdict("ordinary", f"Nothing is wrong; {way}.", node, ())
        if kind in ("vanishing", "exploding"):
            return self.product(node, kind)
        if node not in self.adjoints:
            return self.wall(node)
        began = self.began(node)
        if isinstance(began, Edge):
            return {"nan": self.nan, "inf": self.infinite, "zero": self.zero}[kind](began)
        lost = self.lost_digits(self.path(node), node) if kind == "zero" else None
        return lost or self.total(began, kind)

    def total(self, node: Value, kind: str) -> Verdict:
        """A sum of contributions that is worse than each of them."""
        numbers = sorted([edge.contribution for edge in self.edges(node)], key=abs, reverse=True)
        listed = ", ".join(map(short, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
        cause = {"nan": "inf - inf", "inf": "overflow"}.get(kind, "cancelled")
        what = {
            "nan": "infinities of both signs arrive, and their sum is nan",
            "inf": "their sum is beyond the largest float",
        }.get(kind, "they cancel; it may be a minimum, or a symmetry")
        message = f"The contributions {listed} arrive at {self.seen(node)}: {what}."
        trouble = tuple([edge.node for edge in self.edges(node)[:SHOWN_LINKS]])
        if kind in ("nan", "inf"):
            infinite = next((edge for edge in self.edges(node) if math.isinf(edge.contribution)), None)
            if infinite is not None:
                if math.isfinite(infinite.partial):
                    source = self.adjoint_source(infinite.node)
                else:
                    source = self.source(infinite.node, infinite.partial)
                message, trouble = f"{message} {source.message}", (*trouble, *source.trouble)
        return Verdict(cause, message, node, (node, *trouble))

    def wall(self, node: Value) -> Verdict:
        """All paths end at branches not taken, steps, or where the program asked for it."""
        walls = self.blockers(node)
        if not walls:
            return Verdict("never reaches", f"Nothing that it is used for reaches {self.seen(self.root)}.", node, ())
        told = [_wall(edge, self.words) for edge in walls]
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
        what = f"{short(upstream)} arrives at {self.seen(edge.node)}, whose local slope is {short(edge.partial)}"
        arrives = origin.message.replace(source.message, "").rstrip() or "it comes from the same place."
        message = f"{what}: 0 * inf is nan.\nThe slope: {source.message}\nWhat arrives: {arrives}"
        return Verdict("0 * inf", message, edge.node, (edge.node, edge.below, *source.trouble, *origin.trouble))

    def infinite(self, edge: Edge) -> Verdict:
        """The product that is infinite while the adjoint was not."""
        if math.isinf(edge.partial):
            return self.source(edge.node, edge.partial)
        return self.rounded(edge, "overflow", "is beyond the largest float, 1.8e308")

    def rounded(self, edge: Edge, cause: str, what: str) -> Verdict:
        """A product of two ordinary factors that floats cannot hold."""
        factors = f"{short(self.adjoint(edge.node))} * {short(edge.partial)}"
        return Verdict(cause, f"At {self.seen(edge.node)} the product {factors} {what}.", edge.node, (edge.node,))

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
        partners = [x for x in node.operands if self.words.number(x) == 0.0]
        if scope is not None and op in ("exp", "expm1", "div", "log1p"):
            inputs = inputs_of(scope, node)
            numbers = ", ".join(short(self.words.number(x)) for x in inputs[:3])
            message = f"{scope.name} is saturated at {numbers}: its slope is 0 in floating point{at(node)}."
            return Verdict("saturated", message, node, (node,))
        if op in ("mul", "dot", "div") and partners:
            partner = next((x for x in partners if x is not below), partners[0])
            if op != "dot" and partner is below and all(x is below for x in node.operands):
                return Verdict("stationary", f"{self.seen(node)} is flat where its operand is 0.", node, (node,))
            message = f"It is multiplied by 0 in {self.seen(node)}."
            trouble: tuple[Value, ...] = (node,)
            if is_node(partner) and partner.op is not None:
                message += f" That 0 is {self.seen(partner)}."
                trouble = node, partner
            return Verdict("multiplied by 0", message, node, trouble)
        if node.data == 0.0 and op in ("exp", "exp2", "pow") and not partners:
            message = f"{self.words.called(node)} is below the smallest float, so it is 0, and its slope too{at(node)}."
            return Verdict("underflow", message, node, (node,))
        infinite = next((x for x in node.operands if math.isinf(self.words.number(x))), None)
        if infinite is not None:
            reason = self.forward(infinite, "inf") if is_node(infinite) else None
            message = f"{self.seen(node)} has the slope 0 at an infinite operand."
            if reason is not None:
                return Verdict(reason.cause, f"{message} {reason.message}", node, (node, *reason.trouble))
            return Verdict("saturated", message, node, (node,))
        if node._row is not None and node._row.has_flat_tails and node.data != 0.0:
            message = f"{self.words.called(node)} is so flat there that its slope is 0 in floating point{at(node)}."
            return Verdict("saturated", message, node, (node,))
        return Verdict(
            "stationary", f"The slope of {self.words.called(node)} is 0 at that point{at(node)}.", node, (node,)
        )

    def forward(self, node: Value, kind: str) -> Verdict:
        """Where, in computing, a number or a slope became nan or infinite: at finite operands, or in the input."""
        trail = [node]
        while True:
            operands = [x for x in node.operands if not math.isfinite(self.words.number(x))]
            operands.sort(key=lambda x: math.isinf(self.words.number(x)))  # nan first
            if not operands or (math.isfinite(node.data) and len(trail) > 1):
                break
            operand = operands[0]
            if type(operand) is float or operand.op is None:
                return Verdict(*self._input(node, operand), node, tuple(trail))
            node = operand
            trail.append(node)
        if node.op is None:
            return Verdict(*self._input(node, node), node, tuple(trail))
        numbers = [self.words.number(x) for x in node.operands]
        if math.isnan(node.data) or (math.isfinite(node.data) and kind == "nan"):
            cause = "outside domain"
            what = "result" if math.isnan(node.data) else "slope"
            message = f"{self.words.called(node)} is outside the domain of {node.op}: the {what} is nan{at(node)}."
        elif math.isfinite(node.data):
            cause, message = "pole", f"The slope of {self.words.called(node)} is infinite{at(node)}."
        elif _is_pole(node, numbers):
            cause, message = (
                "pole",
                f"{self.words.called(node)} is {short(node.data)}{at(node)}; its slope is infinite there.",
            )
            if any(x == 0.0 and self._underflowed(operand) for x, operand in zip(numbers, node.operands, strict=True)):
                zero = next(operand for operand in node.operands if self._underflowed(operand))
                is_lost = without_digits(zero, self.words.number) is not None
                message += f" The 0 is {self.seen(zero)}{', which has lost all its digits' if is_lost else ''}."
                trail.append(zero)
        else:
            cause = "overflow"
            message = f"{self.words.called(node)} is beyond the largest float, 1.8e308, so it is {short(node.data)}"
            message += f"{at(node)}."
        first_nan = next((n for n in reversed(trail) if math.isnan(n.data)), None)
        if cause != "outside domain" and first_nan is not None:
            message += f" Then {self.words.called(first_nan)} is nan{at(first_nan)}."
        return Verdict(cause, message, node, tuple(trail))

    @staticmethod
    def _underflowed(operand: Any) -> bool:
        return is_node(operand) and operand.op is not None and operand.data == 0.0

    def _input(self, node: Value, operand: Any) -> tuple[str, str]:
        number = self.words.number(operand)
        name = f"The constant {short(number)}" if type(operand) is float else f"The input {self.words.called(operand)}"
        name = name.replace("The input the input", "The input")
        what = "is where it begins" if node is operand else f"goes into {self.seen(node)}"
        return ("nan input" if math.isnan(number) else "inf input"), f"{name} {what}."

    def lost_digits(self, path: tuple[Link, ...], node: Value) -> Verdict | None:
        """A number without a correct digit that meets another one, which the same node decides, on the path."""
        for user in [link.node for link in path if link.node.op in ("mul", "div")]:
            for operand in user.operands:
                others = [x for x in user.operands if x is not operand and is_node(x)]
                lost = without_digits(operand, self.words.number) if others else None
                if lost is None or node not in topological_order(lost):
                    continue
                if any(node in topological_order(x) for x in others):
                    message = f"{self.seen(lost)} has lost all its digits: "
                    if len(lost.operands) == 1:
                        message += f"{self.seen(lost.operands[0])} was rounded."
                    else:
                        message += "its terms cancel but for the errors that they were rounded with."
                    message += f" {self.seen(user)} is made of it, so the gradient is wrong."
                    return Verdict("cancelled", message, lost, (lost, *filter(is_node, lost.operands), user))
        return None

    def product(self, node: Value, kind: str) -> Verdict:
        """A gradient that is tiny or huge: one factor, many of them, or a sum that cancelled."""
        path = self.path(node)
        for place in [*(link.node for link in path), node]:
            if self.is_cancelled(place):
                return self.total(place, "cancelled")
        if kind == "exploding" and (lost := self.lost_digits(path, node)) is not None:
            return lost
        sign = 1.0 if kind == "vanishing" else -1.0
        steps = self.steps(path, node)
        factors = sorted(steps, key=lambda link: sign * abs(link.local))
        worst = factors[0]
        trouble = tuple(link.node for link in factors[:3])
        sizes = {id(link): -sign * _size(link.local) for link in steps}  # how much each does to make it so
        doing = sum(size for size in sizes.values() if size > 0.0)
        alone = sizes[id(worst)] > (-math.log(self.small) if kind == "vanishing" else math.log(self.large))
        rest = abs(self.adjoint(node)) / abs(worst.local or 1.0)
        share = sizes[id(worst)] / doing if doing else 0.0
        if share > _NEARLY_ALL or (self.small <= rest <= self.large and (alone or share > _MOST)):
            message = f"The slope {slope_text(worst.local)} of {self.words.seen_step(worst)} alone makes it so."
            if kind == "exploding":
                cause = "pole" if worst.node._row is not None and worst.node._row.poles else "large factor"
                return Verdict(cause, message, worst.node, trouble)
            if worst.text:
                name, _, inputs = worst.text.removesuffix(")").partition("(")
                return Verdict("saturated", f"{name} is saturated at {inputs}. {message}", worst.node, trouble)
            return Verdict("small factor", message, worst.node, trouble)
        size, so = ("smallest", "small") if kind == "vanishing" else ("largest", "large")
        telling = [link for link in factors if sign * abs(link.local) < sign] or factors
        counts: dict[str, int] = {}
        places: dict[Any, str] = {}  # each place once, with its worst factor; where none is known, each factor once
        for link in telling:
            text = f"{slope_text(link.local)} by {self.words.seen_step(link)}"
            counts[text] = counts.get(text, 0) + 1
            places.setdefault(link.origin.place if link.origin else text, text)
        worsts = [*places.values()][:3]
        listed = "; ".join([text + (f", {counts[text]:,} times" if counts[text] > 1 else "") for text in worsts])
        many = [sizes[id(link)] for link in telling if sizes[id(link)] >= 0.5 * sizes[id(worst)]]
        about = math.exp(-sign * sum(many) / len(many))
        message = f"It is a product of {len(steps):,} factors; {len(many):,} of about {about:.2g} each make it {so}. "
        message += f"The {size}: {listed}."
        return Verdict("product of many factors", message, worst.node, trouble)


def _size(partial: Any) -> float:
    """The logarithm of a factor; of one that is 0 or infinite, what counts more than all others."""
    size = 0.0 if partial is ZERO else abs(partial)
    return -1e9 if size == 0.0 else 1e9 if math.isinf(size) else math.log(size)


def _is_pole(node: Value, numbers: list[float]) -> bool:
    """Whether a result is infinite at this very point, and not because it grew beyond all floats."""
    assert node._row is not None
    poles, function = node._row.poles, node._row.function
    if poles is not None:
        return any(number in poles for number in numbers)
    moved = [
        function(*numbers[:i], math.nextafter(number, side), *numbers[i + 1 :])
        for i, number in enumerate(numbers)
        for side in (-math.inf, math.inf)
    ]
    return any(number != node.data and not math.isnan(number) for number in moved)


def _wall(edge: Edge, words: Words) -> tuple[str, str]:
    """Why an operation hands nothing on to an operand: a code, and a sentence."""
    node, op = edge.node, edge.node.op
    this = f"{words.called(node)}{at(node)}"
    if op == "stop_gradient":
        return "stopped", f"The program asked for it: {this} is a constant for all derivatives."
    if node._row is not None and node._row.is_step:
        return "step", f"{this} is a step function: its derivative is 0 wherever it has one."
    if is_relu(node):
        return "dead branch", f"{this} got a number that is not positive, so it is 0 and hands nothing on."
    if op == "where":
        return "dead branch", f"{this} took the other branch."
    if op in ("maximum", "minimum"):
        return (
            "dead branch",
            f"{this} chose another operand, {short(node.data)}, not {short(words.number(edge.below))}.",
        )
    if op == "clip":
        return (
            "dead branch",
            f"{this} is limited to {short(node.data)}: outside the bounds, and on them, it is constant.",
        )
    if _kink(node, words) is not None:
        return "kink", f"{this} is a kink, and the slope chosen there is 0."
    return "dead branch", f"{this} does not depend on this operand here."


def _inside(low: float, high: float) -> str:
    """An interval of numbers in words."""
    return "positive" if (low, high) == (0.0, math.inf) else f"above {low:g}" if high == math.inf else f"between {low:g} and {high:g}"


def _habit(verdict: Verdict, kind: str, words: Words) -> str | None:
    """What helps against a trouble that no single formula makes; None if nothing is known."""
    if verdict.cause == "dead branch" and is_relu(verdict.node):
        return (
            "The unit is off for this input; a smaller learning rate, another initialisation or leaky_relu keeps it "
            "alive."
        )
    if verdict.cause == "product of many factors" and kind == "vanishing":
        return "Initialise so that slopes are near 1, add residual connections, or use relu."
    if verdict.cause == "product of many factors":
        return "Initialise smaller, so that slopes are near 1; clipping the gradient limits the damage."
    call = call_of(verdict.node)
    if verdict.cause == "saturated" and call is not None and call.name in ("sigmoid", "tanh", "softmax"):
        loss = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy"}.get(call.name)
        logits = f"; with a loss on top, use one that takes the logits, such as {loss}" if loss else ""
        return f"Scale the inputs of {call.name}, or initialise smaller{logits}."
    for node in verdict.trouble:
        numbers = [words.number(x) for x in node.operands]
        low, high = node._row.inside if node._row is not None else (-math.inf, math.inf)
        if low > -math.inf and not low < numbers[0] < high:
            return f"Keep the argument of {node.op} {_inside(low, high)}: clip it, or use a form that cannot get there."
        if node.op == "div" and numbers[1] == 0.0:
            return "Keep the denominator away from 0: clip it, or use a form that cannot get there."
    return None


def _kink(node: Value, words: Words) -> Kink | None:
    """The kink that a node of a path sits on."""
    kink = kink_of(node)
    if kink is None and is_relu(node) and words.number(node.operands[2]) == 0.0:
        with unobserved():
            kink = kink_at_switch("relu", relu, node.operands[2], node)
    return kink
