"""To the line: the intermediate numbers that a program printed, beside the same computation recorded here.

A program in any language prints `name value [gradient]`, one a line. Lines are matched with nodes by name, then by
value; the first number that diverges is named, with the term of the chain rule that is wrong. Not here: recording the
computation (`script`), and stepping through it (`debug`). Read next: `check.grading`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autograd_mini.check.answers import Precision
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, propagate, topological_order
from autograd_mini.engine import Value
from autograd_mini.errors import DataError, counted
from autograd_mini.notation.names import Names, place
from autograd_mini.notation.namespaces import Namespace
from autograd_mini.notation.text import bracketed, guarded, number

_LINE = re.compile(r"\s*(\S.*?)[\s=:,;]+([-+]?[\d.]\S*?|[-+]?inf\w*|[-+]?nan)(?:[\s,;]+([-+]?[\d.]\S*|[-+]?inf\w*|[-+]?nan))?\s*", re.IGNORECASE)


class Printed(NamedTuple):
    """One line that a program printed."""

    line: int
    name: str
    value: str
    gradient: str | None


class Term(NamedTuple):
    """One product of the chain rule: what arrives at a node from another one that was computed from it."""

    user: Value
    upstream: float
    local: float

    @property
    def contribution(self) -> float:
        return self.upstream * self.local


@dataclass(frozen=True, repr=False)
class Alignment:
    """What a program printed beside the recorded computation; print it as text. It is true if everything agrees.

    Attributes:
        text: what was found.
        node: the node of the first number that diverges; None if all agree, or none could be compared.
        backward: whether it is the gradient of that node that diverges, not its value.
    """

    text: str
    node: Value | None
    backward: bool
    compared: int

    @property
    def ok(self) -> bool:
        """Whether every printed number agrees."""
        return self.node is None and self.compared > 0

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return self.text


def read_printed(text: str) -> list[Printed]:
    """Read lines of the form `name value [gradient]`; other lines are left out.

    Raises:
        DataError: no line has this form.
    """
    found = []
    for count, line in enumerate(text.replace("−", "-").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match and all(_is_number(word) for word in match.groups()[1:] if word is not None) and not _is_number(match[1]):
            found.append(Printed(count, *match.groups()))
    if not found:
        raise DataError("No line has the form: name value gradient. Print one such line for each intermediate number.")
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def align(root: Value, printed: Sequence[Printed], spaces: Sequence[Namespace] = ()) -> Alignment:
    """Compare what a program printed with a graph; `spaces` are the variables of the program that recorded it."""
    return _Comparison(root, printed, spaces).alignment()


class _Comparison:
    def __init__(self, root: Value, printed: Sequence[Printed], spaces: Sequence[Namespace]) -> None:
        self.root = root
        self.names = Names(tuple(topological_order(root, everything=True)), spaces)
        self.right = {node: 0.0 if adjoint is ZERO else adjoint for node, adjoint in adjoints(root).items()}
        self.precision = Precision([word for line in printed for word in (line.value, line.gradient) if word])
        self.found: dict[Value, Printed] = {}
        self._match(printed)
        self.left_out = [line for line in printed if line not in self.found.values()]

    # -- matching ------------------------------------------------------------------------------------------------------

    def _match(self, printed: Sequence[Printed]) -> None:
        called: dict[str, list[Value]] = {}
        for node in self.names.order:
            for name in dict.fromkeys((_plain(self.names.name(node)), _plain(self.names.label(node)))):
                called.setdefault(name, []).append(node)
        rest = []
        for line in printed:  # the k-th line of a name is about the k-th node of that name
            nodes = [node for node in called.get(_plain(line.name), ()) if node not in self.found]
            if nodes:
                self.found[nodes[0]] = line
            else:
                rest.append(line)
        self.by_name = len(self.found)
        for line in rest:
            alike = [node for node in self.names.order if node not in self.found and self._agrees(line.value, node.data)]
            both = [node for node in alike if line.gradient and self._agrees(line.gradient, self.right.get(node, 0.0))]
            if both or len(alike) == 1:
                self.found[(both or alike)[0]] = line
        if self.root not in self.found and printed[-1] in rest and printed[-1] not in self.found.values():
            self.found[self.root] = printed[-1]  # the last line is the result

    def _agrees(self, word: str, right: float) -> bool:
        x = self.precision.number(word, right)
        return x is None or x == right or (x != x and right != right) or math.isclose(x, right, rel_tol=1e-9, abs_tol=1e-300)

    # -- the first number that diverges --------------------------------------------------------------------------------

    def alignment(self) -> Alignment:
        compared = len(self.found) + sum(line.gradient is not None for line in self.found.values())
        said = [f"{counted(len(self.found), 'printed line')} found in the graph, {self.by_name} by name and {len(self.found) - self.by_name} by value."]
        if self.left_out:
            said.append(f"Left out, since nothing here has that name or value: {', '.join(line.name for line in self.left_out[:5])}.")
        order = [node for node in self.names.order if node in self.found]
        for node in order:
            line = self.found[node]
            if not self._agrees(line.value, node.data):
                said += self._wrong_value(node, line)
                return Alignment("\n".join(said), node, False, compared)
        said.append("Their values agree." if order else "Nothing can be compared.")
        for node in reversed([node for node in self.right if node in self.found]):  # in the order of the sweep
            line = self.found[node]
            if line.gradient is not None and not self._agrees(line.gradient, self.right[node]):
                said += self._wrong_gradient(node, line)
                return Alignment("\n".join(said), node, True, compared)
        given = sum(line.gradient is not None for line in self.found.values())
        said.append(f"Their {counted(given, 'gradient')} agree." if given else "No gradients were printed.")
        return Alignment("\n".join(said), None, False, compared)

    def _wrong_value(self, node: Value, line: Printed) -> list[str]:
        what = "an input" if node.op is None else self.names.expression(node) or self.names.operation(node)
        behind = [f"{self.names.label(x)} = {x.data!r}" for x in self._before(node) if x in self.found]
        agree = f"What it is computed from agrees: {', '.join(behind)}." if behind else ""
        return [
            f"The first number that diverges is the value of {line.name}, line {line.line}: "
            f"{line.value} was printed, and {node.data!r} is right ({what}).",
            *filter(None, [agree, self._where(node)]),
        ]

    def _before(self, node: Value) -> list[Value]:
        """Return the matched nodes from which a node is computed, with nothing printed between."""
        return [stop for stop in self._slopes(node)]

    def _slopes(self, node: Value) -> dict[Value, float]:
        """Return the derivatives of a node by the matched nodes right behind it."""
        stops = [stop for stop in self.found if stop is not node]
        order = topological_order(node, stops)
        propagate(node, 1.0, order, stops)
        return {stop: order[stop] for stop in stops if order[stop] is not ZERO}

    def _where(self, node: Value) -> str:
        site = place(node)
        return f"where: {site}" if site is not None else ""

    def _wrong_gradient(self, node: Value, line: Printed) -> list[str]:
        users = dict.fromkeys((*self.found, self.root))
        terms = [
            Term(user, self.right[user], slopes[node])
            for user in users
            if user is not node and user in self.right and node in (slopes := self._slopes(user))
        ]
        root, name = self.names.label(self.root), self.names.label(node)
        by = bracketed(name)

        def written(term: Term) -> str:
            user = bracketed(self.names.label(term.user))
            return f"∂{bracketed(root)}/∂{user} × ∂{user}/∂{by} = {number(term.upstream, 10)} × {guarded(number(term.local, 10))}"

        said = [
            f"The first gradient that diverges, in the order of the sweep, is that of {line.name}, line {line.line}: "
            f"{line.gradient} was printed, and {self.right[node]!r} is right.",
            f"∂{bracketed(root)}/∂{by} is the sum of {counted(len(terms), 'term')}:" if len(terms) > 1 else "The chain rule:",
            *[f"  {written(term)} = {number(term.contribution, 10)}" for term in terms],
        ]
        assert line.gradient is not None
        for total, term, sentence in _mistakes(terms, node, self.right[node]):
            if self._agrees(line.gradient, total):
                user = self.names.label(term.user)
                said.append(f"The wrong term is that of {user}: " * (len(terms) > 1) + sentence)
                break
        else:
            if len(terms) == 1 and terms[0].upstream:
                local = float(line.gradient) / terms[0].upstream
                said.append(f"So its local derivative was {number(local, 10)}, and {number(terms[0].local, 10)} is right.")
        return [*said, *filter(None, [self._where(terms[0].user if terms else node)])]


def _mistakes(terms: Sequence[Term], node: Value, right: float) -> Iterator[tuple[float, Term, str]]:
    """Yield what the gradient would be with a mistake in one term, the term, and the mistake."""
    for term in terms:
        c, x, y = term.contribution, node.data, term.user.data
        rest = right - c
        yield rest - c, term, "its sign is flipped."
        yield rest + term.upstream, term, "the local derivative is missing (the inner derivative)."
        yield rest + term.local, term, "it is not multiplied by what arrives from above."
        if len(terms) > 1:
            yield rest, term, "it is missing (every use adds a term)."
            yield c, term, "it replaces the others: write += where = is written."
        yield rest + 2.0 * c, term, "it is counted twice."
        for factor, words in ((0.5, "a factor of 2 is missing"), (2.0, "there is a factor of 2 too many")):
            yield rest + factor * c, term, f"{words}."
        if term.local:
            yield rest + term.upstream / term.local, term, "it is divided by the local derivative, not multiplied."
        for local, words in ((x * (1.0 - x), "a * (1 - a)"), (1.0 - x * x, "1 - a * a")):
            yield rest + term.upstream * local, term, f"{words} is given the input of the function instead of its output a."
        if y:
            yield rest + term.upstream * (1.0 / y - y), term, "it has 1 / a - a where 1 - a * a is right."


def _plain(name: str) -> str:
    """Return a name as languages share it: z[0], z_0 and Z0 are the same."""
    return re.sub(r"[\W_]+", "", name).lower()
