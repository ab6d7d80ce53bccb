"""Formulas that lose all digits in floating point, and what to write instead: a table, and a matcher for graphs.

Both sides of a row are ordinary code. The left side is recorded on wildcards, and a graph matches if it has the same
shape: sums and products in any order, `-x` or `0 - x` or `-1 * x`, `x * x` or `x ** 2`. Running both sides shows
whether a row helps at the numbers at hand. Not here: what went wrong (`causes`). Read next: `explanation.report`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, topological_order
from autograd_mini.core.table import abs, cos, exp, expm1, hypot, log, log1p, sin, sqrt, xlogy
from autograd_mini.engine import Value, is_node
from autograd_mini.explanation.graph import inputs_of
from autograd_mini.functions.activations import log_sigmoid, sigmoid, softplus, tanh
from autograd_mini.functions.logits import log_softmax, logsumexp, softmax
from autograd_mini.functions.losses import cross_entropy
from autograd_mini.functions.sums import dot, norm, sum
from autograd_mini.notation.names import composite_of
from autograd_mini.program.scopes import unobserved
from autograd_mini.program.stack import Scope

_MOST_TERMS, _FEW_TERMS = 10_000, 8  # of a sum, if the pattern has a list of any length, and if not


def _first(x: Any, xs: list[Any]) -> list[Any]:
    """Return the list with the element x in front."""
    return [x, *[other for other in xs if other is not x]]


# What a program may write, as text and as code, and the form that keeps its digits. x is a number, xs a list of any
# length that contains x. Larger forms come first, because the first match becomes the advice.
# fmt: off
FORMS: tuple[tuple[str, Callable[..., Any], str, Callable[..., Any]], ...] = (
    ("-log(softmax(z)[t])", lambda xs: -log(softmax(xs)[0]), "cross_entropy(z, t)", lambda xs: cross_entropy(xs, 0)),
    ("-log(exp(z[t]) / sum(exp(z)))", lambda x, xs: -log(exp(x) / sum(map(exp, xs))),
     "cross_entropy(z, t)", lambda x, xs: cross_entropy(_first(x, xs), 0)),
    ("log(softmax(z)[i])", lambda xs: log(softmax(xs)[0]), "log_softmax(z)[i]", lambda xs: log_softmax(xs)[0]),
    ("log(exp(z[i]) / sum(exp(z)))", lambda x, xs: log(exp(x) / sum(map(exp, xs))),
     "log_softmax(z)[i]", lambda x, xs: log_softmax(_first(x, xs))[0]),
    ("log(1 - sigmoid(x))", lambda x: log(1.0 - sigmoid(x)), "log_sigmoid(-x)", lambda x: log_sigmoid(-x)),
    ("log(sigmoid(x))", lambda x: log(sigmoid(x)), "log_sigmoid(x)", log_sigmoid),
    ("log(1 / (1 + exp(-x)))", lambda x: log(1.0 / (1.0 + exp(-x))), "log_sigmoid(x)", log_sigmoid),
    ("log(1 + exp(x))", lambda x: log(1.0 + exp(x)), "softplus(x)", softplus),
    ("log1p(exp(x))", lambda x: log1p(exp(x)), "softplus(x)", softplus),
    ("log(sum(exp(z)))", lambda xs: log(sum(map(exp, xs))), "logsumexp(z)", logsumexp),
    ("(exp(x) - exp(-x)) / (exp(x) + exp(-x))", lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), "tanh(x)", tanh),
    ("(exp(2*x) - 1) / (exp(2*x) + 1)", lambda x: (exp(2.0 * x) - 1.0) / (exp(2.0 * x) + 1.0), "tanh(x)", tanh),
    ("1 / (1 + exp(-x))", lambda x: 1.0 / (1.0 + exp(-x)), "sigmoid(x)", sigmoid),
    ("exp(x) / (1 + exp(x))", lambda x: exp(x) / (1.0 + exp(x)), "sigmoid(x)", sigmoid),
    ("exp(z[i]) / sum(exp(z))", lambda x, xs: exp(x) / sum(map(exp, xs)),
     "softmax(z)[i]", lambda x, xs: softmax(_first(x, xs))[0]),
    ("1 - sigmoid(x)", lambda x: 1.0 - sigmoid(x), "sigmoid(-x)", lambda x: sigmoid(-x)),
    ("sqrt(x * x)", lambda x: sqrt(x * x), "abs(x)", abs),
    ("sqrt(x*x + y*y)", lambda x, y: sqrt(x * x + y * y), "hypot(x, y)", hypot),
    ("sqrt(sum(x * x))", lambda xs: sqrt(sum([x * x for x in xs])), "norm(xs)", norm),
    ("sqrt(dot(xs, xs))", lambda xs: sqrt(dot(xs, xs)), "norm(xs)", norm),
    ("exp(x) - 1", lambda x: exp(x) - 1.0, "expm1(x)", expm1),
    ("log(1 + x)", lambda x: log(1.0 + x), "log1p(x)", log1p),
    ("1 - cos(x)", lambda x: 1.0 - cos(x), "2 * sin(x / 2)**2", lambda x: 2.0 * sin(x / 2.0) ** 2),
    ("cos(x) - 1", lambda x: cos(x) - 1.0, "-2 * sin(x / 2)**2", lambda x: -2.0 * sin(x / 2.0) ** 2),
    ("x * log(x)", lambda x: x * log(x), "xlogy(x, x)", lambda x: xlogy(x, x)),
    ("x * log(y)", lambda x, y: x * log(y), "xlogy(x, y)", xlogy),
)
# fmt: on


class Form(NamedTuple):
    """A recorded row of the table: the root of the bad form and the names of its wildcards."""

    written: str
    bad: Callable[..., Any]
    stable: str
    good: Callable[..., Any]
    root: Value
    wildcards: dict[Value, str]


@functools.cache
def _forms() -> tuple[Form, ...]:
    """Record the table when the first advice is due; two elements of a list stand for any number of them."""
    forms = []
    with unobserved():
        for row in FORMS:
            wildcards: dict[Value, str] = {}
            arguments = []
            for name in inspect.signature(row[1]).parameters:
                leaves = [Value(0.5) for _ in ("12" if name == "xs" else "1")]
                wildcards.update(dict.fromkeys(leaves, name))
                arguments.append(leaves if name == "xs" else leaves[0])
            forms.append(Form(*row, row[1](*arguments), wildcards))
    return tuple(forms)


class _Match(NamedTuple):
    """The meaning of the wildcards, and the nodes and scopes that take part."""

    bound: dict[str, Any]
    nodes: frozenset[Any]
    scopes: frozenset[Scope]

    def binding(self, name: str, value: Any) -> _Match:
        return self._replace(bound=self.bound | {name: value})


NOTHING = _Match({}, frozenset(), frozenset())


def _terms(node: Value, nodes: set[Any], most: int) -> tuple[list[tuple[float, Any]], float] | None:
    """Split a sum into signed terms and a constant, however it is nested; None if there are too many terms."""
    terms: list[tuple[float, Any]] = []
    constant = 0.0
    waiting: list[tuple[float, Any]] = [(1.0, node)]
    while waiting:
        sign, term = waiting.pop()
        if type(term) is float:
            constant += sign * term
            continue
        operands = term.operands
        match None if composite_of(term) else term.op:
            case "add" | "sum" | "pos":
                parts = [(sign, x) for x in operands]
            case "sub":
                parts = [(sign, operands[0]), (-sign, operands[1])]
            case "neg":
                parts = [(-sign, operands[0])]
            case "mul" if -1.0 in [x for x in operands if type(x) is float]:
                parts = [(-sign, x) for x in operands if is_node(x)]
            case _:
                terms.append((sign, term))
                continue
        nodes.add(term)
        waiting += reversed(parts)
        if len(terms) + len(waiting) > most:
            return None
    return terms, constant


def _view(node: Any, nodes: set[Any], most: int = _MOST_TERMS) -> tuple[str, Any, Any]:
    """Return (head, operands, constant): one layer of an expression, in a form that all its spellings share."""
    if type(node) is float:
        return "number", (), node
    scope = composite_of(node)
    if scope is not None:
        return "scope", scope, scope.name
    nodes.add(node)
    match node.op, node.operands:
        case (("add" | "sub" | "neg" | "pos" | "sum"), _):
            flat = _terms(node, nodes, most)
            if flat is not None and flat[1] == 0.0 and [sign for sign, _ in flat[0]] == [1.0]:
                return _view(flat[0][0][1], nodes, most)
            return ("sum", *flat) if flat is not None else ("many", (), None)
        case "mul", (a, b) if -1.0 in [x for x in (a, b) if type(x) is float]:
            return ("sum", *(_terms(node, nodes, most) or ((), 0.0)))
        case "pow", (x, float(p)) if p in (2.0, 0.5, -1.0):
            return {2.0: ("mul", (x, x), None), 0.5: ("sqrt", (x,), None), -1.0: ("div", (1.0, x), None)}[p]
        case "pow", (float(base), x) if base == math.e:
            return "exp", (x,), None
        case op, operands:
            return str(op), operands, None


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is float and type(b) is float and a == b)


def _matches(pattern: Any, node: Any, form: Form, so_far: _Match) -> Iterator[_Match]:
    """Yield all ways in which a graph has the shape of a pattern; recursion is only as deep as the pattern."""
    name = form.wildcards.get(pattern) if is_node(pattern) else None
    if name == "xs":
        yield so_far.binding("xs", [*so_far.bound.get("xs", ()), node])
        return
    if name is not None:
        if is_node(node) and so_far.bound.get(name, node) is node:
            yield so_far.binding(name, node)
        return
    head, operands, constant = _view(pattern, set())
    lists = {x for x, name in form.wildcards.items() if name == "xs"}
    alike = head == "sum" and len(operands) > 1
    alike = alike and not any(lists.isdisjoint(topological_order(term, everything=True)) for _, term in operands)
    seen: set[Any] = set()
    other_head, others, other_constant = _view(node, seen, _MOST_TERMS if alike else _FEW_TERMS)
    if head != other_head or constant != other_constant:
        return
    after = so_far._replace(nodes=so_far.nodes | seen)
    if head == "scope":
        after = after.binding(next(iter(form.wildcards.values())), _arguments(others, node))
        yield after._replace(nodes=after.nodes | {node}, scopes=after.scopes | {others})
    elif alike:
        yield from _all_alike(operands[0], others, form, after)
    elif head == "sum" and len(operands) == len(others):
        for order in itertools.permutations(others):
            if all(a[0] == b[0] for a, b in zip(operands, order, strict=True)):
                yield from _in_turn([a for _, a in operands], [b for _, b in order], form, after)
    elif head == "dot":
        half = len(others) // 2
        if all(map(_same, others[:half], others[half:])):
            yield after.binding("xs", list(others[:half]))
    elif len(operands) == len(others):
        yield from _in_turn(operands, others, form, after)
        if head == "mul":
            yield from _in_turn(operands, others[::-1], form, after)


def _arguments(scope: Scope, node: Value) -> Any:
    """Return the argument of a composition: a number, or a list with the element that the result is about in front."""
    inputs = inputs_of(node, scope)
    if scope.name != "softmax":
        return inputs[0] if inputs else 0.0
    probabilities = softmax([z.data for z in inputs])
    position = probabilities.index(node.data) if node.data in probabilities else 0
    return [inputs[position], *inputs[:position], *inputs[position + 1 :]]


def _in_turn(patterns: Any, nodes: Any, form: Form, so_far: _Match) -> Iterator[_Match]:
    found: Iterator[_Match] = iter([so_far])
    for pattern, node in zip(patterns, nodes, strict=True):
        found = itertools.chain.from_iterable([list(_matches(pattern, node, form, match)) for match in found])
    yield from found


def _all_alike(template: tuple[float, Any], terms: Any, form: Form, so_far: _Match) -> Iterator[_Match]:
    """Match a sum of any number of terms that all have the same shape."""
    sign, pattern = template
    xs, nodes = list(so_far.bound.get("xs", ())), set(so_far.nodes)
    for other_sign, term in terms:
        ways = _matches(pattern, term, form, NOTHING) if sign == other_sign else ()
        found = next((way for way in ways if all(_same(way.bound["xs"][0], x) for x in way.bound["xs"])), None)
        if found is None:
            return
        xs.append(found.bound["xs"][0])
        nodes |= found.nodes
    if terms:
        yield so_far.binding("xs", xs)._replace(nodes=frozenset(nodes))


def advise(roots: list[Value], trouble: set[Any]) -> str | None:
    """Say what to write instead of a formula that ends at a root and contains the trouble; None if unknown."""
    for form in _forms():
        for root in roots:
            for match in _matches(form.root, root, form, NOTHING):
                x, xs = match.bound.get("x"), match.bound.get("xs")
                is_involved = not trouble.isdisjoint({root, *match.nodes})
                is_involved = is_involved or any(node.scope in match.scopes for node in trouble)
                if is_involved and (x is None or xs is None or x in xs) and _helps(form, match):
                    return f"Write {form.stable} instead of {form.written}."
    return None


def _helps(form: Form, match: _Match) -> bool:
    """Return True if the stable form has a better value or derivative at these numbers, and no worse one."""
    leaves: dict[Any, Value] = {}

    def leaf(bound: Any) -> Value:
        return leaves.setdefault(id(bound), Value(getattr(bound, "data", bound)))

    with unobserved():
        arguments = []
        for name in inspect.signature(form.bad).parameters:
            bound = match.bound[name]
            arguments.append([leaf(b) for b in bound] if type(bound) is list else leaf(bound))
        before, after = (_quality(f(*arguments), list(leaves.values())) for f in (form.bad, form.good))
    return all(map(int.__le__, before, after)) and before != after


def _quality(result: Value, leaves: list[Value]) -> list[int]:
    """Rank a value and its derivatives: nan is worst, then infinite, zero, anything else."""
    found = adjoints(result)
    slopes = [found.get(leaf, ZERO) for leaf in leaves]
    numbers = [result.data, *[0.0 if slope is ZERO else slope for slope in slopes]]
    return [0 if math.isnan(n) else 1 if math.isinf(n) else 2 if n == 0.0 else 3 for n in numbers]
