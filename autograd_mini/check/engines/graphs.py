"""Small computations to try an engine on: as data, as a graph of this package, as a program to read; made smaller.

A `Graph` holds no node, so that any engine can build it. Not here: right and wrong gradients (`sweeps`).
Read next: `check.engines.trials`.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from autograd_mini.check.mistakes.sweeps import Edge
from autograd_mini.engine import Value, is_node
from autograd_mini.notation.text import number

SIGNS: dict[str, tuple[str, Callable[..., Any]]] = {
    "add": ("+", operator.add), "sub": ("-", operator.sub), "mul": ("*", operator.mul),
    "div": ("/", operator.truediv), "pow": ("**", operator.pow), "neg": ("-", operator.neg),
}  # fmt: skip
METHODS = ("exp", "log", "sqrt", "tanh", "sigmoid", "relu", "sin", "cos", "tan", "sinh", "cosh", "softplus", "silu")
_MOST_TRIES = 300
_SIMPLE = (2.0, 3.0, 5.0)  # numbers for leaves
_SPECIAL = (0.0, 1.0, -1.0)  # numbers for leaves, where rules with a case of their own go wrong
_LARGEST = 1e4  # numbers in a random graph
_POSITIVE = ("log", "sqrt", "pow")
_TAME = {  # how large the operand of an operation may be, or its absolute value
    **dict.fromkeys(("relu", "div"), (0.05, _LARGEST)), **dict.fromkeys(_POSITIVE, (0.05, 100.0)),
    **dict.fromkeys(("tan", "exp", "sinh", "cosh"), (0.0, 1.4)),
    **dict.fromkeys(("tanh", "sigmoid", "softplus", "silu"), (0.0, 5.0)),
}  # fmt: skip

Operand = int | float  # the place of an earlier node, or a constant


def looked_up(operands: Iterable[Operand], nodes: Sequence[Any]) -> list[Any]:
    """Return the operands, with the entries of a list in place of the positions of nodes."""
    return [nodes[x] if type(x) is int else x for x in operands]


class Step(NamedTuple):
    """One operation of a graph."""

    op: str
    operands: tuple[Operand, ...]

    def applied(self, operands: list[Any]) -> Any:
        """Compute it, on the numbers of any engine."""
        return SIGNS[self.op][1](*operands) if self.op in SIGNS else getattr(operands[0], self.op)()

    def written(self, names: list[str]) -> str:
        """Write it as an expression."""
        if self.op not in SIGNS:
            return f"{names[0]}.{self.op}()"
        return f" {SIGNS[self.op][0]} ".join(names) if len(names) == 2 else f"-{names[0]}"


@dataclass(frozen=True)
class Graph:
    """A computation: numbers to begin with, operations, and the nodes on which backward() is called in turn."""

    leaves: tuple[float, ...]
    steps: tuple[Step, ...]
    roots: tuple[int, ...] = (-1,)

    def __len__(self) -> int:
        return len(self.leaves) + len(self.steps)

    def extend(self, nodes: list[Any]) -> None:
        """Compute all operations, on the leaves of any engine."""
        for step in self.steps:
            nodes.append(step.applied(looked_up(step.operands, nodes)))

    @cached_property
    def nodes(self) -> list[Value]:
        """The graph as nodes of this package."""
        nodes = [*map(Value, self.leaves)]
        self.extend(nodes)
        return nodes

    @cached_property
    def edges(self) -> list[list[Edge]]:
        """For each node the edges to its operands, with the local derivatives of this package."""
        found: list[list[Edge]] = [[] for _ in self.leaves]
        for step in self.steps:
            pairs = enumerate(zip(step.operands, slopes(step, self.data), strict=True))
            found.append([Edge(x, slope, step.op, place) for place, (x, slope) in pairs if type(x) is int])
        return found

    @property
    def places(self) -> list[list[int]]:
        """For each node the places of its operands."""
        return [[]] * len(self.leaves) + [[x for x in step.operands if type(x) is int] for step in self.steps]

    @cached_property
    def data(self) -> list[float]:
        """The number of each node."""
        return [node.data for node in self.nodes]

    @property
    def names(self) -> list[str]:
        """A letter for each node; leaves have those at the end of the alphabet."""
        return [*"xyzuvw"[: len(self.leaves)], *"abcdefghijklmnopqrst"[: len(self.steps)]]

    def program(self, kind: str, backward: str = "backward") -> list[str]:
        """Write the computation as lines of a program."""
        names = self.names
        lines = [f"{name} = {kind}({number(x)})" for name, x in zip(names, self.leaves, strict=False)]
        for name, step in zip(names[len(self.leaves) :], self.steps, strict=True):
            operands = [x if type(x) is str else f"{x:g}" for x in looked_up(step.operands, names)]
            lines.append(f"{name} = {step.written(operands)}")
        return [*lines, *[f"{names[root]}.{backward}()" for root in self.roots]]

    def is_tame(self) -> bool:
        """Whether all numbers are moderate, and no operation is near a kink, a tail or the end of its domain."""
        for step in self.steps:
            x = looked_up(step.operands, self.data)[-1 if step.op == "div" else 0]
            low, high = _TAME.get(step.op, (0.0, _LARGEST))
            if not low <= (x if step.op in _POSITIVE else abs(x)) <= high:
                return False
        return all(abs(x) <= _LARGEST for x in self.data)


def slopes(step: Step, data: list[float]) -> list[float]:
    """Return the derivatives of one operation by its operands, of this package."""
    leaves = [Value(data[x]) if type(x) is int else x for x in step.operands]
    step.applied(leaves).backward()
    return [leaf.grad if is_node(leaf) else 0.0 for leaf in leaves]


# -- which ones --------------------------------------------------------------------------------------------------------


def graph(text: str, *roots: int, leaves: tuple[float, ...] = (2.0, 3.0)) -> Graph:
    """Return the graph of a short text: "mul 0 1; add 2 0" over two leaves, which are nodes 0 and 1."""
    steps = [part.split() for part in text.split(";")]
    return Graph(leaves, tuple([Step(op, tuple(map(int, operands))) for op, *operands in steps]), roots or (-1,))


def random_graphs(operations: list[tuple[str, int]], count: int, seed: int = 0) -> Iterator[Graph]:
    """Yield tame graphs of some operations, given as names with numbers of operands."""
    chance = random.Random(seed)
    for _ in range(20 * count):
        leaves = tuple([
            chance.choice(_SPECIAL) if chance.random() < 0.3 else round(chance.uniform(-2.0, 2.0), 2)
            for _ in range(chance.randint(1, 3))
        ])  # fmt: skip
        steps: list[Step] = []
        for place in range(len(leaves), len(leaves) + chance.randint(2, 10)):
            op, arity = chance.choice(operations)
            near = range(max(0, place - 5), place)
            steps.append(Step(op, tuple([chance.choice(near) for _ in range(arity)])))
        made = _trimmed(Graph(leaves, tuple(steps), (len(leaves) + len(steps) - 1,)))
        if made.is_tame():
            yield made
            count -= 1
            if count == 0:
                return


# -- smaller ones ------------------------------------------------------------------------------------------------------


def shrunk(given: Graph, fails: Callable[[Graph], bool]) -> Graph:
    """Return a graph that still fails, and from which nothing can be left out."""
    is_tame, tries = given.is_tame(), 0
    waiting = _smaller(given)
    while (candidate := next(waiting, None)) is not None and (tries := tries + 1) <= _MOST_TRIES:
        is_computed = min(candidate.roots) >= len(candidate.leaves)  # backward() of a leaf shows nothing
        if is_computed and (candidate.is_tame() or not is_tame) and fails(candidate):
            given, waiting = candidate, _smaller(candidate)
    return given


def _smaller(given: Graph) -> Iterator[Graph]:
    """Yield graphs with one part less, or with a simpler number."""
    first, roots, leaves = len(given.leaves), [root % len(given) for root in given.roots], given.leaves
    given = replace(given, roots=tuple(roots))
    if len(trimmed := _trimmed(given)) < len(given):
        yield trimmed
    for place in range(len(roots) * (len(roots) > 1)):
        yield _trimmed(replace(given, roots=(*roots[:place], *roots[place + 1 :])))
    for place in reversed(range(first, len(given))):
        for operand in dict.fromkeys(given.places[place]):
            yield _trimmed(_without(given, place, operand))
    for place, simple in enumerate(_SIMPLE[:first]):
        if leaves[place] not in _SIMPLE:
            yield replace(given, leaves=(*leaves[:place], simple, *leaves[place + 1 :]))


def _without(given: Graph, node: int, instead: int) -> Graph:
    """Return a graph in which another node, an earlier one, stands for this one."""
    moved = [instead if x == node else x - (x > node) for x in range(len(given))]
    leaves = [x for place, x in enumerate(given.leaves) if place != node]
    steps = [step for place, step in enumerate(given.steps, len(given.leaves)) if place != node]
    renamed = [Step(op, tuple(looked_up(operands, moved))) for op, operands in steps]
    return Graph(tuple(leaves), tuple(renamed), tuple(looked_up(given.roots, moved)))


def _trimmed(given: Graph) -> Graph:
    """Return a graph without the nodes that no root needs."""
    needed, places = {*given.roots}, given.places
    for node in reversed(range(len(given))):
        if node in needed:
            needed.update(places[node])
        elif len(given.leaves) > (node < len(given.leaves)):
            given = _without(given, node, 0)
    return given
