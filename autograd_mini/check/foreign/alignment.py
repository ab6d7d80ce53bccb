"""To the line: the intermediate numbers that a program printed, beside the same computation recorded here.

A program in any language prints `name value [gradient]`, one per line. Lines are matched with nodes by name, then by
value; the first number that diverges is named, with the term of the chain rule that is wrong. Not here: stepping
through the computation (`debug`). Read next: `check.grading`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autograd_mini.check.foreign.answers import NUMBER, Precision
from autograd_mini.check.mistakes.diagnosis import diagnose
from autograd_mini.check.mistakes.sweeps import TERMS
from autograd_mini.check.tasks import Task, task_named
from autograd_mini.check.verdicts import RIGHT, UNKNOWN, WRONG
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import adjoints, propagate, topological_order
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, DataError, counted, shown
from autograd_mini.functions import ACTIVATIONS
from autograd_mini.notation.names import Names, site_in_program
from autograd_mini.notation.namespaces import Namespace, of_program
from autograd_mini.notation.text import bracketed, guarded, number
from autograd_mini.script import graph_of

_GRADIENT = "grad(?:ient)?s?|deriv(?:ative)?s?"
_LINE = re.compile(
    rf"\s*([^\W\d].*?)(?:[\s=:,;(]+|[\s=:,;(.]+(?:value|val|data)[\s=:]+)({NUMBER.pattern})"
    rf"(?:[\s,;|(]+(?:(?:{_GRADIENT})[\s=:]+)?({NUMBER.pattern}))?[\s)]*",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[\s=:,;|.()\[\]{}\"']+")
_FORM = "Print one line for each intermediate number: name value gradient."
_MOST = 5  # names in a sentence


class Printed(NamedTuple):
    """One line that a program printed."""

    line: int
    name: str
    value: str
    gradient: str | None


def check_trace(name: str, text: str) -> Alignment:
    """Compare what a program printed with a script, SCRIPT.py[:NAME], or with a task at the inputs that it printed.

    An ArgumentError if there is no such script or task, or if the task has several results; a DataError if no line has
    the right form, or if the inputs of the task are not among them; a ScriptError if the script fails.
    """
    lines = text.replace("−", "-").splitlines()
    matches = [_LINE.fullmatch(line) for line in lines]
    printed = [Printed(i, *match.groups()) for i, match in enumerate(matches, 1) if match is not None]
    if not printed:
        raise DataError(f"There is no such line. {_FORM}")
    if is_script(name):
        found = Alignment(graph_of(name), printed, of_program.get())
    else:
        found = Alignment(*_graph_of_task(task_named(name), printed), ())
    for i, (line, match) in enumerate(zip(lines, matches, strict=True), 1):
        if found.is_unclear(line, match and match[1]):
            raise DataError(f"Line {i} cannot be read: {shown(line)}. {_FORM}")
    return found


def is_script(name: str) -> bool:
    """Return True for SCRIPT.py and SCRIPT.py:NAME, as opposed to the name of a task."""
    return name.partition(":")[0].endswith(".py")


def _graph_of_task(task: Task, printed: Sequence[Printed]) -> tuple[Value, list[Printed]]:
    """Record a task at the inputs that the first lines name: x, or z0 z1 z2, and then those of the next argument.

    Derivatives are by the first argument; the others are constants, and their lines are not among those left.
    """
    groups = [[*lines] for _, lines in itertools.groupby(printed, lambda line: re.sub(r"[\d\W_]+$", "", line.name))]
    first, *others = [isinstance(x, list) for x in task.points[0]]
    if len(groups) <= len(others):
        raise DataError(f"The inputs of {task.name} come first, such as: z0 2.0, and z1 1.0 in the next line. {_FORM}")
    leaves = [Value(float(line.value), name=line.name) for line in groups[0]]
    constants = [[float(line.value) for line in group] for group in groups[1 : 1 + len(others)]]
    rest = [xs if is_list else xs[0] for is_list, xs in zip(others, constants, strict=True)]
    root = task.function(leaves if first else leaves[0], *rest)
    if not isinstance(root, Value):
        raise ArgumentError(f"{task.name} has several results.", "Write a script that computes one number from them.")
    root.name = printed[-1].name
    return root, [*groups[0], *itertools.chain(*groups[1 + len(others) :])]


class _Term(NamedTuple):
    """One product of the chain rule: what arrives at a node from another one that was computed from it."""

    user: Value
    upstream: float
    local: float
    product: float


class Alignment:
    """The lines that a program printed, each with its node; print it as text. It is true if everything agrees.

    `root` is the result of the computation, and `spaces` are the variables of the program that recorded it.
    """

    def __init__(self, root: Value, printed: Sequence[Printed], spaces: Sequence[Namespace]) -> None:
        self.root, self.spaces = root, spaces
        self.found: dict[Value, Printed] = {}  # the lines that are compared
        self.node: Value | None = None  # of the first number that diverges
        self.backward, self.status = False, RIGHT  # whether it is its gradient that diverges; the status of a command
        self._called: dict[str, list[Value]] = {}
        self._names = Names(tuple(topological_order(root, everything=True)), spaces)
        self._expected = {node: 0.0 if adjoint is ZERO else adjoint for node, adjoint in adjoints(root).items()}
        self._precision = Precision([word for line in printed for word in (line.value, line.gradient) if word])
        self._match(printed)
        self._text = "\n".join(self._said(printed))

    def __bool__(self) -> bool:
        return self.status == RIGHT

    def __repr__(self) -> str:
        return self._text

    def is_unclear(self, line: str, name: str | None) -> bool:
        """Return True for a line that seems to be about a node but does not have the requested form.

        It is of another form and begins with the name of a node that is not found; or its name holds a number, or may
        be that of a gradient: w_grad, dw, dloss/dw.
        """
        if name is None or " " in name:
            words = [word for word in re.split(r"[\s=:,;|()\[\]{}\"']+", line) if word]
            names = [word for word in words if not NUMBER.fullmatch(word)][:2]  # such as "name": "loss"
            nodes = [self._called.get(_plain(word), []) for word in names]
            if len(names) < len(words) and any(found and self.found.keys().isdisjoint(found) for found in nodes):
                return True
        if name is None or (plain := _plain(name)) in self._called:
            return False
        words = [word for word in _WORDS.split(re.sub(r"\[.*?\]|\(.*?\)", "", name)) if word]
        parts = [part for word in words for part in word.split("_")]
        is_number = any(map(NUMBER.fullmatch, words))
        is_slope = any(re.fullmatch(_GRADIENT, part, re.IGNORECASE) for part in (parts[0], parts[-1]))
        return is_number or is_slope or (plain[:1] == "d" and any(plain.endswith(f"d{n}") for n in self._called))

    def _match(self, printed: Sequence[Printed]) -> None:
        for node in self._names.order:
            name = self._names.name(node)  # a loop may print h for h[0], h[1] and so on
            for text in {_plain(name), _plain(name.partition("[")[0]), _plain(self._names.label(node))}:
                self._called.setdefault(text, []).append(node)
        rest = []
        for line in printed:  # of several nodes with a name, the first with this value, or else the first
            nodes = [node for node in self._called.get(_plain(line.name), ()) if node not in self.found]
            if nodes:
                self.found[next((node for node in nodes if self._agrees(line.value, node.data)), nodes[0])] = line
            else:
                rest.append(line)
        for line in rest:
            free = [node for node in self._names.order if node not in self.found]
            alike = [node for node in free if self._agrees(line.value, node.data)]
            slopes = [(node, self._expected.get(node, 0.0)) for node in alike if line.gradient]
            both = [node for node, slope in slopes if self._agrees(line.gradient, slope)]
            if len(alike) == 1 or both:
                self.found[(both or alike)[0]] = line
        if self.root not in self.found and printed[-1] not in self.found.values():
            self.found[self.root] = printed[-1]  # the last line is the result

    def _agrees(self, word: str | None, right: float) -> bool:
        x = right if word is None else self._precision.number(word, right)
        return x is None or x == right or (x != x and right != right) or math.isclose(x, right, rel_tol=1e-9)

    def _said(self, printed: Sequence[Printed]) -> Iterator[str]:
        """Go forwards and then backwards through the graph, up to the first number that diverges."""
        yield f"{counted(len(self.found), 'printed line')} found in the computation."
        if left_out := [line.name for line in printed if line not in self.found.values()]:
            self.status, more = UNKNOWN, f", and {len(left_out) - _MOST} more" * (len(left_out) > _MOST)
            yield f"Not checked, because no number here has that name or value: {', '.join(left_out[:_MOST])}{more}."
        for node in self._names.order:
            if node in self.found and not self._agrees(self.found[node].value, node.data):
                self.node, self.status = node, WRONG
                yield from self._wrong_value(node, self.found[node])
                return
        gradients = [node for node in reversed(self._expected) if node in self.found and self.found[node].gradient]
        for node in gradients:  # in the order of the sweep
            if not self._agrees(self.found[node].gradient, self._expected[node]):
                self.node, self.backward, self.status = node, True, WRONG
                yield from ("Their values agree.", *self._wrong_gradient(node, self.found[node]))
                return
        unknown = [node for node in self.found if math.isnan(node.data + self._expected.get(node, 0.0))]
        if unknown:
            self.status, names = UNKNOWN, ", ".join([self.found[node].name for node in unknown[:_MOST]])
            yield f"Cannot tell whether it is right: {names} is nan or has the gradient nan."
        elif gradients:
            yield f"Their values agree, and {counted(len(gradients), 'gradient')} of them too."
        else:
            yield "Their values agree; no gradient was checked."

    def _wrong_value(self, node: Value, line: Printed) -> list[str]:
        what = "an input" if node.op is None else self._names.expression(node) or self._names.operation(node)
        behind = [f"{self._names.label(x)} = {x.data!r}" for x in self._slopes(node)]
        return [
            f"The first number that diverges is the value of {line.name}, in line {line.line}: {line.value} was "
            f"printed, and {node.data!r} is right: {what}{' with ' * bool(behind)}{', '.join(behind)}.",
            *_where(node),
        ]

    def _slopes(self, node: Value) -> dict[Value, float]:
        """Return the derivatives of a node by the matched nodes right behind it."""
        stops = [stop for stop in self.found if stop is not node]
        order = topological_order(node, stops)
        propagate(node, 1.0, order, stops)
        return {stop: order[stop] for stop in stops if order[stop] is not ZERO}

    def _terms(self, node: Value) -> list[_Term]:
        users = [user for user in self._expected if user is not node and (user in self.found or user is self.root)]
        found = ((user, self._expected[user], self._slopes(user).get(node)) for user in users)
        return [_Term(user, up, local, up * local) for user, up, local in found if local is not None]

    def _derivative(self, of: Value, by: Value) -> str:
        return f"∂{bracketed(self._names.label(of))}/∂{bracketed(self._names.label(by))}"

    def _wrong_gradient(self, node: Value, line: Printed) -> list[str]:
        terms = self._terms(node)
        said = [
            f"The first gradient that diverges, in the order of the sweep, is that of {line.name}, in line "
            f"{line.line}: {line.gradient} was printed, and {self._expected[node]!r} is right."
        ]
        if node is self.root:
            return [*said, "It is the derivative of the result by itself: begin the sweep with 1."]
        whole = self._derivative(self.root, node)
        said.append(f"{whole} is the sum of:" if len(terms) > 1 else "The chain rule says:")
        for term in terms:
            factors = f"{number(term.upstream, 10)} × {guarded(number(term.local, 10))}"
            product = f"{self._derivative(self.root, term.user)} × {self._derivative(term.user, node)}"
            said.append(f"  {product} = {factors} = {number(term.product, 10)}")
        for total, term, sentence in self._mistakes(node, terms):
            if self._agrees(line.gradient, total):
                said.append(f"The term through {self._names.label(term.user)} is wrong: {sentence}")
                return [*said, *_where(term.user)]
        said += self._wrong_local(node, terms, float(line.gradient or "nan"))
        return [*said, *_where(terms[0].user if len(terms) == 1 else node)]

    def _mistakes(self, node: Value, terms: Sequence[_Term]) -> Iterator[tuple[float, _Term, str]]:
        """Yield the gradient with a mistake in one term, the term, and the mistake."""
        for term in terms:
            rest = self._expected[node] - term.product
            if term is terms[0] and len(terms) > 1:  # the last to arrive
                yield term.product, term, "it is the only one there. Every use adds a term: write += instead of =."
            for name, said, correction, change in TERMS:
                if name != "path" or len(terms) > 1:
                    yield rest + term.upstream * change(term.local), term, f"{said}. {correction}"
            yield rest + term.local, term, "it is not multiplied by what arrives from above."
            early = f"{self._names.label(term.user)} has handed on before all had arrived: visit it later."
            for part in self._terms(term.user):
                yield rest + (term.upstream - part.product) * term.local, term, early

    def _wrong_local(self, node: Value, terms: Sequence[_Term], gradient: float) -> list[str]:
        """Return which local derivative would explain a gradient, with its name in the table of mistakes."""
        for term in [term for term in terms if term.upstream]:
            local = (gradient - (self._expected[node] - term.product)) / term.upstream
            known, what = [], self._names.operation(term.user)
            if what in ACTIVATIONS:
                report = diagnose(task_named(what), [(node.data,)], [local], digits=self._precision.digits)
                known = [f"{named.sentence} {named.correction}" for named in report.mistakes if not named.is_right]
            if known or len(terms) == 1:
                slope = f"{self._derivative(term.user, node)} = {number(term.local, 10)}"
                return [f"{slope} is right; {number(local, 10)} was used.", *known[:1]]
        return []


def _where(node: Value) -> list[str]:
    return [] if (site := site_in_program(node)) is None else [f"where: {site}"]


def _plain(name: str) -> str:
    """Return a name as languages share it: z[0], z_0 and Z0 are the same."""
    return re.sub(r"[\W_]+", "", name).lower()
