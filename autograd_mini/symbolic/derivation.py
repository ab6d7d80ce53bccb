"""The proof of a lesson, step by step, as a teacher writes it, read from the graph.

It shows the composition, the chain rule backwards through it, the closed form it collapses to, and the verdict.
Not here: the lessons, and the proofs themselves (`proof`). Read next: `symbolic.lessons`.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import sympy

from autograd_mini.core.row import ZERO, evaluate
from autograd_mini.core.sweep import sweep, topological_order
from autograd_mini.core.table import exp
from autograd_mini.core.traced import Condition, Traced, Unrecorded, local_partials
from autograd_mini.notation.spelling import ALGEBRA, RELATIONS, spelling
from autograd_mini.notation.text import number
from autograd_mini.symbolic.formulas import flat, simplified, symbolic_arguments, text, traced
from autograd_mini.symbolic.lessons import LESSONS, Lesson
from autograd_mini.symbolic.proof import prove
from autograd_mini.symbolic.table import exact

_WIDTH = 98
_LONGEST = 70  # characters; a longer sum is not shown beside its terms
_ARITHMETIC = ("add", "sub", "mul", "div", "neg", "sum", "where")
_ROW = "row of the table: an operation whose derivative is known"


def explain_proof(name: str, classes: int = 3) -> tuple[str, bool]:
    """Derive and prove a well-known derivative.

    Args:
        name: one of the names that `autograd-mini prove` lists.
        classes: the number of logits, for a derivative that has several.

    Returns:
        the text, and True if everything in it is proved.

    >>> text, proved = explain_proof("sigmoid")
    >>> print(text.splitlines()[-1])
    PROVED for all inputs, algebraically; 48 points agree
    >>> proved
    True
    """
    lesson = LESSONS[name]
    derivation = _Derivation(lesson, classes)
    arguments, letters = derivation.arguments, derivation.letters
    lines = [f"{name}: {lesson.about}.", "", f"1. The composition: small steps, each a {_ROW}", ""]
    lines += [*remarks, ""] if (remarks := derivation.remarks()) else []
    lines += _aligned(derivation.composition())
    lines += ["", "2. Backwards: every node hands on its gradient, times the rule of its row", ""]
    shown = [_aligned(derivation.chain_rule(output)) for output in derivation.outputs]
    lines += [line for steps in shown[:2] for line in ("", *steps)][1:]
    if len(shown) > 2:
        lines += [f"  ... and likewise from {derivation.names[derivation.outputs[2]]} on"]
    lines += ["", f"3. The closed form, with {lesson.where}", ""]
    meanings = derivation.meanings(lesson.shorthand(arguments[0]))
    meant = [(str(letter), text(meaning)) for letter, meaning in zip(letters, meanings, strict=True)]
    lines += _aligned(pair for pair in meant if pair[0] != pair[1])
    lines += [f"  {' + '.join(map(str, letters))} = 1"] if len(letters) == len(derivation.inputs) > 1 else []
    bases = [f"{symbol} = {text(by)}" for symbol, by in derivation.bases().items()]
    lines += ["", f"Both branches are the same, for {' and '.join(bases)}."] if bases else []
    collapsed = _aligned(derivation.collapse(meanings, lesson.closed(letters, *arguments)))
    proof = derivation.prove(lesson.closed)
    lines += ["", *collapsed, "", str(proof)]
    if lesson.normalised is None:
        return "\n".join(lines), bool(proof)
    normalised = derivation.prove(lesson.normalised, lambda *inputs: sum(inputs[-1]) == 1)
    slopes = zip(derivation.slopes(), map(text, flat(lesson.normalised(letters, *arguments))), strict=True)
    lines += ["", f"4. With {normalised.assumed}", "", *_aligned(slopes), "", str(normalised)]
    return "\n".join(lines), bool(proof and normalised)


def _aligned(equations: Iterable[tuple[str, str]]) -> list[str]:
    """Align equations at their first equals sign, and wrap what follows it."""
    pairs = list(equations)
    width = max(len(left) for left, _ in pairs)
    wrapper = textwrap.TextWrapper(
        _WIDTH, subsequent_indent=" " * (width + 5), break_long_words=False, break_on_hyphens=False
    )
    return [line for left, right in pairs for line in wrapper.wrap(f"  {left:{width}} = {right}")]


class _Derivation:
    """The graph of a lesson's function on symbols, with a name for every node."""

    def __init__(self, lesson: Lesson, classes: int) -> None:
        self.lesson = lesson
        self.arguments = symbolic_arguments(lesson.function, _named(lesson.arguments, classes))
        self.letters = list(flat(symbolic_arguments(lesson.function, _named(lesson.letters, classes))))
        result, leaves = traced(lesson.function, self.arguments)
        self.outputs: list[Any] = list(flat(result))
        self.inputs = list(flat(leaves[0]))
        self.nodes: dict[Any, Any] = {}
        for output in self.outputs:
            self.nodes |= topological_order(output)
        self.names: dict[Any, str] = {node: node.name for node in flat(leaves)}
        for index, output in enumerate(self.outputs):
            self.names[output] = f"{lesson.result}{index + 1}" if isinstance(result, list) else lesson.result
        unnamed = {node: (node._row.letter or node.op[0]) for node in self.nodes if node not in self.names}
        totals, counts = Counter(unnamed.values()), Counter[str]()
        for node, letter in unnamed.items():
            counts[letter] += 1
            self.names[node] = f"{letter}{counts[letter]}" if totals[letter] > 1 else letter
        self.adjoints: dict[tuple[Any, Any], Any] = {}  # (output, node): what chain_rule found
        self.symbols = {node: named_symbol(name, node.data) for node, name in self.names.items()}

    def prove(self, closed: Callable[..., Any], assume: Any = None) -> Any:
        """Prove a closed form, given as a function of the shorthand and the arguments."""
        lesson = self.lesson
        return prove(
            lesson.function,
            lambda *inputs: closed(lesson.shorthand(inputs[0]), *inputs),
            self.arguments,
            argnums=0,
            assume=assume,
        )

    def remarks(self) -> list[str]:
        """Answer what a beginner may ask about the steps, one sentence each."""
        names = set(self.names.values())
        lines = []
        if "t1" in names or "t" in names:
            lines += ["t is the target: what the probabilities should be."]
        if "z1" in names:
            lines += ["z1 is subtracted so that no exponential overflows (with numbers, the largest z); any z works."]
        if any(node.op == "where" for node in self.nodes):
            lines += ["Each of the two branches keeps its digits on its side; they are the same function."]
        return lines

    # -- the composition -----------------------------------------------------------------------------------------------

    def composition(self) -> Iterator[tuple[str, str]]:
        """Yield (name, its computation from other names), operands first."""
        for node in self.nodes:
            if node.op is not None:
                operands = [self._called(operand) for operand in node.operands]
                yield self.names[node], spelling(node, written_out=True).text(operands, ALGEBRA)

    def _called(self, operand: Any) -> str:
        if isinstance(operand, Condition):
            symbol = {**RELATIONS, "&": "and", "|": "or", "~": "not"}
            names = [self._called(x) for x in operand.operands]
            names = names if len(names) == 2 else ["", *names]
            return f" {symbol.get(operand.op, operand.op)} ".join(names).strip()
        return self.names[operand] if type(operand) is Traced else number(float(operand), 6)

    # -- the chain rule ------------------------------------------------------------------------------------------------

    def chain_rule(self, output: Any) -> Iterator[tuple[str, str]]:
        """Yield (∂output/∂node, the sum of its contributions) for each node, in the order of the sweep."""
        top = self.names[output]
        inputs = {node.data for node in self.inputs}
        contributions: dict[Any, list[str]] = {}

        def partials(node: Any) -> list[Any]:
            slopes = self._slopes(node)
            for operand, slope in zip(node.operands, slopes, strict=True):
                if slope is not ZERO:
                    factor = text(slope)
                    factor = f"({factor})" if factor.startswith("-") or " " in factor or "/" in factor else factor
                    contributions.setdefault(operand, []).append(f"∂{top}/∂{self.names[node]} · {factor}")
            return slopes

        for node, adjoint in sweep(output, sympy.Integer(1), topological_order(output), partials):
            if node is output:
                yield f"∂{top}/∂{top}", "1"
            elif inputs & node.data.free_symbols:
                self.adjoints[output, node] = simplified(adjoint)
                spelled, short = " + ".join(contributions[node]), text(self.adjoints[output, node])
                is_shown = len(short) <= _LONGEST or node.op is None
                yield f"∂{top}/∂{self.names[node]}", f"{spelled} = {short}" if is_shown else spelled

    def _slopes(self, node: Any) -> list[Any]:
        """Spell the rule of the row with the names of the nodes: one slope per operand, `ZERO` for no edge."""
        if node.op is None:
            return []
        operands = [Unrecorded(self.symbols[x]) if type(x) is Traced else x for x in node.operands]
        slopes = local_partials(node._row, self.symbols[node], operands)
        return [ZERO if edge is ZERO else simplified(s) for edge, s in zip(node.partials, slopes, strict=True)]

    # -- the closed form -----------------------------------------------------------------------------------------------

    def meanings(self, expressions: Sequence[Any]) -> list[Any]:
        """Rewrite expressions with the names of the nodes that compute parts of them."""
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
        """Apply the operation of a node to the names of its operands."""
        if not any(type(x) is Traced for x in node.operands):
            return node.data
        operands = [self.symbols[x] if type(x) is Traced else getattr(x, "data", x) for x in node.operands]
        return evaluate(node._row, tuple(operands))

    def bases(self) -> dict[Any, Any]:
        """Where two branches use exp(x) and exp(-x), return the later one in terms of the earlier."""
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

    def _definitions(self) -> dict[Any, Any]:
        """Return the meaning of every name, in exponentials and inputs."""
        found = self.bases()
        for node in self.nodes:
            if node.op in _ARITHMETIC:
                found[self.symbols[node]] = exact(self._in_symbols(node)).xreplace(found)
            if node.op == "expm1":
                power = exact(exp(self.symbols[node.operands[0]]))
                found[power] = exact(self.symbols[node] + 1).xreplace(found)
        return found

    def slopes(self) -> list[str]:
        """Return the names of the entries of the gradient."""
        return [f"∂{self.names[output]}/∂{self.names[node]}" for output in self.outputs for node in self.inputs]

    def collapse(self, meanings: list[Any], closed: Any) -> Iterator[tuple[str, str]]:
        """Yield each entry of the gradient as it falls out, in few names, and in the letters where that differs."""
        definitions = self._definitions() if len(self.inputs) == 1 else {}
        solution = solved(self.letters, [simplified(meaning.xreplace(definitions)) for meaning in meanings])
        letters = {str(letter): letter for letter in self.letters}
        same = {self.symbols[n]: letters[self.names[n]] for n in self.nodes if self.names[n] in letters}
        adjoints = [self.adjoints[output, node] for output in self.outputs for node in self.inputs]
        for name, adjoint, expected in zip(self.slopes(), adjoints, flat(closed), strict=True):
            plain = simplified(adjoint.xreplace(definitions))
            short = [simplified(plain.xreplace(same).xreplace(solution))] if solution else []
            first, *others = dict.fromkeys(map(text, [adjoint, plain, *short, expected]))
            yield from [(name, first), *[("", other) for other in others]]


def named_symbol(name: str, like: Any) -> Any:
    """Return a symbol that stands for an expression, positive if the expression is known to be."""
    return sympy.Symbol(name, real=True, positive=like.is_positive or None)


def _named(names: str, classes: int) -> list[Any]:
    """Return the symbols named in a text; a name with a star becomes a numbered list."""
    numbers = range(1, classes + 1)
    return [[f"{name[:-1]}{i}" for i in numbers] if name.endswith("*") else name for name in names.split()]


def solved(letters: list[Any], meanings: list[Any]) -> dict[Any, Any]:
    """Solve for the symbols in some meanings, in terms of the letters; {} where that is not possible."""
    unknown = sorted({s for meaning in meanings for s in meaning.free_symbols}.difference(letters), key=str)
    equations = [letter - meaning for letter, meaning in zip(letters, meanings, strict=True)]
    if len(unknown) != len(equations) or any(e.has(sympy.Piecewise) or not e.is_rational_function() for e in equations):
        return {}
    loose = {s: sympy.Dummy(s.name) for s in [*unknown, *letters]}  # SymPy would check their signs
    back = {dummy: s for s, dummy in loose.items()}
    found = sympy.solve([e.xreplace(loose) for e in equations], [loose[s] for s in unknown], dict=True)
    return {back[s]: e.xreplace(back) for s, e in found[0].items()} if found else {}
