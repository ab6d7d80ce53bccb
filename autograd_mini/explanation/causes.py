"""What is wrong with a gradient, and where the trouble began.

A gradient is a sum of products along paths, and trouble enters it at one place. Go up from the node towards the output
while the adjoint is just as bad, and you arrive at the product, or the sum, where the trouble began. A sum may have no
correct digit, because its terms are equal up to their rounding errors.
Not here: the way up (`graph`), and what to write instead (`report`). Read next: `explanation.stable`.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from autograd_mini.core.node import CUT_OFF, is_cut_off, is_relu
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import SHOWN, Edge, Graph, Link, at, badness, inputs_of, short, slope_text
from autograd_mini.functions.activations import relu
from autograd_mini.functions.switches import kink_at_switch
from autograd_mini.notation.names import composite_of
from autograd_mini.program.scopes import unobserved
from autograd_mini.watch.boundaries import Kink, kink_of

_MOST = 0.5  # of the logarithm of a product: a factor with a larger share is the cause, if the others are harmless
_NEARLY_ALL = 0.67  # a factor with a larger share is the cause in any case


class Cause(NamedTuple):
    """A short code, a sentence, the node where the trouble began, and the other nodes that take part."""

    code: str
    message: str
    node: Value
    others: tuple[Value, ...] = ()

    @property
    def trouble(self) -> tuple[Value, ...]:
        """All nodes that take part, each once."""
        return tuple(dict.fromkeys((self.node, *self.others)))


class Causes:
    """The causes of the gradients in a graph; gradients beyond the two limits are vanishing or exploding."""

    def __init__(self, graph: Graph, small: float, large: float) -> None:
        self.graph, self.words = graph, graph.words
        self.small, self.large = small, large
        self._found: dict[Value, Cause] = {}

    def kind(self, node: Value) -> str:
        """Return what is wrong with the gradient of a node."""
        if node not in self.graph.users:
            return "unreached"
        if node is self.graph.root:
            return "ordinary"
        gradient = self.graph.adjoint(node)
        if (kind := badness(gradient)) != "finite":
            return kind
        if abs(gradient) < self.small or self.graph.is_cancelled(node):
            return "vanishing"
        return "exploding" if abs(gradient) > self.large else "ordinary"

    def cause(self, node: Value) -> Cause:
        """Return why the gradient of a node is what it is."""
        if node not in self._found:
            self._found[node] = self._find(node)
        return self._found[node]

    def _find(self, node: Value) -> Cause:
        graph, kind = self.graph, self.kind(node)
        if kind == "unreached":
            return Cause("never reaches", f"It is not part of the computation of {graph.seen(graph.root)}.", node)
        if kind == "ordinary":
            return Cause("ordinary", self._of_an_ordinary_one(node), node)
        if kind in ("vanishing", "exploding"):
            return self._of_a_size(node, kind)
        if node not in graph.adjoints:
            return self._of_no_connection(node)
        is_zero_sum = kind == "zero" and not isinstance(graph.began(node), Edge)
        lost = self._lost_digits(graph.path(node), node) if is_zero_sum else None
        return lost or self._of_what_arrives(node)

    def _of_an_ordinary_one(self, node: Value) -> str:
        if not math.isfinite(node.data):
            return f"Its gradient is fine, but its number is not. {self._of_a_number(node, badness(node.data)).message}"
        if node is self.graph.root and is_cut_off(node):
            return self.cut_off()
        way = "the sweep begins here" if node is self.graph.root else "this is the strongest path"
        return f"Nothing is wrong; {way}."

    def cut_off(self) -> str:
        """Describe the first number whose computation was not recorded; "" if all were."""
        node = next(filter(is_cut_off, self.graph.order), None)
        if node is None:
            return ""
        return f"{self.words.seen(node)} {CUT_OFF}. Compute it outside of no_grad(), or use what it was detached from."

    def without_gradients(self) -> str:
        """Describe trouble outside the gradients: there are none, or the result is not finite; "" if all is well."""
        root = self.graph.root
        if not any(node.op is None for node in self.graph.order) and (cut := self.cut_off()):
            return cut
        if math.isfinite(root.data):
            return ""
        fine = f"No gradient is zero, nan, infinite, tiny or huge, but the result is {short(root.data)}."
        return f"{fine} {self._of_a_number(root, badness(root.data)).message}"

    # -- a sum, a missing connection, a product ------------------------------------------------------------------------

    def _of_a_sum(self, node: Value, kind: str) -> Cause:
        """Explain contributions whose sum is worse than each of them."""
        edges = self.graph.edges(node)
        numbers = sorted([edge.contribution for edge in edges], key=abs, reverse=True)
        listed = ", ".join(map(short, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
        code, what = {
            "nan": ("inf - inf", "infinities of both signs arrive, so their sum is nan"),
            "inf": ("overflow", "their sum is beyond the largest float"),
        }.get(kind, ("cancelled", "they cancel; it may be a minimum, or a symmetry"))
        message = f"The contributions {listed} arrive at {self.graph.seen(node)}: {what}."
        others = [edge.node for edge in edges[:SHOWN]]
        infinite = next((edge for edge in edges if math.isinf(edge.contribution)), None)
        if kind in ("nan", "inf") and infinite is not None:
            if math.isfinite(infinite.partial):
                source = self._of_what_arrives(infinite.node)
            else:
                source = self._of_a_slope(infinite.node, infinite.partial)
            message, others = f"{message} {source.message}", [*others, *source.trouble]
        return Cause(code, message, node, tuple(others))

    def _of_no_connection(self, node: Value) -> Cause:
        """Explain why all paths end: at branches not taken, at steps, or where the program asked for it."""
        walls = self.graph.walls(node)
        if not walls:
            root = self.graph.seen(self.graph.root)
            return Cause("never reaches", f"No path leads from it to {root}.", node)
        (code, message), *others = [self._of_a_wall(edge) for edge in walls]
        more = list(dict.fromkeys([text for _, text in others if text != message]))
        if more:
            message += " The other ways are blocked too: " + " ".join(more[:2])
        if len(more) > 2:
            message += f" And {len(more) - 2:,} more."
        return Cause(code, message, walls[0].node, tuple(edge.node for edge in walls[1:]))

    def _of_a_wall(self, edge: Edge) -> tuple[str, str]:
        """Return why an operation hands nothing on to an operand: a code and a sentence."""
        node, op = edge.node, edge.node.op
        this = f"{self.words.called(node)}{at(node)}"
        if op == "stop_gradient":
            return "stopped", f"The program asked for it: {this} is a constant for all derivatives."
        if node._row is not None and node._row.is_step:
            return "step", f"{this} is a step function: its derivative is 0 wherever it exists."
        if is_relu(node):
            said = "got a number that is not positive, so it is 0 and hands nothing on"
        elif op == "where":
            said = "took the other branch"
        elif op in ("maximum", "minimum"):
            said = f"chose another operand, {short(node.data)}, not {short(self.words.number(edge.below))}"
        elif op == "clip":
            said = f"is limited to {short(node.data)}: outside the bounds, and on them, it is constant"
        elif self.kink(node) is not None:
            return "kink", f"{this} is a kink, and the slope chosen there is 0."
        else:
            said = "does not depend on this operand here"
        return "dead branch", f"{this} {said}."

    def kink(self, node: Value) -> Kink | None:
        """Return the kink that a node of a path sits on."""
        kink = kink_of(node)
        if kink is None and is_relu(node) and self.words.number(node.operands[2]) == 0.0:
            with unobserved():
                kink = kink_at_switch("relu", relu, node.operands[2], node)
        return kink

    def _of_a_product(self, edge: Edge, kind: str) -> Cause:
        """Explain a product that is nan, infinite or 0 although the adjoint was not."""
        node, partial = edge.node, edge.partial
        is_ordinary = math.isfinite(partial) and partial != 0.0
        if math.isnan(partial) or (kind != "nan" and not is_ordinary):
            return self._of_a_slope(node, partial, edge.below)
        upstream, seen = short(self.graph.adjoint(node)), self.graph.seen(node)
        if kind != "nan":  # two ordinary factors whose product does not fit in a float
            code, what = {
                "inf": ("overflow", "is beyond the largest float, 1.8e308"),
                "zero": ("underflow", "is below the smallest float, 5e-324"),
            }[kind]
            return Cause(code, f"At {seen} the product {upstream} * {short(partial)} {what}.", node)
        slope, arriving = self._of_a_slope(node, partial), self._of_what_arrives(node)
        what = f"{upstream} arrives at {seen}, whose local slope is {short(partial)}"
        arrives = arriving.message.replace(slope.message, "").rstrip() or "it comes from the same place."
        message = f"{what}: 0 * inf is nan.\nThe slope: {slope.message}\nWhat arrives: {arrives}"
        return Cause("0 * inf", message, node, (edge.below, *slope.trouble, *arriving.trouble))

    def _of_what_arrives(self, node: Value) -> Cause:
        """Return why the adjoint of a node is 0, infinite or nan."""
        kind = badness(self.graph.adjoint(node))
        if kind == "finite":
            return Cause("ordinary", "", node)
        began = self.graph.began(node)
        return self._of_a_product(began, kind) if isinstance(began, Edge) else self._of_a_sum(began, kind)

    # -- a slope, a number ---------------------------------------------------------------------------------------------

    def _of_a_slope(self, node: Value, partial: Any, below: Value | None = None) -> Cause:
        """Return why a local slope is 0, infinite or nan."""
        if partial != 0.0:
            return self._of_a_number(node, badness(partial))
        scope, op, called = composite_of(node), node.op, self.words.called(node)
        zeros = [x for x in node.operands if self.words.number(x) == 0.0]
        if scope is not None and op in ("exp", "expm1", "div", "log1p"):
            numbers = ", ".join(short(self.words.number(x)) for x in inputs_of(node, scope)[:3])
            message = f"{scope.name} is saturated at {numbers}: its slope is 0 in floating point{at(node)}."
            return Cause("saturated", message, node)
        if op in ("mul", "dot", "div") and zeros:
            zero = next((x for x in zeros if x is not below), zeros[0])
            if op != "dot" and zero is below and all(x is below for x in node.operands):
                return Cause("stationary", f"{self.graph.seen(node)} is flat where its operand is 0.", node)
            message = f"It is multiplied by 0 in {self.graph.seen(node)}."
            if not is_node(zero) or zero.op is None:
                return Cause("multiplied by 0", message, node)
            return Cause("multiplied by 0", f"{message} That 0 is {self.graph.seen(zero)}.", node, (zero,))
        if node.data == 0.0 and op in ("exp", "exp2", "pow") and not zeros:
            message = f"{called} is below the smallest float, so it is 0, and so is its slope{at(node)}."
            return Cause("underflow", message, node)
        infinite = next((x for x in node.operands if math.isinf(self.words.number(x))), None)
        if infinite is not None:
            message = f"{self.graph.seen(node)} has the slope 0 at an infinite operand."
            if not is_node(infinite):
                return Cause("saturated", message, node)
            reason = self._of_a_number(infinite, "inf")
            return Cause(reason.code, f"{message} {reason.message}", node, reason.trouble)
        if node._row is not None and node._row.has_flat_tails and node.data != 0.0:
            message = f"{called} is so flat there that its slope is 0 in floating point{at(node)}."
            return Cause("saturated", message, node)
        return Cause("stationary", f"The slope of {called} is 0 at that point{at(node)}.", node)

    def _of_a_number(self, node: Value, kind: str) -> Cause:
        """Return where a number or a slope became nan or infinite: at finite operands, or in the input."""
        number = self.words.number
        trail = [node]
        while True:
            operands = [x for x in node.operands if not math.isfinite(number(x))]
            if not operands or (math.isfinite(node.data) and len(trail) > 1):
                break
            operand = min(operands, key=lambda x: math.isinf(number(x)))  # nan first
            if type(operand) is float or operand.op is None:
                return Cause(*self._of_an_input(node, operand), node, tuple(trail))
            node = operand
            trail.append(node)
        if node.op is None:
            return Cause(*self._of_an_input(node, node), node)
        called, place = self.words.called(node), at(node)
        if math.isnan(node.data) or (math.isfinite(node.data) and kind == "nan"):
            code, what = "outside domain", "result" if math.isnan(node.data) else "slope"
            message = f"{called} is outside the domain of {node.op}: the {what} is nan{place}."
        elif math.isfinite(node.data):
            code, message = "pole", f"The slope of {called} is infinite{place}."
        elif self._is_at_a_pole(node):
            code, message = "pole", f"{called} is {short(node.data)}{place}; its slope is infinite there."
            zero = next((x for x in node.operands if is_node(x) and x.op is not None and x.data == 0.0), None)
            if zero is not None:
                is_lost = without_digits(zero, number) is not None
                message += f" The 0 is {self.graph.seen(zero)}{', which has lost all its digits' if is_lost else ''}."
                trail.append(zero)
        else:
            code, result = "overflow", short(node.data)
            message = f"{called} is beyond the largest float, 1.8e308, so it is {result}{place}."
        first_nan = next((n for n in reversed(trail) if math.isnan(n.data)), None)
        if code != "outside domain" and first_nan is not None:
            message += f" Then {self.words.called(first_nan)} is nan{at(first_nan)}."
        return Cause(code, message, node, tuple(trail))

    def _of_an_input(self, node: Value, operand: Any) -> tuple[str, str]:
        number = self.words.number(operand)
        name = f"constant {short(number)}" if type(operand) is float else f"input {self.words.called(operand)}"
        what = "is where it begins" if node is operand else f"goes into {self.graph.seen(node)}"
        code = "nan input" if math.isnan(number) else "inf input"
        return code, f"The {name.replace('input the input', 'input')} {what}."

    def _is_at_a_pole(self, node: Value) -> bool:
        """Return True if a result is infinite at this very point, False if it only outgrew all floats."""
        assert node._row is not None
        numbers = [self.words.number(x) for x in node.operands]
        poles, function = node._row.poles, node._row.function
        if poles is not None:
            return any(number in poles for number in numbers)
        moved = [(i, math.nextafter(x, side)) for i, x in enumerate(numbers) for side in (-math.inf, math.inf)]
        beside = [function(*numbers[:i], x, *numbers[i + 1 :]) for i, x in moved]
        return any(number != node.data and not math.isnan(number) for number in beside)

    # -- a gradient that is tiny or huge -------------------------------------------------------------------------------

    def _lost_digits(self, path: tuple[Link, ...], node: Value) -> Cause | None:
        """Find a factor on the path without a correct digit, where the node affects the other factor too."""
        for user in [link.node for link in path if link.node.op in ("mul", "div")]:
            for operand in user.operands:
                others = [x for x in user.operands if x is not operand and is_node(x)]
                lost = without_digits(operand, self.words.number) if others else None
                if lost is None or node not in topological_order(lost):
                    continue
                if any(node in topological_order(x) for x in others):
                    why = "its terms cancel except for their rounding errors."
                    if len(lost.operands) == 1:
                        why = f"{self.graph.seen(lost.operands[0])} was rounded."
                    made = f"{self.graph.seen(user)} uses it, so the gradient is wrong."
                    message = f"{self.graph.seen(lost)} has lost all its digits: {why} {made}"
                    return Cause("cancelled", message, lost, (*filter(is_node, lost.operands), user))
        return None

    def _of_a_size(self, node: Value, kind: str) -> Cause:
        """Explain a tiny or huge gradient: one factor, many factors, or a sum that cancelled."""
        path = self.graph.path(node)
        for inner in [*(link.node for link in path), node]:
            if self.graph.is_cancelled(inner):
                return self._of_a_sum(inner, "cancelled")
        if kind == "exploding" and (lost := self._lost_digits(path, node)) is not None:
            return lost
        sign = 1.0 if kind == "vanishing" else -1.0
        steps = self.graph.steps(path, node)
        factors = sorted(steps, key=lambda link: sign * abs(link.local))
        worst, others = factors[0], tuple(link.node for link in factors[1:3])
        sizes = {id(link): -sign * _size(link.local) for link in steps}  # how much each contributes to that
        doing = sum(size for size in sizes.values() if size > 0.0)
        share = sizes[id(worst)] / doing if doing else 0.0
        is_enough = sizes[id(worst)] > (-math.log(self.small) if kind == "vanishing" else math.log(self.large))
        rest = abs(self.graph.adjoint(node)) / abs(worst.local or 1.0)
        if share > _NEARLY_ALL or (self.small <= rest <= self.large and (is_enough or share > _MOST)):
            code, message = self._of_one_factor(worst, kind)
            return Cause(code, message, worst.node, others)
        # Each place once, with its worst factor; where no place is known, each factor once.
        size, so = ("smallest", "small") if kind == "vanishing" else ("largest", "large")
        telling = [link for link in factors if sign * abs(link.local) < sign] or factors
        texts = [f"{slope_text(link.local)} by {self._step(link)}" for link in telling]
        counts, places = Counter(texts), dict[Any, str]()
        for link, text in zip(telling, texts, strict=True):
            places.setdefault(link.origin.place if link.origin else text, text)
        worsts = [*places.values()][:3]
        listed = "; ".join([text + (f", {counts[text]:,} times" if counts[text] > 1 else "") for text in worsts])
        many = [sizes[id(link)] for link in telling if sizes[id(link)] >= 0.5 * sizes[id(worst)]]
        about = math.exp(-sign * sum(many) / len(many))
        message = f"It is a product of {len(steps):,} factors; {len(many):,} of about {about:.2g} each make it {so}."
        return Cause("product of many factors", f"{message} The {size}: {listed}.", worst.node, others)

    def _of_one_factor(self, link: Link, kind: str) -> tuple[str, str]:
        message = f"The slope {slope_text(link.local)} of {self._step(link)} alone makes it so."
        if kind == "exploding":
            return "pole" if link.node._row is not None and link.node._row.poles else "large factor", message
        if link.text:
            name, _, inputs = link.text.removesuffix(")").partition("(")
            return "saturated", f"{name} is saturated at {inputs}. {message}"
        return "small factor", message

    def _step(self, link: Link) -> str:
        return self.words.seen(link.node, link.text)


def _size(partial: Any) -> float:
    """Return the logarithm of a factor; a factor of 0 or infinity outweighs all others."""
    size = 0.0 if partial is ZERO else abs(partial)
    return -1e9 if size == 0.0 else 1e9 if math.isinf(size) else math.log(size)


# -- sums without a correct digit --------------------------------------------------------------------------------------

_EPSILON = sys.float_info.epsilon
_SUMS = ("add", "sub", "sum")
_MOST_NODES = 100  # behind a sum, to search for one that is not exact


def without_digits(node: Any, number: Callable[[Any], float]) -> Value | None:
    """Find the cancelled sum, or the log of a 1 + x that rounded to 1, that makes all digits of a number wrong.

    It may be behind a constant factor. `number` returns an operand's number when it was recorded.
    """
    while is_node(node) and node.op in ("mul", "div", "neg") and sum(map(is_node, node.operands)) == 1:
        node = next(filter(is_node, node.operands))  # a constant factor changes nothing
    if not is_node(node) or node.op is None:
        return None
    if node.op in ("log", "log2", "log10") and node.data == 0.0:
        (inner,) = node.operands
        return node if is_node(inner) and inner.op in _SUMS and not _is_exact(inner, number) else None
    if node.op not in _SUMS:
        return None
    terms = [abs(number(x)) for x in node.operands]
    largest = max(terms)
    if not math.isfinite(largest) or abs(node.data) > len(terms) * _EPSILON * largest:
        return None
    waiting, seen = [x for x in node.operands if is_node(x)], 0
    while waiting and seen < _MOST_NODES:
        term = waiting.pop()
        seen += 1
        if not _is_exact(term, number):
            return node
        waiting += [x for x in term.operands if is_node(x)]
    return None


def _is_exact(node: Value, number: Callable[[Any], float]) -> bool:
    """Return True if an operation did not round; functions without an exact test count only at 0 and 1."""
    if node._row is None or node._row.is_exact:
        return True
    numbers = [number(x) for x in node.operands]
    if not all(map(math.isfinite, (*numbers, node.data))):
        return True  # rounding is not to blame
    terms, result = list(map(Fraction, numbers)), Fraction(node.data)
    match node.op, terms:
        case (("add" | "sum"), _):
            return sum(terms) == result
        case "sub", [a, b]:
            return a - b == result
        case "mul", [a, b]:
            return a * b == result
        case "div", [a, b]:
            return result * b == a
        case "sqrt", [a]:
            return result * result == a
        case "pow", [a, b] if b == 2:
            return a * a == result
    return node.data in (-1.0, 0.0, 1.0) and all(x in (0.0, 1.0) for x in numbers)
