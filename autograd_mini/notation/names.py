"""What the nodes of a graph are called, in pictures, pages, terminals, editors and explanations: one naming for all.

A node is called by its name, by its variable (now or when it was made), by the user's expression, or by its operation,
the first of these that is known; never through an object of this package, nor by a variable inside of a library.
Not here: what the running program can write (that is `namespaces`), and how a window shows a name. Read next: `travel`.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from types import CodeType
from typing import NamedTuple

from autograd_mini import functions
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.namespaces import Namespace, paths, users
from autograd_mini.program.assignments import element, listed, variable
from autograd_mini.program.owner import is_of_library, is_of_package
from autograd_mini.program.source import Site
from autograd_mini.program.stack import Scope, outwards
from autograd_mini.watch.origins import place_of

LONGEST = 32  # characters of an expression that a node is called by
_NEAR = 100  # nodes between one pass of a loop and the next
_UNAMBIGUOUS = re.compile(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])*(#\d+)?|\([^()]*\)#\d+")  # needs no parentheses behind a ∂
_SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Mod: "%", ast.FloorDiv: "//"}


class _Text(NamedTuple):
    """What is written at a place in the program: see the functions of these names."""

    expression: str
    applied: str
    subscripts: tuple[str, ...]
    variable: str
    listed: str
    of_package: bool


class Names:
    """What the nodes of a graph are called.

    Args:
        order: all of them, operands before results.
        spaces: the variables of the running program, the innermost function's first.

    Attributes:
        order: the nodes, leaves first, operands before results: the place of a node there is its number.
        number: these numbers.
        called: the nodes by what the program can write for them now: names, and variables that mean them.
        bound: the nodes by the variables that hold them now, whatever they are called.

    >>> x = Value(2.0, name="x")
    >>> y = functions.tanh(x * x)
    >>> names = Names([x, y])
    >>> names.label(x), names.label(y)
    ('x', 'tanh#1')
    """

    def __init__(self, order: Sequence[Value], spaces: Sequence[Namespace] = ()) -> None:
        self.order = (*(node for node in order if node.op is None), *(node for node in order if node.op is not None))
        self.number = {node: number for number, node in enumerate(self.order)}
        self._paths = paths(spaces, self.number.keys()) if spaces else {}
        self._taken = {name for space in spaces for name, _ in users(space)}
        self._bound = {(name, thing) for space in spaces for name, thing in users(space) if is_node(thing)}
        values = {name: thing for space in reversed(spaces) for name, thing in users(space) if is_node(thing)}
        self.bound = {name: node for name, node in values.items() if node in self.number}
        self._calls = _calls(self.order)
        self._users: dict[Value, list[Value]] = {}
        self._passed_on: set[Value] = set()
        self._variables: dict[Value, str] = {}
        self._written: dict[Value, str] = {}
        self._texts: dict[tuple[CodeType, int], _Text] = {}
        if any(node.origin for node in self.order):
            self._study()
        self._names = {node: name for node in self.order if (name := self._name_of(node))}
        self._passes = self._counted()
        self._names |= self._passes
        self.called: dict[str, list[Value]] = {}
        for node, name in self._names.items():
            if name in (node.name, self._paths.get(node), self._passes.get(node)) or (
                (name, node) in self._bound or not self._is_taken(name)
            ):
                self.called.setdefault(name, []).append(node)

    # -- what there is to say ------------------------------------------------------------------------------------------

    def name(self, node: Value) -> str:
        """What the user calls a node: its name, its variable now or when it was made, or how it can be written now.

        Returns:
            the name; "" where none is known. It may have been given to something else since.
        """
        return self._names.get(node, "")

    def expression(self, node: Value) -> str:
        """The user's expression whose result a node is; "" if that is not known, or if others came of it too."""
        site = self._site(node)
        return self._read(site).expression if site is not None else ""

    def operation(self, node: Value) -> str:
        """What computed a node, as people call it: "tanh" of the result of a composition, else the primitive."""
        if node.op is None:
            return "leaf"
        call = self._calls.get(node)
        return "relu" if is_relu(node) else call.name if call is not None else node.op

    def label(self, node: Value) -> str:
        """What to call a node so that it is clear which is meant: "x", "e#7" among several e, "x * w", or "exp#7"."""
        name, number = self.name(node), self.number[node]
        if name:
            return name if self.called.get(name) == [node] else f"{name}#{number}"
        text = elided(self.expression(node))
        if text:
            return text if len(self.expressed[text]) == 1 and text not in self.called else f"{bracketed(text)}#{number}"
        return f"{self.operation(node)}#{number}"

    def step_of(self, node: Value) -> str:
        """The expression of which a node is an intermediate result, as those of `sum(xs)`; "" if it is none."""
        return node.origin.expression if node in self._passed_on and node.origin is not None else ""

    @cached_property
    def expressed(self) -> dict[str, list[Value]]:
        """The nodes that have no name, by their expressions, shortened as in labels."""
        found: dict[str, list[Value]] = {}
        for node in self.order:
            if not self.name(node) and (text := elided(self.expression(node))):
                found.setdefault(text, []).append(node)
        return found

    # -- how it is found -----------------------------------------------------------------------------------------------

    def _study(self) -> None:
        """What the program's text says: which nodes its expressions made, and to which variables they were assigned."""
        made = {node: made_at(node) for node in self.order}
        steps = []
        for node in self.order:
            place_ = made[node]
            for operand in node.operands:
                if is_node(operand):
                    self._users.setdefault(operand, []).append(node)
                    # An expression that made nodes from one another, as sum(xs) does: only the last is its result.
                    if place_ is not None and made[operand] == place_ and not self._is_one(node):
                        steps.append(operand)
        self._passed_on = {node for node in steps if node.origin and not self._read(node.origin).of_package}
        results = _results(self.order)
        elements = self._elements()
        for node in self.order:
            if node.origin is None or node in self._passed_on:
                continue
            said = self._read(node.origin)
            if said.of_package:
                known = results.get(node, "") if self._site(node) is not None else ""
            else:
                known = said.variable or elements.get(node) or results.get(node, "")
                if said.subscripts and self._is_one(node) and len(said.subscripts) == len(node.operands):
                    for operand, text in zip(node.operands, said.subscripts, strict=True):
                        if is_node(operand) and text:
                            self._written.setdefault(operand, text)
            if known:
                self._variables[node] = known

    def _read(self, site: Site) -> _Text:
        """What is written at a place: looked up once, for many nodes may be from there."""
        key = site.code, site.instruction
        found = self._texts.get(key)
        if found is None:
            written, assigned = site.expression, variable(site) or element(site)
            found = self._texts[key] = _Text(
                written, _applied(written), _subscripts(written), assigned, listed(site), is_of_package(site)
            )
        return found

    def _is_one(self, node: Value) -> bool:
        """Whether a node is all that its expression makes: the operator or the function that is written there."""
        written = self._read(node.origin).applied if node.origin is not None else ""
        return written != "" and (
            written in (node.op, node._row and node._row.symbol) or written == self.operation(node)
        )

    def _site(self, node: Value) -> Site | None:
        """Where the user wrote the expression whose result a node is."""
        origin = node.origin
        if node.op is None or origin is None or node in self._passed_on:
            return None
        if not self._read(origin).of_package:
            found = place(node)
            return found if found is not None and not is_of_library(found) else None
        call, found = self._calls.get(node), place_of(node)
        if found is None or is_of_package(found):
            return None
        if call is not None and call.site is not None:
            around = call.parent.site if call.parent is not None else None
            if around is None or around.place != call.site.place:
                return found
        # What a module of this package made, such as a neuron: only what leaves the expression is its result.
        leaves = [user for user in self._users.get(node, ()) if (site := place_of(user)) and site.place != found.place]
        return found if leaves or node not in self._users else None

    def _name_of(self, node: Value) -> str:
        path, former = self._paths.get(node, ""), self._variables.get(node, "")
        if node.name or (former and (former, node) in self._bound):
            return node.name or former
        name = (path or former) if path.isidentifier() or self._is_taken(former) else (former or path)
        return name or self._written.get(node, "")

    def _is_taken(self, name: str) -> bool:
        """Whether a variable at the beginning of a name exists now: it may hold something else than it did."""
        return name.partition("[")[0] in self._taken

    def _elements(self) -> dict[Value, str]:
        """Elements of lists that comprehensions made: "e[0]", where a call such as sum(e) has them in their order."""
        made: dict[str, set[Value]] = {}
        for node in self.order:
            if node.origin is None:
                continue
            site = self._site(node) if node in self._calls else node.origin
            if site is not None and (name := self._read(site).listed):
                made.setdefault(name, set()).add(node)
        found: dict[Value, str] = {}
        for name, nodes in made.items():
            for user in dict.fromkeys(user for node in nodes for user in self._users.get(node, ())):
                arguments, operands = _arguments(self.expression(user)), user.operands
                size = len(operands) // len(arguments) if arguments else 0
                for place_, argument in enumerate(arguments):
                    elements = operands[place_ * size : (place_ + 1) * size]
                    if argument == name and size > 1 and all(is_node(x) and x in nodes for x in elements):
                        found |= {x: f"{name}[{index}]" for index, x in enumerate(elements)}
        return found

    def _counted(self) -> dict[Value, str]:
        """Number the results of a loop that have one name, "h[0]", "h[1]", where each needs the one before."""
        passes: dict[tuple[str, tuple[int, int] | None], list[Value]] = {}
        for node, name in self._names.items():
            if self._variables.get(node) == name != node.name and name.isidentifier() and node.op is not None:
                passes.setdefault((name, made_at(node)), []).append(node)
        known = {*self._names.values()}
        found: dict[Value, str] = {}
        for (name, _), nodes in passes.items():
            if len(nodes) > 1 and all(_reaches(later, node) for node, later in pairwise(nodes)):
                indexed = {node: f"{name}[{index}]" for index, node in enumerate(nodes)}
                if not known & {*indexed.values()}:
                    found |= {node: text for node, text in indexed.items() if (name, node) not in self._bound}
        return found


# -- texts -------------------------------------------------------------------------------------------------------------


def elided(text: str, longest: int = LONGEST) -> str:
    """A text without its middle, if it is long.

    >>> elided("network.layers[0].neurons[1].w[0]", 21)
    'network.la…ns[1].w[0]'
    """
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[len(text) - (longest - 1 - longest // 2) :]}"


def bracketed(text: str) -> str:
    """A text as it can stand in a formula: an expression with an operator in parentheses.

    >>> bracketed("x * w"), bracketed("am.log(a[1])"), bracketed("mul#2")
    ('(x * w)', 'am.log(a[1])', 'mul#2')
    """
    return text if _UNAMBIGUOUS.fullmatch(text) else f"({text})"


@functools.lru_cache(maxsize=1000)
def _applied(expression: str) -> str:
    """The function or operator that an expression applies last: "exp" of am.exp(x), "*" of x * w; "" of others."""
    match _parsed(expression):
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            return _SYMBOLS.get(type(op), "")
        case ast.UnaryOp(op=ast.USub()):
            return "neg"
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name
    return ""


@functools.lru_cache(maxsize=1000)
def _arguments(expression: str) -> tuple[str, ...]:
    """What a call is given: variables, "" for anything else."""
    match _parsed(expression):
        case ast.Call(args=arguments, keywords=[]):
            return tuple([argument.id if isinstance(argument, ast.Name) else "" for argument in arguments])
    return ()


@functools.lru_cache(maxsize=1000)
def _subscripts(expression: str) -> tuple[str, ...]:
    """What an operation takes from lists, as in `e[0] + e[1]`: how its operands are written, "" for anything else."""
    match _parsed(expression):
        case ast.BinOp(left=left, right=right):
            written = [left, right]
        case ast.Call(args=[argument], keywords=[]):
            written = [argument]
        case _:
            return ()
    found = [
        ast.unparse(part) if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name)
        and isinstance(part.slice, ast.Constant) else ""
        for part in written
    ]  # fmt: skip
    return tuple(found) if any(found) else ()


@functools.lru_cache(maxsize=1000)
def _parsed(expression: str) -> ast.AST | None:
    try:
        (statement,) = ast.parse(expression).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    return statement.value if isinstance(statement, ast.Expr) else statement


# -- nodes and what made them ------------------------------------------------------------------------------------------


def place(node: Value) -> Site | None:
    """The expression in the user's program that made a node; of one made by a library, the call that led there."""
    site = node.origin
    while site is not None and site.caller is not None and is_of_library(site):
        site = site.caller
    return site if site is not None and not is_of_library(site) else place_of(node)


def made_at(node: Value) -> tuple[int, int] | None:
    """Where in the program a node was made."""
    origin = node.origin
    return (id(origin.code), origin.instruction) if origin else None


def is_relu(node: Value) -> bool:
    """Whether a node is a relu, which nobody recognises in where(1, 0, x)."""
    if node.op != "where" or node.scope is None or node.scope.name != "relu":
        return False
    _, zero, x = node.operands
    return zero == 0.0 and is_node(x)


def composite_of(node: Value) -> Scope | None:
    """The innermost scope of a node, if it is one of this package's compositions and not the user's own."""
    scope = node.scope
    if scope is None or not _is_composition(scope.name):
        return None
    return scope if node.origin is None or is_of_package(node.origin) else None


def call_of(node: Value) -> Scope | None:
    """The call of a composition of this package that the user wrote and the node is a part of; None if there is none.

    Compositions are made of others: of the calls around a node this is the outermost.
    """
    scope = composite_of(node)
    while scope is not None and scope.parent is not None and _is_composition(scope.parent.name):
        scope = scope.parent
    return scope


@functools.cache
def _is_composition(name: str) -> bool:
    return hasattr(getattr(functions, name, None), "__wrapped__")


def _calls(order: Sequence[Value]) -> dict[Value, Scope]:
    """The nodes that leave a call of a composition: its results."""
    calls = {node: call for node in order if node.scope is not None and (call := call_of(node)) is not None}
    if not calls:
        return {}
    results = {
        x: calls[x] for node in order for x in node.operands
        if is_node(x) and x in calls and calls[x] is not calls.get(node)
    }  # fmt: skip
    return results | {order[-1]: calls[order[-1]]} if order[-1] in calls else results


def _results(order: Sequence[Value]) -> dict[Value, str]:
    """The variables to which calls of functions are assigned, by the only node that leaves the function's scope."""
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
    return {
        node: variable(scope.site)
        for scope, nodes in leaving.items()
        if scope.site and len(nodes) == 1
        for node in nodes
    }


def _reaches(node: Value, earlier: Value) -> bool:
    """Whether a node was computed from another one, not far before."""
    seen = {node}
    for near in _walk(node, seen):
        if near is earlier:
            return True
        if len(seen) > _NEAR:
            break
    return False


def _walk(node: Value, seen: set[Value]) -> Iterator[Value]:
    waiting = [node]
    for inner in waiting:  # it grows
        for x in inner.operands:
            if is_node(x) and x not in seen:
                seen.add(x)
                waiting.append(x)
                yield x
