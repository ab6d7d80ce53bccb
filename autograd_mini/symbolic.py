"""The table over SymPy, formulas of what falls out, and proofs that they equal a closed form for all inputs.

`am.exp(x)` of a SymPy expression is a SymPy expression, and so is every rule and composition. `formula` runs the
recorded graph and its sweep on symbols; `prove` compares the outcome with a claim. SymPy is never asked for a
derivative: the rules of the table are what is proved. Imported when the first SymPy operand arrives.
Not here: floats and `Value`s. Read next: `proofs`, which prints such proofs step by step.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from autograd_mini.errors import ArgumentError, AutogradError, MissingError, OperandError, shown
from autograd_mini.methods import Methods
from autograd_mini.primitives import ZERO, Primitive, as_number, interpreters
from autograd_mini.sweep import sweep, topological_order
from autograd_mini.tracing import Traced, Unrecorded, local_partials, relations

try:
    import mpmath
    import sympy
    from sympy.printing.str import StrPrinter
except ImportError:
    raise MissingError('Formulas and proofs need SymPy: pip install "autograd-mini[symbolic]"') from None


def _where(condition: Any, a: Any, b: Any) -> Any:
    if condition.is_number and not condition.is_Boolean:
        return a if condition != 0 else b
    return sympy.Piecewise((a, condition), (b, True))


def _cbrt(x: Any) -> Any:
    return sympy.sign(x) * sympy.Abs(x) ** sympy.Rational(1, 3)


def _dot(*operands: Any) -> Any:
    half = len(operands) // 2
    return sympy.Add(*[a * b for a, b in zip(operands[:half], operands[half:], strict=True)])


def _clip(x: Any, low: Any, high: Any) -> Any:
    return sympy.Min(sympy.Max(x, low), high)


# A row that is missing here is spelled in SymPy as in the table.
_SPELLING: dict[str, Callable[..., Any]] = {
    "add": sympy.Add,
    "sub": lambda a, b: a - b,
    "mul": sympy.Mul,
    "div": lambda a, b: a / b,
    "neg": lambda x: -x,
    "pos": lambda x: x,
    "one_minus_square": lambda x: 1 - x**2,
    "stop_gradient": lambda x: x,
    "pow": sympy.Pow,
    "floor_divide": lambda a, b: sympy.floor(a / b),
    "remainder": sympy.Mod,
    "fmod": lambda a, b: a - b * sympy.sign(a / b) * sympy.floor(sympy.Abs(a / b)),
    "exp2": lambda x: 2**x,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "log1p": lambda x: sympy.log(1 + x),
    "cbrt": _cbrt,
    "hypot": lambda *xs: sympy.sqrt(sympy.Add(*[x**2 for x in xs])),
    "ndtr": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "abs": sympy.Abs,
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "clip": _clip,
    "where": _where,
    "xlogy": lambda x, y: x * sympy.log(y),
    "sum": sympy.Add,
    "dot": _dot,
}

# Floats in rules and compositions that stand for these numbers.
_CONSTANTS = {
    math.log(2.0): sympy.log(2),
    math.log2(math.e): 1 / sympy.log(2),
    math.log10(math.e): 1 / sympy.log(10),
    math.sqrt(2.0): sympy.sqrt(2),
    2.0 / math.sqrt(math.pi): 2 / sympy.sqrt(sympy.pi),
    1.0 / math.sqrt(2.0 * math.pi): 1 / sympy.sqrt(2 * sympy.pi),
}


def exact(expression: Any) -> Any:
    """The expression with every float replaced by the number it stands for: 0.5 by 1/2, 0.693147... by log(2)."""
    if expression is ZERO:
        return sympy.Integer(0)
    expression = sympy.sympify(expression)
    return expression.xreplace({number: _exact_number(float(number)) for number in expression.atoms(sympy.Float)})


def _exact_number(number: float) -> Any:
    constant = _CONSTANTS.get(abs(number))
    if constant is not None:
        return constant if number > 0.0 else -constant
    if not math.isfinite(number):
        return sympy.sympify(number)
    binary = Fraction(number)
    if binary.denominator <= 2**40:
        return sympy.Rational(binary)
    near = binary.limit_denominator(1_000_000)  # SymPy turns x / 3.0 into 0.333333333333333 * x
    return sympy.Rational(near if abs(float(near) - number) <= 4.0 * math.ulp(number) else repr(number))


def _interpret(row: Primitive, operands: tuple[Any, ...]) -> Any:
    for operand in operands:
        if isinstance(operand, Methods):  # a number that records: its interpreter says that formulas do not mix with it
            return interpreters[type(operand)](row, operands)
    expressions = [exact(operand) for operand in operands]
    if row.rule.__module__ != Primitive.__module__:  # the user's own, whatever SymPy may have of the same name
        return _user_formula(row, expressions)
    return (_SPELLING.get(row.name) or getattr(sympy, row.name))(*expressions)


def _user_formula(row: Primitive, expressions: list[Any]) -> Any:
    """What the function of a row makes of formulas; if it can only take floats, a SymPy function of its name."""
    try:
        result = row.function(*map(Unrecorded, expressions))
        return exact(result.data if isinstance(result, Unrecorded) else result)
    except Exception:  # it is the user's code, made for floats: whatever it raises, it is no formula
        return _opaque(row)(*expressions)


@functools.cache
def _opaque(row: Primitive) -> Any:
    """A SymPy function that knows the value of a row at numbers, and its rule; nothing else."""

    def fdiff(self: Any, argindex: int = 1) -> Any:
        return exact(local_partials(row, self, map(Unrecorded, self.args))[argindex - 1])

    def evalf(self: Any, precision: int) -> Any:
        if all(argument.is_number for argument in self.args):
            return sympy.Float(row.function(*map(float, self.args)), precision=precision)
        return None

    def is_real(self: Any) -> bool | None:
        return True if all(argument.is_real for argument in self.args) else None

    return type(row.name, (sympy.Function,), {
        "row": row, "fdiff": fdiff, "_eval_evalf": evalf, "_eval_is_real": is_real, "__module__": __name__,
    })  # fmt: skip


_JOIN = {"&": sympy.And, "|": sympy.Or, "~": sympy.Not}


def _relate(symbol: str, *operands: Any) -> Any:
    try:
        relation = _JOIN[symbol](*operands) if symbol in _JOIN else sympy.Rel(*map(exact, operands), symbol)
    except TypeError:  # one of them is not real: nan among floats
        return symbol == "!="
    return bool(relation) if relation in (sympy.S.true, sympy.S.false) else relation


interpreters[sympy.Basic] = _interpret
relations[sympy.Basic] = _relate

# -- formulas ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Formula:
    """What falls out of a function, as SymPy expressions.

    Attributes:
        value: the result; a list of results for a function that returns a list.
        gradient: the derivative by each argument, in the structure of the arguments; for a function that returns a
            list the Jacobian, one such row a result.
        symbols: what it is differentiated by, in the order of the arguments.
    """

    value: Any
    gradient: Any
    symbols: tuple[Any, ...]

    def simplified(self) -> Formula:
        """The same formula, shorter: forms of a branch that are equal become one, and what is undefined is left out.

        >>> import autograd_mini as am
        >>> print(formula(am.sigmoid, "x").simplified())
        f     = 1/(1 + exp(-x))
        ∂f/∂x = exp(x)/(exp(x) + 1)**2
        """
        return Formula(_mapped(simplified, self.value), _mapped(simplified, self.gradient), self.symbols)

    def latex(self) -> str:
        r"""The equations in LaTeX, aligned at their signs of equality.

        >>> print(formula(lambda x: x * x, "x").latex())
        \begin{aligned}
        f &= x^{2} \\
        \frac{\partial f}{\partial x} &= 2 x
        \end{aligned}
        """
        rows = [
            rf"{name.replace('[', '_{').replace(']', '}')} &= {sympy.latex(expression)}"
            if symbol is None
            else rf"\frac{{\partial {name.replace('[', '_{').replace(']', '}')}}}{{\partial {sympy.latex(symbol)}}}"
            rf" &= {sympy.latex(expression)}"
            for name, symbol, expression in self._equations()
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _equations(self) -> Iterator[tuple[str, Any, Any]]:
        """(name of the result, None or the symbol to differentiate by, expression), values first."""
        several = isinstance(self.value, list)
        names = [f"f[{i}]" for i in range(len(self.value))] if several else ["f"]
        yield from ((name, None, value) for name, value in zip(names, _flat(self.value), strict=True))
        slopes = iter(_flat(self.gradient))
        for name in names:
            yield from ((name, symbol, next(slopes)) for symbol in self.symbols)

    def __str__(self) -> str:
        lines = [(f"∂{name}/∂{by}" if by is not None else name, e) for name, by, e in self._equations()]
        width = max(len(left) for left, _ in lines)
        return "\n".join(f"{left:{width}} = {expression}" for left, expression in lines)

    __repr__ = __str__


def formula(f: Callable[..., Any], names: Any = None, argnums: int | Sequence[int] | None = None) -> Formula:
    """The value of a function and the gradient that falls out of its graph, as formulas.

    Args:
        f: a function written with this package's functions, which returns a number or a list of numbers.
        names: one entry an argument of f, as a list or as a text such as "x y": a name, which stands for any real
            number; a list of them for a list argument; a SymPy symbol, with its own assumptions, or an expression
            such as 1 - t; a number, for a constant. By default the names of the parameters of f.
        argnums: the position of the argument to differentiate by, or several; by default all that consist of symbols.

    Returns:
        a `Formula`; what falls out as it is, see its method `simplified`.

    Raises:
        ArgumentError: the names are missing, repeated, or no names.
        OperandError: f branches on a symbol with Python's `if`, or returns something else than numbers.

    >>> import autograd_mini as am
    >>> print(formula(lambda x, y: x * am.sin(y)))
    f     = x*sin(y)
    ∂f/∂x = sin(y)
    ∂f/∂y = x*cos(y)
    >>> formula(am.softmax, [["x", "y"]]).value
    [1/(exp(-x + y) + 1), exp(-x + y)/(exp(-x + y) + 1)]
    """
    arguments = symbolic_arguments(f, names)
    positions = _positions(arguments, argnums)
    result, leaves = trace(f, arguments)
    by = leaves[positions] if isinstance(positions, int) else tuple([leaves[position] for position in positions])
    rows = [_mapped(functools.partial(_slope, adjoints_of(output)), by) for output in _flat(result)]
    value = _mapped(lambda node: exact(node.data if isinstance(node, Traced) else node), result)
    return Formula(value, rows if isinstance(result, list) else rows[0], tuple([leaf.data for leaf in _flat(by)]))


def trace(f: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The graph of a function.

    Args:
        f: a function written with this package's functions.
        arguments: SymPy expressions, numbers, and lists of them.

    Returns:
        its result, a traced node (or a list of them), and the arguments as leaves of the graph.

    >>> trace(lambda x: 2.0 * x, [sympy.Symbol("x")])
    (Traced(2*x), [Traced(x)])
    """
    leaves = [_mapped(lambda x: Traced(x, str(x)) if isinstance(x, sympy.Basic) else x, entry) for entry in arguments]
    result = f(*leaves)
    return list(result) if isinstance(result, tuple) else result, leaves


def adjoints_of(output: Any) -> dict[Traced, Any]:
    """The derivative of a traced output by every node behind it: the package's sweep, on exact expressions.

    Args:
        output: a traced node, or a number, behind which there is none.

    Returns:
        a dict from nodes to expressions, in topological order.

    Raises:
        OperandError: it is neither.

    >>> x = Traced(sympy.Symbol("x"))
    >>> adjoints_of(x * x * x)[x]
    3*x**2
    """
    if as_number(output) is not None:
        return {}
    if type(output) is not Traced:
        raise OperandError(
            f"A formula needs a function that returns one number or a list of them; this one returned {shown(output)}.",
            "Compute with the arguments alone, and return numbers.",
        )
    adjoints = topological_order(output)
    for _ in sweep(
        output, sympy.Integer(1), adjoints, lambda node: (_exact_edge(node._dleft), _exact_edge(node._dright))
    ):
        pass
    return adjoints


def _exact_edge(partial: Any) -> Any:
    if type(partial) is tuple:
        return tuple(map(_exact_edge, partial))
    return partial if partial is ZERO else exact(partial)


def _slope(adjoints: dict[Traced, Any], leaf: Traced) -> Any:
    return exact(adjoints.get(leaf, ZERO))


def _mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """A function of every entry of nested lists and tuples."""
    if isinstance(structure, (list, tuple)):
        return type(structure)([_mapped(function, element) for element in structure])
    return function(structure)


def _flat(structure: Any) -> Iterator[Any]:
    if isinstance(structure, (list, tuple)):
        for element in structure:
            yield from _flat(element)
    else:
        yield structure


def symbolic_arguments(f: Callable[..., Any], names: Any) -> list[Any]:
    """The arguments of f as SymPy symbols, for `names` as `formula` takes them.

    >>> symbolic_arguments(len, [["x", "y"], 2.0])
    [[x, y], 2.0]
    """
    if names is None:
        try:
            parameters = list(inspect.signature(f).parameters.values())
        except (TypeError, ValueError):  # some builtin functions have none
            parameters = []
        names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        if not names:
            raise ArgumentError(
                f"The parameters of {shown(f)} have no names to use.", 'Pass one name an argument: names="x y".'
            )
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if not isinstance(names, (list, tuple)) or not names:
        raise ArgumentError(f"{shown(names)} are no names of arguments.", 'Pass a list, or a text such as "x y".')
    arguments = _mapped(_argument, list(names))
    symbols = [entry.name for entry in _flat(arguments) if isinstance(entry, sympy.Symbol)]
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            raise ArgumentError(f"The name {symbol!r} is used twice.", "Give every number a name of its own.")
    return arguments  # type: ignore[no-any-return]


def _argument(entry: Any) -> Any:
    if isinstance(entry, str) and entry.strip():
        return sympy.Symbol(entry.strip(), real=True)
    if isinstance(entry, sympy.Expr) and not entry.is_number:
        return entry
    number = as_number(entry)
    if number is None:
        raise ArgumentError(f"{shown(entry)} is no name of a number.", "Pass a text, a SymPy symbol or a number.")
    return entry


def _positions(arguments: list[Any], argnums: int | Sequence[int] | None) -> int | list[int]:
    """The positions to differentiate by: one number for the bare gradient, a list for a tuple of them."""
    can = [all(isinstance(entry, sympy.Symbol) for entry in _flat(argument)) for argument in arguments]
    if argnums is None:
        chosen = [position for position, possible in enumerate(can) if possible]
        return chosen[0] if len(chosen) == 1 else chosen
    for position in [argnums] if isinstance(argnums, int) else argnums:
        if not -len(can) <= position < len(can) or not can[position]:
            raise ArgumentError(
                f"There is no argument {position} to differentiate by: they are {arguments}.",
                "Choose argnums among the arguments that consist of symbols, counted from 0.",
            )
    return argnums if isinstance(argnums, int) else list(argnums)


def simplified(expression: Any) -> Any:
    """A shorter form that is equal wherever the expression is defined; forms of a branch that are equal become one.

    Args:
        expression: a SymPy expression or a number.

    Returns:
        a SymPy expression.

    >>> x = sympy.Symbol("x", real=True)
    >>> simplified(sympy.Piecewise((1 / (1 + sympy.exp(-x)), x > 0), (sympy.exp(x) / (1 + sympy.exp(x)), True)))
    1/(1 + exp(-x))
    """
    expression = exact(expression)
    steps = {step: sympy.Dummy("step", real=True) for step in _outermost(expression, sympy.floor)}
    back = {step: floor for floor, step in steps.items()}
    arms = _arms(expression.xreplace(steps), sympy.Integer(0), (sympy.Piecewise,), False)
    if arms is None:
        return expression
    forms: list[tuple[Any, Any]] = []
    for arm, _, conditions in arms:
        where = sympy.And(*conditions)
        for index, (form, others) in enumerate(forms):
            if _vanishes(arm - form):
                forms[index] = min(form, arm, key=_length), sympy.Or(others, where)
                break
        else:
            forms.append((arm, where))
    if len(forms) < 2:
        return _shorter(forms[0][0]).xreplace(back) if forms else sympy.nan
    pieces = [(_shorter(form).xreplace(back), _shorter_condition(where).xreplace(back)) for form, where in forms]
    return sympy.Piecewise(*pieces[:-1], (pieces[-1][0], True))


def _shorter_condition(condition: Any) -> Any:
    """The condition, simplified where it consists of inequalities between polynomials: SymPy would solve equations."""
    relations = condition.atoms(sympy.core.relational.Relational)
    plain = all((r.lhs - r.rhs).is_polynomial() and r.rel_op not in ("==", "!=") for r in relations)
    return sympy.simplify(condition) if plain else condition


def _length(expression: Any) -> tuple[int, str]:
    return int(sympy.count_ops(expression)), str(expression)


def _shorter(expression: Any) -> Any:
    """The shortest of some equal forms of an expression without branches, in the functions it is written with."""
    expression = expression.replace(sympy.exp, lambda exponent: sympy.exp(sympy.expand(exponent)))
    forms = [expression, sympy.factor(sympy.together(expression)), sympy.simplify(expression)]
    forms.append(sympy.powsimp(forms[1], deep=True))
    return min((form for form in forms if form.has(*_HYPERBOLIC) <= expression.has(*_HYPERBOLIC)), key=_length)


def _outermost(expression: Any, *kinds: type) -> list[Any]:
    """The subexpressions of some kinds that are not inside of another one, in a steady order."""
    found = []
    walk = sympy.preorder_traversal(expression)
    for node in walk:
        if isinstance(node, kinds):
            found.append(node)
            walk.skip()
    return list(dict.fromkeys(found))


def named_symbol(name: str, like: Any) -> Any:
    """A symbol that stands for an expression: as positive, or as real, as that is known to be.

    >>> named_symbol("e", sympy.exp(sympy.Symbol("x", real=True))).is_positive
    True
    """
    return sympy.Symbol(name, real=True, positive=like.is_positive or None)


class _Text(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Formulas for people: 2·x², branches in words."""

    def _print_Piecewise(self, expression: Any) -> str:
        *arms, (last, _) = expression.args
        return ", ".join([f"{self._print(a)} if {self._print(c)}" for a, c in arms] + [f"else {self._print(last)}"])

    def _print_Relational(self, relation: Any) -> str:
        symbol = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}.get(relation.rel_op, relation.rel_op)
        return f"{self._print(relation.lhs)} {symbol} {self._print(relation.rhs)}"


def text(expression: Any) -> str:
    """An expression as people write it.

    >>> print(text(2 * sympy.Symbol("x") ** 2 / sympy.sqrt(sympy.pi)))
    2·x²/√π
    """
    written = _Text().doprint(expression)
    written = re.sub(r"\*\*(\d)(?!\d)", lambda power: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(power[1])], written)
    return re.sub(r"sqrt\((\w+)\)", r"√\1", written.replace("**", "^").replace("*", "·").replace("pi", "π"))


# -- proofs ------------------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What `prove` found out."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, eq=False)
class Proof:
    """Whether what falls out equals a claim; true where that is proved.

    Attributes:
        verdict: PROVED for all inputs; REFUTED by a counterexample; UNDECIDED: neither was found.
        points: at how many points the numeric search compared the two.
        counterexample: the inputs where they differ, by name; None unless refuted.
        entry: which entry of the gradient differs there, as its indices; () for a single number.
        derived: what falls out there.
        claimed: what was claimed; nan where the claim is not defined.
        difference: by how much the two differ, also where that is less than floats can show.
    """

    verdict: Verdict
    points: int
    counterexample: dict[str, float] | None = None
    entry: tuple[int, ...] = ()
    derived: float = math.nan
    claimed: float = math.nan
    difference: float = math.nan

    def __bool__(self) -> bool:
        return self.verdict is Verdict.PROVED

    def __str__(self) -> str:
        if self.verdict is Verdict.PROVED:
            return f"PROVED: equal for all inputs; {self.points} points compared, none differs"
        if self.counterexample is None:
            return f"UNDECIDED: no proof found; {self.points} points compared, none differs"
        where = ", ".join(f"{name} = {number:g}" for name, number in self.counterexample.items())
        entry = "".join(f"[{index}]" for index in self.entry)
        return (
            f"REFUTED: at {where} {'entry ' + entry if entry else 'the derivative'} is {self.derived!r}, "
            f"and {self.claimed!r} was claimed"
            + (f"; they differ by {self.difference:.2g}" if self.derived == self.claimed else "")
        )

    __repr__ = __str__


def prove(f: Callable[..., Any], claim: Any, names: Any = None, argnums: int | Sequence[int] | None = None) -> Proof:
    """Whether the gradient that falls out of a function equals a claimed closed form, for all inputs.

    Points are compared first, many digits each: random ones, 0, ±1, ties, tails; one that differs refutes the claim.
    Then both sides are brought to a normal form, branch by branch, where equal functions look equal. Inputs for
    which f or its gradient is not defined do not count.

    Args:
        f: as for `formula`: a number or a list of numbers, whose Jacobian is meant then.
        claim: a function of the same arguments, or the closed form itself: SymPy expressions and numbers, in the
            structure of the gradient (a list for a list argument, a tuple for several arguments, a list of rows for
            an f that returns a list).
        names: as for `formula`.
        argnums: as for `formula`.

    Returns:
        a `Proof`, which is true if the claim is proved.

    Raises:
        ArgumentError: the claim has another structure than the gradient; or as for `formula`.
        OperandError: an entry of the claim is no formula; or as for `formula`.

    >>> import autograd_mini as am
    >>> prove(am.sigmoid, lambda x: am.sigmoid(x) * (1 - am.sigmoid(x))).verdict
    <Verdict.PROVED: 'PROVED'>
    >>> prove(am.tanh, lambda x: 1 - am.tanh(x))
    REFUTED: at x = 1 the derivative is 0.4199743416140261, and 0.23840584404423512 was claimed
    """
    found = formula(f, names, argnums)
    arguments = symbolic_arguments(f, names)
    claimed = _plain(claim(*arguments) if callable(claim) and not isinstance(claim, sympy.Basic) else claim)
    if _outline(claimed) != _outline(_plain(found.gradient)):
        raise ArgumentError(
            f"The claim has the structure {_outline(claimed)}, the gradient {_outline(_plain(found.gradient))}.",
            "Claim a list for a list argument, a tuple for several arguments, a list of rows for several results.",
        )
    pairs = list(zip(_flat(found.gradient), map(_expression, _flat(claimed)), strict=True))
    symbols = list(dict.fromkeys(entry for entry in _flat(arguments) if isinstance(entry, sympy.Symbol)))
    extra = {s for pair in pairs for e in pair for s in e.free_symbols}.difference(symbols)
    symbols += sorted(extra, key=str)
    indices = list(_indices(found.gradient))
    points, hardly = 0, None
    search = _Evaluation([e for pair in pairs for e in pair] + [*_flat(found.value)])
    for point in _points(symbols):
        compared = False
        numbers = search.at(point, _DIGITS)
        if not all(map(mpmath.isfinite, numbers[2 * len(pairs) :])):
            continue  # outside the domain of f
        for index, (derived, expected) in enumerate(zip(numbers[: 2 * len(pairs) : 2], numbers[1::2], strict=False)):
            if not mpmath.isfinite(derived):
                continue
            compared = True
            if search.agree(derived, expected) or (numbers_apart := search.apart(point, index)) is None:
                continue
            if not _takes(f, arguments, point):
                break
            inputs = {str(symbol): float(number) for symbol, number in point.items()}
            refuted = Proof(Verdict.REFUTED, points + 1, inputs, indices[index], *numbers_apart)
            if refuted.derived != refuted.claimed:
                return refuted
            hardly = hardly or refuted  # only beyond the digits of floats; another point may show it better
        points += compared
    if hardly is not None:
        return hardly
    if points and all(_equal(derived, expected) for derived, expected in pairs):
        return Proof(Verdict.PROVED, points)
    return Proof(Verdict.UNDECIDED, points)


def _takes(f: Callable[..., Any], arguments: list[Any], point: dict[Any, Fraction]) -> bool:
    """Whether f takes these numbers: negative probabilities, for example, are outside of the domain of a loss."""
    numbers = {symbol: sympy.Rational(number) for symbol, number in point.items()}
    try:
        f(*_mapped(lambda x: float(x.xreplace(numbers)) if isinstance(x, sympy.Basic) else x, arguments))
    except (AutogradError, ArithmeticError, ValueError):
        return False
    return True


def _plain(structure: Any) -> Any:
    """Nested lists, of tuples, matrices and arrays too."""
    if hasattr(structure, "tolist"):
        structure = structure.tolist()
    if isinstance(structure, (list, tuple)):
        return [_plain(element) for element in structure]
    return structure


def _outline(structure: Any) -> str:
    return f"[{', '.join(map(_outline, structure))}]" if isinstance(structure, list) else "·"


def _expression(entry: Any) -> Any:
    if not isinstance(entry, sympy.Expr) and as_number(entry) is None:
        raise OperandError(f"The claim {shown(entry)} is no formula.", "Return SymPy expressions and numbers.")
    return exact(entry)


def _indices(structure: Any, before: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if isinstance(structure, (list, tuple)):
        for index, element in enumerate(structure):
            yield from _indices(element, (*before, index))
    else:
        yield before


# -- the numeric search: expressions at points, with many digits, real numbers only ------------------------------------

_DIGITS = 60
_SPECIAL = [Fraction(number) for number in (0, 1, -1, 20, -20, 40, -40, 0.5, 2)]


def _points(symbols: list[Any], count: int = 64) -> Iterator[dict[Any, Fraction]]:
    """Ties at special numbers, mixtures of those, and random points; the same in every run, and short to print."""
    chance = random.Random(0)
    special = {symbol: [n for n in _SPECIAL if _admits(symbol, n)] or [Fraction(1)] for symbol in symbols}
    points = [{s: n if n in special[s] else special[s][0] for s in symbols} for n in _SPECIAL]
    for index in range(count if symbols else 0):
        point = {}
        for symbol in symbols:
            drawn = Fraction(chance.randint(-64, 64), (4, 16, 64)[index % 3])
            drawn = drawn if _admits(symbol, drawn) else abs(drawn)
            usual = _admits(symbol, drawn) and index % 4 != 0
            point[symbol] = drawn if usual else chance.choice(special[symbol])
        points.append(point)
    seen = set()
    for point in points:
        key = tuple(point.values())
        if key not in seen:
            seen.add(key)
            yield point


def _admits(symbol: Any, number: Any) -> bool:
    """Whether the assumptions of a symbol hold for a number."""
    candidate = sympy.Rational(number)
    return all(getattr(candidate, f"is_{fact}", truth) in (truth, None) for fact, truth in symbol.assumptions0.items())


def _mod(a: Any, b: Any) -> Any:
    return a - b * mpmath.floor(a / b)


def _power(base: Any, exponent: Any) -> Any:
    if base == 0:
        return mpmath.nan if exponent < 0 else mpmath.mpf(exponent == 0)
    return mpmath.power(base, exponent)


def _product(*factors: Any) -> Any:
    """The product; a factor that is 0 by structure, the int 0, makes it that, for the others have no edge then."""
    if any(type(factor) is int for factor in factors):
        return 0
    return functools.reduce(operator.mul, factors)


def _extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *numbers: choose(numbers) if not any(map(mpmath.isnan, numbers)) else mpmath.nan


_NUMERIC: dict[str, Callable[..., Any]] = {
    "Add": lambda *terms: sum(terms),
    "Mul": _product,
    "Pow": _power,
    "Abs": abs,
    "Max": _extreme(max),
    "Min": _extreme(min),
    "Mod": _mod,
    "And": lambda *conditions: all(conditions),
    "Or": lambda *conditions: any(conditions),
    "Not": operator.not_,
}
_COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne
}  # fmt: skip


class _Evaluation:
    """Some expressions, to be evaluated together, node by node."""

    def __init__(self, expressions: list[Any]) -> None:
        self.expressions = expressions
        self.nodes: dict[Any, None] = {}  # operands first
        stack = [(expression, False) for expression in reversed(expressions)]
        while stack:
            node, ready = stack.pop()
            if ready:
                self.nodes[node] = None
            elif node not in self.nodes:
                stack.append((node, True))
                stack += [(operand, False) for operand in node.args]
        # What floats stand for is known to 16 digits only, unless it is a short number.
        self.rounded = any(hasattr(node, "row") or (node.is_Rational and node.q > 10**12) for node in self.nodes)

    def at(self, point: dict[Any, Fraction], digits: int) -> list[Any]:
        """The value of each expression; nan where it is not a real number."""
        values: dict[Any, Any] = {}
        with mpmath.workdps(digits):
            for node in self.nodes:
                try:
                    values[node] = _real_part(self._value(node, [values[operand] for operand in node.args], point))
                except (ArithmeticError, ValueError, TypeError):
                    values[node] = mpmath.nan
            return [mpmath.mpf(values[expression]) for expression in self.expressions]

    def _value(self, node: Any, operands: list[Any], point: dict[Any, Fraction]) -> Any:
        if node in point:
            return mpmath.mpf(point[node].numerator) / point[node].denominator
        if node.is_Rational:
            return mpmath.mpf(node.p) / node.q if node.p else 0
        if isinstance(node, sympy.Piecewise):
            return next((arm for arm, holds in operands if holds), mpmath.nan)
        if type(node).__name__ == "ExprCondPair":
            return tuple(operands)
        if node.is_Relational:
            a, b = operands
            tie = abs(a - b) <= mpmath.mpf(10) ** (-2 * mpmath.mp.dps // 3) * max(1, abs(a), abs(b))
            return _COMPARISONS[node.rel_op](a, a if tie else b)  # rounding must not decide between < and ==
        if node.is_Boolean and not node.args:
            return bool(node)
        if hasattr(node, "row"):
            return mpmath.mpf(node.row.function(*map(float, operands)))
        name = node.func.__name__
        if name in _NUMERIC:
            return _NUMERIC[name](*operands)
        if node.args and hasattr(mpmath, name):
            return getattr(mpmath, name)(*operands)
        digits = mpmath.mp.dps
        return mpmath.mpmathify(node.func(*[sympy.Float(x, digits) for x in operands]).evalf(digits))

    def agree(self, derived: Any, claimed: Any, digits: int = _DIGITS) -> bool:
        """Whether two numbers are equal, up to what was lost of the digits that were computed."""
        if not mpmath.isfinite(claimed):
            return False
        with mpmath.workdps(digits):
            relative = mpmath.mpf("1e-7") if self.rounded else mpmath.mpf(10) ** (-digits // 3)
            least = mpmath.mpf(10) ** (-digits // 2)  # a difference of large numbers that cancel is not quite 0
            return bool(abs(derived - claimed) <= max(relative * max(abs(derived), abs(claimed)), least))

    def apart(self, point: dict[Any, Fraction], index: int) -> tuple[float, float, float] | None:
        """(derived, claimed, difference) at a point as floats, if with far more digits too the two differ."""
        for digits in (4 * _DIGITS, 16 * _DIGITS):
            derived, claimed = self.at(point, digits)[2 * index : 2 * index + 2]
            if self.agree(derived, claimed, digits):
                return None
        with mpmath.workdps(digits):
            return float(derived), float(claimed), float(derived - claimed)


def _real_part(value: Any) -> Any:
    """Numbers and truths as they are, complex numbers as nan."""
    if isinstance(value, mpmath.mpc):
        return value.real if value.imag == 0 else mpmath.nan
    return value


# -- the normal form: equal functions look equal ---------------------------------------------------------------------

_MOST_ARMS = 2000  # of branches, before a proof is given up
_MOST_OPERATIONS = 60  # of an expression that SymPy may simplify at length

_HYPERBOLIC = (sympy.sinh, sympy.cosh, sympy.tanh, sympy.coth, sympy.sech, sympy.csch)

Arm = tuple[Any, Any, tuple[Any, ...]]  # derived, claimed, and the conditions under which


def _equal(derived: Any, claimed: Any) -> bool:
    """Whether two expressions of real symbols are proved equal wherever the first is defined."""
    if derived == claimed:
        return True
    try:
        arms = _arms(derived, claimed, (sympy.Piecewise, sympy.Abs, sympy.Max, sympy.Min, sympy.sign))
    except TypeError:  # SymPy met a comparison of numbers that are not real
        return False
    if arms is None:
        return False
    return all(map(_vanishes, dict.fromkeys(derived - claimed for derived, claimed, _ in arms)))  # many are alike


def _arms(derived: Any, claimed: Any, kinds: tuple[Any, ...], put_in: bool = True) -> list[Arm] | None:
    """A pair of expressions as pairs without branches of some kinds; None if there are too many.

    Arms that no input reaches, and those where the first is not defined, are left out. Where the conditions of an arm
    leave a single value for a symbol, it is put in, and there is no condition left that says so.
    """
    waiting: list[Arm] = [(derived, claimed, ())]
    done: list[Arm] = []
    for _ in range(_MOST_ARMS):
        if not waiting:
            return done
        derived, claimed, conditions = waiting.pop()
        conditions = tuple(dict.fromkeys(c for c in conditions if c is not sympy.S.true))
        value = _single_value(conditions)
        if value is None or derived is sympy.nan:
            continue
        branches = _split((derived, claimed, conditions), kinds)
        if branches is not None:
            waiting += reversed(branches)
        elif value and put_in:
            waiting.append((derived.subs(value), claimed.subs(value), tuple([c.subs(value) for c in conditions])))
        else:
            done.append((derived, claimed, conditions))
    return None


def _split(arm: Arm, kinds: tuple[Any, ...]) -> list[Arm] | None:
    """An arm as several, one a branch of its innermost piecewise function; None if it has none."""
    derived, claimed, conditions = arm
    nodes = _Evaluation(list(arm[:2] + conditions)).nodes
    steps = {node: sympy.Dummy("step", real=True) for node in nodes if isinstance(node, sympy.floor)}
    if steps:  # proved for all numbers, it holds for whole ones
        return [(derived.xreplace(steps), claimed.xreplace(steps), tuple([c.xreplace(steps) for c in conditions]))]
    for node in nodes:  # operands come first
        split_here = isinstance(node, kinds) and not isinstance(node, sympy.Piecewise)
        pieces = node.rewrite(sympy.Piecewise) if split_here else node
        if not isinstance(pieces, sympy.Piecewise):
            continue
        branches = []
        before: Any = sympy.S.true
        for value, condition in pieces.args:
            here = sympy.to_dnf(sympy.And(before, condition))
            before = sympy.And(before, sympy.Not(condition))
            for case in here.args if isinstance(here, sympy.Or) else [here]:
                facts = case.args if isinstance(case, sympy.And) else (case,)
                chosen = [part.xreplace({node: value}) for part in (derived, claimed, *conditions)]
                branches.append((chosen[0], chosen[1], (*chosen[2:], *facts)))
        return branches
    return None


def _single_value(conditions: Iterable[Any]) -> dict[Any, Any] | None:
    """{symbol: its only value} if the conditions leave one, {} if not, None if they contradict each other.

    Every comparison is brought to the form `expression REL number`, and the numbers bound an interval an expression.
    """
    bounds: dict[Any, list[Any]] = {}  # expression: [lowest, may it be that, highest, may it be that, not these]
    for condition in conditions:
        if condition is sympy.S.false:
            return None
        if not condition.is_Relational:
            continue
        constant, form = sympy.expand(condition.lhs - condition.rhs).as_coeff_Add()
        lead = form.as_ordered_terms()[0].as_coeff_Mul()[0]
        if not lead.is_Rational or form.is_number:
            continue
        number, symbol = -constant / lead, condition.rel_op
        bound = bounds.setdefault(sympy.expand(form / lead), [-sympy.oo, False, sympy.oo, False, set()])
        if symbol == "!=":
            bound[4].add(number)
            continue
        upwards = (symbol in (">", ">=")) == (lead > 0)
        closed = symbol in ("<=", ">=", "==")
        if (symbol == "==" or upwards) and (number > bound[0] or (number == bound[0] and not closed)):
            bound[0], bound[1] = number, closed
        if (symbol == "==" or not upwards) and (number < bound[2] or (number == bound[2] and not closed)):
            bound[2], bound[3] = number, closed
    for form, (lowest, has_lowest, highest, has_highest, excluded) in bounds.items():
        if lowest > highest or (lowest == highest and (not (has_lowest and has_highest) or lowest in excluded)):
            return None
        if lowest == highest:
            for symbol in sorted(form.free_symbols, key=str):
                factor = form.coeff(symbol)
                rest = form - factor * symbol
                if factor.is_Rational and factor != 0 and symbol not in sympy.expand(rest).free_symbols:
                    return {symbol: (lowest - rest) / factor}
    return {}


def _vanishes(expression: Any) -> bool:
    """Whether an expression without branches is proved to be 0 wherever it is defined."""
    if expression == 0:
        return True
    if expression.has(sympy.nan, sympy.zoo, sympy.oo, -sympy.oo):
        return False
    expression = expression.rewrite(_HYPERBOLIC, sympy.exp).rewrite(sympy.erfc, sympy.erf)
    if _numerator(_with_powers(expression)) == 0:
        return True
    return bool(sympy.count_ops(expression) <= _MOST_OPERATIONS and sympy.simplify(expression) == 0)


def _numerator(expression: Any) -> Any:
    return sympy.expand(sympy.fraction(sympy.together(expression))[0])


def _with_powers(expression: Any) -> Any:
    """The expression with exp of a sum as a product of powers of new symbols, and log of a product as a sum."""
    exponents = {}
    for node in _outermost(expression, sympy.exp, sympy.Pow) + list(expression.atoms(sympy.exp, sympy.Pow)):
        base, exponent = node.as_base_exp()
        if isinstance(node, sympy.exp):
            exponents[node] = sympy.expand(node.exp)
        elif base.is_positive and base.is_number and not exponent.is_number:
            exponents[node] = sympy.expand(exponent * sympy.log(base))
    terms = {node: [term.as_coeff_Mul() for term in sympy.Add.make_args(e)] for node, e in exponents.items()}
    parts: dict[Any, int] = {}  # of each exponent the largest part of which all its multiples are whole ones
    for factor, term in (pair for pairs in terms.values() for pair in pairs):
        if factor.is_Rational:
            parts[term] = math.lcm(parts.get(term, 1), factor.q)
    base_of = {term: sympy.Dummy("power", positive=True if term.is_real else None) for term in parts}
    expression = expression.xreplace({
        node: sympy.Mul(*[
            base_of[term] ** (factor * parts[term]) if factor.is_Rational else sympy.exp(factor * term)
            for factor, term in pairs
        ])
        for node, pairs in terms.items()
    })  # fmt: skip
    logarithms = {sympy.log(base): term / parts[term] for term, base in base_of.items() if base.is_positive}
    return expression.replace(
        sympy.log, lambda x: sympy.expand_log(sympy.log(sympy.factor(sympy.together(x)))).xreplace(logarithms)
    )
