"""The proofs of well-known derivatives, step by step, as a teacher writes them; everything is read from the graph.

The composition, the chain rule backwards through it, the closed form it collapses to, and the verdict.
Not here: the proofs themselves (`symbolic`), for which SymPy must be installed. Read next: `cli`.
"""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograd_mini import functions
from autograd_mini.core.row import ZERO, evaluate
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.core.table import exp, ndtr
from autograd_mini.core.traced import Condition, Traced, Unrecorded, local_partials
from autograd_mini.functions.activations import sigmoid
from autograd_mini.functions.logits import softmax

if TYPE_CHECKING:
    from autograd_mini.symbolic import Proof

_WIDTH = 98
_ARITHMETIC = ("add", "sub", "mul", "div", "neg", "sum", "where")
_ROW = "row of the table: an operation whose derivative is known"


@dataclass(frozen=True, eq=False)
class Lesson:
    """One derivative to be proved.

    Attributes:
        about: what is proved, in one line.
        function: what is differentiated, by its first argument.
        arguments: the names of the arguments, for a number of classes.
        shorthand: what the closed form is written with: a function of the arguments.
        letters: the names of that, for a number of classes, in the same structure.
        where: how the letters are introduced.
        closed: the closed form, a function of the shorthand and the arguments.
        result: the name of the result.
        normalised: the closed form for targets that sum to 1, where it is a simpler one.
    """

    about: str
    function: Callable[..., Any]
    arguments: Callable[[int], list[Any]]
    shorthand: Callable[..., Any]
    letters: Callable[[int], Any]
    where: str
    closed: Callable[..., Any]
    result: str = "y"
    normalised: Callable[..., Any] | None = None


def _numbered(letter: str) -> Callable[[int], list[str]]:
    return lambda n: [f"{letter}{i + 1}" for i in range(n)]


def _one(letter: str) -> Callable[[int], list[str]]:
    return lambda n: [letter]


def _diagonal(i: int, j: int) -> int:
    return 1 if i == j else 0


def _of_probabilities(about: str, function: Callable[..., Any], closed: Callable[..., Any], result: str) -> Lesson:
    return Lesson(
        about, function, lambda n: [_numbered("z")(n)], softmax, _numbered("a"), "a = softmax(z)", closed, result
    )


def _of_sigmoid(about: str, function: Callable[..., Any], closed: Callable[..., Any]) -> Lesson:
    return Lesson(about, function, _one("x"), lambda x: [sigmoid(x)], _one("a"), "a = sigmoid(x)", closed)


LESSONS: dict[str, Lesson] = {
    "softmax-cross-entropy": Lesson(
        "the gradient of cross-entropy by the logits is a - t, with a = softmax(z)",
        functions.cross_entropy,
        lambda n: [_numbered("z")(n), _numbered("t")(n)],
        lambda z, t: softmax(z),
        _numbered("a"),
        "a = softmax(z)",
        lambda a, z, t: [p * sum(t) - u for p, u in zip(a, t, strict=True)],
        "L",
        lambda a, z, t: [p - u for p, u in zip(a, t, strict=True)],
    ),
    "softmax": _of_probabilities(
        "the Jacobian of softmax is a_i (δ_ij - a_j)",
        softmax,
        lambda a, z: [[p * (_diagonal(i, j) - q) for j, q in enumerate(a)] for i, p in enumerate(a)],
        "a",
    ),
    "log-softmax": _of_probabilities(
        "the Jacobian of log-softmax is δ_ij - a_j, with a = softmax(z)",
        functions.log_softmax,
        lambda a, z: [[_diagonal(i, j) - q for j, q in enumerate(a)] for i in range(len(a))],
        "y",
    ),
    "logsumexp": _of_probabilities(
        "the gradient of log-sum-exp is softmax", functions.logsumexp, lambda a, z: list(a), "y"
    ),
    "sigmoid": _of_sigmoid("the derivative of the sigmoid is a (1 - a)", sigmoid, lambda a, x: a[0] * (1 - a[0])),
    "tanh": Lesson(
        "the derivative of tanh is 1 - a²",
        functions.tanh,
        _one("x"),
        lambda x: [functions.tanh(x)],
        _one("a"),
        "a = tanh(x)",
        lambda a, x: 1 - a[0] ** 2,
    ),
    "softplus": _of_sigmoid("the derivative of softplus is the sigmoid", functions.softplus, lambda a, x: a[0]),
    "silu": _of_sigmoid(
        "the derivative of silu is a (1 + x (1 - a)), with a = sigmoid(x)",
        functions.silu,
        lambda a, x: a[0] * (1 + x * (1 - a[0])),
    ),
    "gelu": Lesson(
        "the derivative of gelu is Φ(x) + x φ(x)",
        functions.gelu,
        _one("x"),
        lambda x: [ndtr(x), exp(-x * x / 2) * (1.0 / math.sqrt(2.0 * math.pi))],
        lambda n: ["Φ", "φ"],
        "Φ = ndtr(x), the normal distribution, and φ = exp(-x²/2)/√(2π), its density",
        lambda a, x: a[0] + x * a[1],
    ),
    "binary-cross-entropy": Lesson(
        "the derivative of binary cross-entropy is a - t, with a = sigmoid(x)",
        functions.binary_cross_entropy,
        lambda n: ["x", "t"],
        lambda x, t: [sigmoid(x)],
        _one("a"),
        "a = sigmoid(x)",
        lambda a, x, t: a[0] - t,
        "L",
    ),
}


def explain_proof(name: str, classes: int = 3) -> tuple[str, bool]:
    """A proof, written out.

    Args:
        name: a key of `LESSONS`.
        classes: how many logits there are, where there are several.

    Returns:
        the text, and whether everything in it is proved.

    Raises:
        MissingError: SymPy is not installed.

    >>> text, proved = explain_proof("sigmoid")
    >>> print(text.splitlines()[-1])
    PROVED for all inputs, algebraically; 48 points agree
    >>> proved
    True
    """
    from autograd_mini.symbolic import prove, symbolic_arguments, text

    lesson = LESSONS[name]
    arguments = symbolic_arguments(lesson.function, lesson.arguments(classes))
    letters = symbolic_arguments(lesson.function, lesson.letters(classes))
    graph = _Graph(lesson, arguments)
    lines = [f"{name}: {lesson.about}.", "", f"1. The composition: small steps, each a {_ROW}", ""]
    lines += [*graph.remarks(), ""] if graph.remarks() else []
    lines += _aligned(graph.composition())
    lines += ["", "2. Backwards: every node hands its gradient on, times the rule of its row", ""]
    for number, output in enumerate(graph.outputs):
        steps = _aligned(graph.chain_rule(output))
        lines += [""] * (number == 1) + steps if number < 2 else []
    if len(graph.outputs) > 2:
        lines += [f"  ... and likewise from {graph.names[graph.outputs[2]]} on"]
    lines += ["", f"3. The closed form, with {lesson.where}", ""]

    def claim(closed: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *inputs: closed(lesson.shorthand(*inputs), *inputs)

    closed = lesson.closed(letters, *arguments)
    meanings = graph.meanings(lesson.shorthand(*arguments))
    meant = [(str(letter), text(meaning)) for letter, meaning in zip(letters, meanings, strict=True)]
    lines += _aligned(pair for pair in meant if pair[0] != pair[1])
    lines += [f"  {' + '.join(map(str, letters))} = 1"] if len(letters) == len(graph.inputs) > 1 else []
    lines += (
        ["", f"Both branches are the same, for {' and '.join(graph.reciprocals())}."] if graph.reciprocals() else []
    )
    lines += [""]
    collapsed: list[tuple[str, str]] = []
    names = [f"∂{y}/∂{x}" for y in graph.output_names() for x in _flat(arguments[:1])]
    forms = graph.collapse(letters, meanings)
    for left, right in zip(names, _flat(closed), strict=True):
        chain = list(dict.fromkeys([*map(text, next(forms)), text(right)]))
        collapsed += zip([left] + [""] * (len(chain) - 1), chain, strict=True)
    lines += _aligned(collapsed)
    proofs: list[Proof] = [prove(lesson.function, claim(lesson.closed), arguments, argnums=0)]
    lines += ["", str(proofs[0])]
    if lesson.normalised is not None:
        target = arguments[-1]
        simpler = lesson.normalised(letters, *arguments)
        lines += ["", f"4. With {' + '.join(map(str, target))} = 1", ""]
        lines += _aligned((left, text(right)) for left, right in zip(names, _flat(simpler), strict=True))
        summing_to_one = [*arguments[:-1], [*target[:-1], 1 - sum(target[:-1])]]
        proofs.append(prove(lesson.function, claim(lesson.normalised), summing_to_one, argnums=0))
        lines += ["", str(proofs[1])]
    return "\n".join(lines), all(proofs)


def _flat(structure: Any) -> Iterator[Any]:
    for element in structure if isinstance(structure, (list, tuple)) else [structure]:
        if isinstance(element, (list, tuple)):
            yield from _flat(element)
        else:
            yield element


def _aligned(equations: Iterable[tuple[str, str]]) -> list[str]:
    """The equations, aligned at their first sign of equality, and wrapped behind it."""
    pairs = list(equations)
    width = max(len(left) for left, _ in pairs)
    lines: list[str] = []
    for left, right in pairs:
        indent = " " * (width + 5)
        lines += textwrap.wrap(
            f"  {left:{width}} = {right}",
            _WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    return lines


class _Graph:
    """The graph of a function of symbols, with a name for every node."""

    def __init__(self, lesson: Lesson, arguments: list[Any]) -> None:
        from autograd_mini.symbolic import named_symbol, trace

        result, leaves = trace(lesson.function, arguments)
        self.outputs: list[Any] = result if isinstance(result, list) else [result]
        self.inputs = list(_flat(leaves[:1]))
        self.nodes: dict[Any, Any] = {}
        for output in self.outputs:
            self.nodes |= topological_order(output)
        self.names: dict[Any, str] = {node: node.name for node in _flat(leaves)}
        numbered = isinstance(result, list)
        for index, output in enumerate(self.outputs):
            self.names[output] = f"{lesson.result}{index + 1}" if numbered else lesson.result
        unnamed = {node: (node._row.letter or node.op[0]) for node in self.nodes if node not in self.names}
        totals, counts = Counter(unnamed.values()), Counter[str]()
        for node, letter in unnamed.items():
            counts[letter] += 1
            self.names[node] = f"{letter}{counts[letter]}" if totals[letter] > 1 else letter
        self.adjoints: dict[tuple[Any, Any], Any] = {}  # (output, node): what chain_rule found
        self.symbols = {node: named_symbol(name, node.data) for node, name in self.names.items()}

    def output_names(self) -> list[str]:
        return [self.names[output] for output in self.outputs]

    def remarks(self) -> list[str]:
        """A sentence on each thing that a beginner may ask about the steps."""
        names = set(self.names.values())
        lines = []
        if "t1" in names or "t" in names:
            lines += ["t is the target: the probabilities of the right answer."]
        if "z1" in names:
            lines += ["z1 is subtracted so that no exponential overflows (of numbers, the largest z); any z would do."]
        if any(node.op == "where" for node in self.nodes):
            lines += ["Two branches, as each keeps its digits on its side; they are the same function."]
        return lines

    def meanings(self, expressions: list[Any]) -> list[Any]:
        """The expressions in the names of the nodes, where a node computes a part of them."""
        from autograd_mini.symbolic import exact

        first: dict[Any, Any] = {}
        whole: dict[Any, Any] = {}
        for node, symbol in self.symbols.items():
            first.setdefault(node.data, symbol)
            if node.op in _ARITHMETIC:
                whole.setdefault(node.data, node)
        found = []
        for expression in map(exact, expressions):
            meaning = exact(self._in_symbols(whole[expression])) if expression in whole else expression.xreplace(first)
            for node in self.nodes:
                if node.op in ("add", "sum") and all(type(x) is Traced for x in node.operands):
                    meaning = meaning.subs(sum(self.symbols[x] for x in node.operands), self.symbols[node])
            found.append(meaning)
        return found

    def _in_symbols(self, node: Any) -> Any:
        """One operation, on the names of its operands."""
        operands = [
            self.symbols[x] if type(x) is Traced else x.data if isinstance(x, Condition) else x for x in node.operands
        ]
        return evaluate(node._row, tuple(operands)) if any(type(x) is Traced for x in node.operands) else node.data

    def _bases(self) -> dict[Any, Any]:
        """Of exponentials of x and -x, the later by the earlier."""
        from autograd_mini.symbolic import exact

        seen: dict[Any, Any] = {}
        found = {}
        for node in self.nodes:
            if node.op in ("exp", "expm1"):
                shift, exponent = int(node.op == "expm1"), exact(node.operands[0].data)
                symbol = self.symbols[node]
                if exponent in seen:
                    found[symbol] = seen[exponent] - shift
                elif -exponent in seen:
                    found[symbol] = 1 / seen[-exponent] - shift
                else:
                    seen[exponent] = symbol + shift
        return found

    def reciprocals(self) -> list[str]:
        """How the exponentials of the branches depend on each other."""
        from autograd_mini.symbolic import text

        return [f"{symbol} = {text(by)}" for symbol, by in self._bases().items()]

    def _definitions(self) -> dict[Any, Any]:
        """What every name stands for, in exponentials and inputs."""
        from autograd_mini.symbolic import exact

        found = self._bases()
        for node in self.nodes:
            if node.op in _ARITHMETIC:
                found[self.symbols[node]] = exact(self._in_symbols(node)).xreplace(found)
            if node.op == "expm1":
                power = exact(exp(self.symbols[node.operands[0]]))
                found[power] = exact(self.symbols[node] + 1).xreplace(found)
        return found

    def collapse(self, letters: list[Any], meanings: list[Any]) -> Iterator[list[Any]]:
        """Every entry of the gradient as it falls out, in few names, and in the letters, as far as they differ."""
        from autograd_mini.symbolic import simplified, solved

        one = len(self.inputs) == 1
        definitions = self._definitions() if one else {}
        short = [simplified(meaning.xreplace(definitions)) for meaning in meanings]
        solution = solved(letters, short)
        same = {self.symbols[n]: letter for n in self.nodes for letter in letters if self.names[n] == str(letter)}
        for output in self.outputs:
            for node in self.inputs:
                raw = self.adjoints[output, node]
                plain = simplified(raw.xreplace(definitions))
                yield [raw, plain, simplified(plain.xreplace(same).xreplace(solution))] if solution else [raw, plain]

    def composition(self) -> Iterator[tuple[str, str]]:
        """(name, how it is computed from other names), operands first."""
        for node in self.nodes:
            if node.op is not None:
                yield self.names[node], self._spelled(node)

    def _spelled(self, node: Traced) -> str:
        row: Any = node._row
        operands = [self._called(operand) for operand in node.operands]
        if row.name == "where":
            return f"{operands[1]} if {operands[0]} else {operands[2]}"
        if row.name == "dot":
            half = len(operands) // 2
            return " + ".join(f"{a}·{b}" for a, b in zip(operands[:half], operands[half:], strict=True))
        if row.name == "sum":
            return " + ".join(operands)
        if row.symbol == row.name:
            return f"{row.name}({', '.join(operands)})"
        if len(operands) == 1:
            return f"{row.symbol}{operands[0]}"
        return {"*": "·", "/": "/"}.get(row.symbol, f" {row.symbol} ").join(operands)

    def _called(self, operand: Any) -> str:
        if isinstance(operand, Condition):
            symbol = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠", "&": "and", "|": "or", "~": "not"}
            names = [self._called(x) for x in operand.operands]
            names = names if len(names) == 2 else ["", *names]
            return f" {symbol.get(operand.op, operand.op)} ".join(names).strip()
        return self.names[operand] if type(operand) is Traced else f"{float(operand):g}"

    def _slopes(self, node: Any) -> list[Any]:
        """The rule of the row in the names of the nodes, for every operand; `ZERO` where there is no edge."""
        from autograd_mini.symbolic import simplified

        operands = [Unrecorded(self.symbols[x]) if type(x) is Traced else x for x in node.operands]
        slopes = local_partials(node._row, self.symbols[node], operands)
        return [ZERO if edge is ZERO else simplified(s) for edge, s in zip(node.partials, slopes, strict=True)]

    def chain_rule(self, output: Any) -> Iterator[tuple[str, str]]:
        """(∂output/∂node, the contributions that it is the sum of), one line a node, in the order of the sweep."""
        from autograd_mini.symbolic import simplified, text

        top = self.names[output]
        inputs = [node.data for node in self.inputs]
        contributions: dict[Any, list[str]] = {}

        def partials(node: Any) -> list[Any]:
            if node.op is None:
                return []
            slopes = self._slopes(node)
            for operand, slope in zip(node.operands, slopes, strict=True):
                if slope is not ZERO:
                    factor = text(slope)
                    factor = f"({factor})" if factor.startswith("-") or " " in factor or "/" in factor else factor
                    contributions.setdefault(operand, []).append(f"∂{top}/∂{self.names[node]} · {factor}")
            return slopes

        for node, adjoint in sweep(output, simplified(1.0), topological_order(output), partials):
            if node is output:
                yield f"∂{top}/∂{top}", "1"
            elif any(depends in node.data.free_symbols for depends in inputs):
                self.adjoints[output, node] = simplified(adjoint)
                spelled, short = " + ".join(contributions[node]), text(self.adjoints[output, node])
                shown = len(short) <= 70 or node.op is None
                yield f"∂{top}/∂{self.names[node]}", f"{spelled} = {short}" if shown else spelled
