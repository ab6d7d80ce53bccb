"""The names of nodes: one naming for pictures, pages, terminals, editors and explanations.

Not here: what the running program can write (`namespaces`), and how a window shows a name.
Read next: `notation.spelling`.
"""

from __future__ import annotations

import ast
import functools
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from types import CodeType
from typing import NamedTuple

from autograd_mini import functions
from autograd_mini.core.node import is_relu
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.namespaces import Namespace, paths, users
from autograd_mini.notation.text import bracketed, elided
from autograd_mini.program.owner import is_of_library, is_of_package
from autograd_mini.program.source import Site, element, listed, variable
from autograd_mini.program.stack import Scope, outwards
from autograd_mini.watch.origins import SIGNS, place_of

_NEAR = 100  # the most nodes between one pass of a loop and the next


class _Text(NamedTuple):
    """The text at a place in the program."""

    expression: str
    applied: str  # the function or operator that it applies last: "exp" in am.exp(x), "*" in x * w
    operands: tuple[str, ...]  # its operands: variables and elements of lists, "" for anything else
    variable: str
    listed: str
    of_package: bool


class Names:
    """The names of a graph's nodes; `spaces` are the program's variables, innermost function first.

    A node goes by the first of these that is known: its name, its variable (now or when it was made), the user's
    expression, its operation. No name goes through an object of this package, or comes from a library's variable.
    """

    def __init__(self, order: Sequence[Value], spaces: Sequence[Namespace] = ()) -> None:
        # Leaves first, and operands before results; the index of a node is its number.
        self.order = tuple(sorted(order, key=lambda node: node.op is not None))
        self.number = {node: number for number, node in enumerate(self.order)}
        self._paths = paths(spaces, self.number.keys()) if spaces else {}
        held = [pair for space in reversed(spaces) for pair in users(space)]
        self._taken = {name for name, _ in held}
        self._bound = {(name, thing) for name, thing in held if is_node(thing)}
        values = {name: thing for name, thing in held if is_node(thing)}
        # How the program can write nodes now, such as "w" and "w[0]", whatever their names are.
        self.bound = {path: node for node, path in self._paths.items()}
        self.bound |= {name: node for name, node in values.items() if node in self.number}
        self._calls = _calls(self.order)
        traced = any(node.origin for node in self.order)
        self._users = users_of(self.order) if traced else {}
        self._passed_on: set[Value] = set()
        self._variables: dict[Value, str] = {}
        self._written: dict[Value, str] = {}
        self._texts: dict[tuple[CodeType, int], _Text] = {}
        if traced:
            self._study()
        self._names = {node: name for node in self.order if (name := self._name_of(node))}
        passes = self._counted()
        self._names |= passes
        self.called: dict[str, list[Value]] = {}  # by what the program can write for them now: names, and variables
        for node, name in self._names.items():
            known = node.name, self._paths.get(node), passes.get(node)
            if name in known or (name, node) in self._bound or not self._is_taken(name):
                self.called.setdefault(name, []).append(node)

    # -- the names -----------------------------------------------------------------------------------------------------

    def name(self, node: Value) -> str:
        """Return a node's name, its variable now or when it was made, or how to write it now; "" if unknown.

        The variable may hold something else by now.
        """
        return self._names.get(node, "")

    def expression(self, node: Value) -> str:
        """Return the user's expression that gave a node; "" if it is unknown, or if it gave other nodes too."""
        return text.expression if (text := self._text_of(node)) else ""

    def operation(self, node: Value) -> str:
        """Return the usual name of what computed a node: a composition such as "tanh", else the primitive."""
        if node.op is None:
            return "leaf"
        call = self._calls.get(node)
        return "relu" if is_relu(node) else call.name if call is not None else node.op

    def label(self, node: Value) -> str:
        """Return an unambiguous label for a node: "x", "e#7" among several e, "x * w", or "exp#7"."""
        name, number = self.name(node), self.number[node]
        if name:
            return name if self.called.get(name) == [node] else f"{name}#{number}"
        text = elided(self.expression(node))
        if text:
            return text if len(self.expressed[text]) == 1 and text not in self.called else f"{bracketed(text)}#{number}"
        return f"{self.operation(node)}#{number}"

    def short(self, node: Value) -> str:
        """Return a label with its middle cut out if it is long; with its number if that leaves several alike."""
        text = elided(label := self.label(node))
        return text if text == label or self._cut[text] == 1 else f"{text}#{self.number[node]}"

    @cached_property
    def _cut(self) -> Counter[str]:
        """How many labels become a text when they are cut."""
        return Counter(elided(self.label(node)) for node in self.order)

    def step_of(self, node: Value) -> str:
        """Return the expression that has a node as intermediate result, such as `sum(xs)`; "" if there is none."""
        return node.origin.expression if node in self._passed_on and node.origin is not None else ""

    @cached_property
    def expressed(self) -> dict[str, list[Value]]:
        """The nodes without a name, by their expressions, shortened as in labels."""
        found: dict[str, list[Value]] = {}
        for node in self.order:
            if not self.name(node) and (text := elided(self.expression(node))):
                found.setdefault(text, []).append(node)
        return found

    # -- how they are found --------------------------------------------------------------------------------------------

    def _study(self) -> None:
        """Read in the program's text which nodes its expressions made, and to which variables it assigned them."""
        for operand, results in self._users.items():
            if operand.origin is None or self._read(operand.origin).of_package:
                continue
            # If an expression made nodes from one another, as sum(xs) does, only the last is its result.
            if any(_made_at(node) == _made_at(operand) and not self._is_one(node) for node in results):
                self._passed_on.add(operand)
        results_, elements = _results(self.order), self._elements()
        for node in self.order:
            if node.origin is None or node in self._passed_on:
                continue
            said = self._read(node.origin)
            known = results_.get(node, "")
            if said.of_package:
                known = known if self._site(node) is not None else ""
            else:
                known = said.variable or elements.get(node) or known
                if self._is_one(node) and len(said.operands) == len(node.operands):
                    for operand, text in zip(node.operands, said.operands, strict=True):
                        if is_node(operand) and "[" in text:
                            self._written.setdefault(operand, text)
            if known:
                self._variables[node] = known

    def _read(self, site: Site) -> _Text:
        """Return the text at a place, read once because many nodes may be from there."""
        key = site.code, site.instruction
        found = self._texts.get(key)
        if found is None:
            assigned = variable(site) or element(site)
            read = _applied(site.expression)
            found = _Text(site.expression, *read, assigned, listed(site), is_of_package(site))
            self._texts[key] = found
        return found

    def _is_one(self, node: Value) -> bool:
        """Return True if a node is all that its expression makes: the operator or function written there."""
        written = self._read(node.origin).applied if node.origin is not None else ""
        return written != "" and written in (node.op, node._row and node._row.symbol, self.operation(node))

    def _text_of(self, node: Value) -> _Text | None:
        return self._read(site) if (site := self._site(node)) is not None else None

    def _site(self, node: Value) -> Site | None:
        """Return where the user wrote the expression that gave a node."""
        origin = node.origin
        if node.op is None or origin is None or node in self._passed_on:
            return None
        if not self._read(origin).of_package:
            found = site_in_program(node)
            return found if found is not None and not is_of_library(found) else None
        call, found = self._calls.get(node), place_of(node)
        if found is None or is_of_package(found):
            return None
        if call is not None and call.site is not None:
            around = call.parent.site if call.parent is not None else None
            if around is None or around.place != call.site.place:
                return found
        # Of what a module of this package made, such as a neuron, only what leaves the expression is its result.
        leaves = [user for user in self._users.get(node, ()) if (site := place_of(user)) and site.place != found.place]
        return found if leaves or node not in self._users else None

    def _name_of(self, node: Value) -> str:
        path, former = self._paths.get(node, ""), self._variables.get(node, "")
        if node.name or (former and (former, node) in self._bound):
            return node.name or former
        name = (path or former) if path.isidentifier() or self._is_taken(former) else (former or path)
        return name or self._written.get(node, "")

    def _is_taken(self, name: str) -> bool:
        """Return True if the variable at the start of a name exists now, and so may hold something different."""
        return name.partition("[")[0] in self._taken

    def _elements(self) -> dict[Value, str]:
        """Name elements of lists from comprehensions, "e[0]", if a call such as sum(e) has them in order."""
        made: dict[str, set[Value]] = {}
        for node in self.order:
            text = self._text_of(node) if node in self._calls else node.origin and self._read(node.origin)
            if node.origin is not None and text and text.listed:
                made.setdefault(text.listed, set()).add(node)
        found: dict[Value, str] = {}
        for name, nodes in made.items():
            for user in dict.fromkeys(user for node in nodes for user in self._users.get(node, ())):
                arguments = text.operands if (text := self._text_of(user)) else ()
                size = len(user.operands) // len(arguments) if arguments else 0
                for position, argument in enumerate(arguments):
                    elements = user.operands[position * size : (position + 1) * size]
                    if argument == name and size > 1 and all(is_node(x) and x in nodes for x in elements):
                        found |= {x: f"{name}[{index}]" for index, x in enumerate(elements)}
        return found

    def _counted(self) -> dict[Value, str]:
        """Number the results of a loop that share a name, "h[0]", "h[1]", if each needs the one before."""
        passes: dict[tuple[str, tuple[int, int] | None], list[Value]] = {}
        for node, name in self._names.items():
            if self._variables.get(node) == name != node.name and name.isidentifier() and node.op is not None:
                passes.setdefault((name, _made_at(node)), []).append(node)
        known = {*self._names.values()}
        found: dict[Value, str] = {}
        for (name, _), nodes in passes.items():
            if len(nodes) > 1 and all(_reaches(later, node) for node, later in pairwise(nodes)):
                indexed = {node: f"{name}[{index}]" for index, node in enumerate(nodes)}
                if not known & {*indexed.values()}:
                    found |= {node: text for node, text in indexed.items() if (name, node) not in self._bound}
        return found


@functools.lru_cache(maxsize=1000)
def _applied(expression: str) -> tuple[str, tuple[str, ...]]:
    """Return what an expression applies last, and its operands, as in `_Text`; "" and () for other expressions."""
    try:
        (statement,) = ast.parse(expression).body
    except (SyntaxError, ValueError, RecursionError):
        return "", ()
    match statement.value if isinstance(statement, ast.Expr) else statement:
        case ast.BinOp(left=left, op=op, right=right):
            return SIGNS.get(type(op), ""), (_operand(left), _operand(right))
        case ast.AugAssign(op=op):
            return SIGNS.get(type(op), ""), ()
        case ast.UnaryOp(op=ast.USub()):
            return "neg", ()
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=arguments, keywords=keywords):
            return name, () if keywords else tuple(map(_operand, arguments))
        case ast.Call(args=arguments, keywords=[]):
            return "", tuple(map(_operand, arguments))
    return "", ()


def _operand(written: ast.expr) -> str:
    match written:
        case ast.Name() | ast.Subscript(value=ast.Name(), slice=ast.Constant()):
            return ast.unparse(written)
    return ""


# -- nodes and what made them ------------------------------------------------------------------------------------------


def site_in_program(node: Value) -> Site | None:
    """Return the user's expression that made a node, or the user's call of the library that made it."""
    site = node.origin
    while site is not None and site.caller is not None and is_of_library(site):
        site = site.caller
    return site if site is not None and not is_of_library(site) else place_of(node)


def users_of(order: Sequence[Value]) -> dict[Value, list[Value]]:
    """Return the users of each node, as often as they use it."""
    found: dict[Value, list[Value]] = {}
    for node in order:
        for operand in node.operands:
            if is_node(operand):
                found.setdefault(operand, []).append(node)
    return found


def composite_of(node: Value) -> Scope | None:
    """Return the innermost scope of a node if it is one of this package's compositions, not the user's own."""
    scope = node.scope
    if scope is None or not _is_composition(scope.name):
        return None
    return scope if node.origin is None or is_of_package(node.origin) else None


def call_of(node: Value) -> Scope | None:
    """Return the user's call of a composition that a node is part of: the outermost one around it."""
    scope = composite_of(node)
    while scope is not None and scope.parent is not None and _is_composition(scope.parent.name):
        scope = scope.parent
    return scope


@functools.cache
def _is_composition(name: str) -> bool:
    return hasattr(getattr(functions, name, None), "__wrapped__")


def _made_at(node: Value) -> tuple[int, int] | None:
    """Return where in the program a node was made."""
    origin = node.origin
    return (id(origin.code), origin.instruction) if origin else None


def _calls(order: Sequence[Value]) -> dict[Value, Scope]:
    """Return the nodes that leave a call of a composition, which are its results."""
    calls = {node: call for node in order if node.scope is not None and (call := call_of(node)) is not None}
    if not calls:
        return {}
    used = ((x, node) for node in order for x in node.operands if is_node(x) and x in calls)
    results = {x: calls[x] for x, node in used if calls[x] is not calls.get(node)}
    return results | {order[-1]: calls[order[-1]]} if order[-1] in calls else results


def _results(order: Sequence[Value]) -> dict[Value, str]:
    """Return the variables that hold calls of functions, by the only node that leaves the function's scope."""
    leaving: dict[Scope, set[Value]] = {}
    for node in order:
        elsewhere = [x for x in node.operands if is_node(x) and x.origin and x.scope is not node.scope]
        around = set(outwards(node.scope)) if elsewhere else ()
        for x in elsewhere:
            for scope in outwards(x.scope):
                if scope in around:
                    break
                leaving.setdefault(scope, set()).add(x)
    for scope in outwards(order[-1].scope):
        leaving.setdefault(scope, set()).add(order[-1])
    alone = [(scope.site, nodes) for scope, nodes in leaving.items() if scope.site and len(nodes) == 1]
    return {node: variable(site) for site, nodes in alone for node in nodes}


def _reaches(node: Value, earlier: Value) -> bool:
    """Return True if a node was computed from another one shortly before."""
    near, seen = [node], {node}
    for inner in near:  # the loop appends to it
        for x in inner.operands:
            if x is earlier:
                return True
            if is_node(x) and x not in seen:
                seen.add(x)
                near.append(x)
        if len(near) > _NEAR:
            break
    return False
