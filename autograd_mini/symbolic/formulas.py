"""Formulas: a function recorded on symbols, and the package's own sweep through it.

No derivative comes from SymPy: the formulas show the rules of the table. Not here: proofs.
Read next: `symbolic.assumptions`.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from autograd_mini.core.row import ZERO, as_number
from autograd_mini.core.sweep import adjoints
from autograd_mini.core.traced import Traced
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.spelling import RELATIONS
from autograd_mini.symbolic.normal import HYPERBOLIC, arms_of, outermost, vanishes
from autograd_mini.symbolic.table import exact, exact_slope
from autograd_mini.transforms import trees
from autograd_mini.transforms.detached import recorded


@dataclass(frozen=True, eq=False)
class Formula:
    """The value and gradient of a function as SymPy expressions; `print` and notebooks show them simplified.

    Attributes:
        value: the result, exactly as it falls out; a list of results if the function returns a list.
        gradient: the derivative by each argument, exactly as it falls out, in the structure of the arguments; the
            Jacobian if the function returns a list, one such row per result.
        symbols: the symbols it is differentiated by, in the order of the arguments.
    """

    value: Any
    gradient: Any
    symbols: tuple[Any, ...]

    def simplified(self) -> Formula:
        """Return a shorter formula: equal forms of a branch become one, and undefined cases are left out.

        >>> import autograd_mini as am
        >>> formula(am.sigmoid, "x").value
        Piecewise((1/(1 + exp(-x)), x >= 0), (exp(x)/(exp(x) + 1), True))
        >>> formula(am.sigmoid, "x").simplified().value
        1/(1 + exp(-x))
        """
        return Formula(mapped(simplified, self.value), mapped(simplified, self.gradient), self.symbols)

    def latex(self) -> str:
        r"""Return the equations in LaTeX, aligned at their equals signs.

        >>> print(formula(lambda x: x * x, "x").latex())
        \begin{aligned}
        f &= x^{2} \\
        \frac{\partial f}{\partial x} &= 2 x
        \end{aligned}
        """
        rows = []
        for name, symbol, expression in self._equations():
            left = name.replace("[", "_{").replace("]", "}")
            if symbol is not None:
                left = rf"\frac{{\partial {left}}}{{\partial {sympy.latex(symbol)}}}"
            rows.append(f"{left} &= {sympy.latex(expression)}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _equations(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield (name of the result, None or the symbol to differentiate by, expression), values first."""
        shown = self.simplified()
        names = [f"f[{i}]" for i in range(len(self.value))] if isinstance(self.value, list) else ["f"]
        yield from ((name, None, value) for name, value in zip(names, flat(shown.value), strict=True))
        slopes = iter(flat(shown.gradient))
        for name in names:
            yield from ((name, symbol, next(slopes)) for symbol in self.symbols)

    def __str__(self) -> str:
        lines = [(f"∂{name}/∂{by}" if by is not None else name, e) for name, by, e in self._equations()]
        width = max(len(left) for left, _ in lines)
        return "\n".join(f"{left:{width}} = {expression}" for left, expression in lines)

    __repr__ = __str__


def formula(f: Callable[..., Any], names: Any = None, argnums: int | Sequence[int] | None = None) -> Formula:
    """Return the value of a function, and the gradient that falls out of its graph, as formulas.

    Args:
        f: a function that is written with this package's functions and returns a number or a list of numbers.
        names: one entry per argument of f, as a list or as a text such as "x y". An entry is a name, which stands for
            any real number; a list or dict of names, if the argument is one; a SymPy symbol with its own assumptions,
            or an expression such as 1 - t; or a number, for a constant. By default the names of f's parameters.
        argnums: the position, or positions, of the arguments to differentiate by; by default all that are symbols.

    Returns:
        a `Formula`, which prints simplified; its attributes are exactly what falls out.

    Raises:
        ArgumentError: the names are missing or repeated, or do not name numbers.
        OperandError: f branches on a symbol with Python's `if`, or returns something other than numbers.

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
    result, leaves = traced(f, arguments)
    by = leaves[positions] if isinstance(positions, int) else tuple([leaves[position] for position in positions])
    rows = [_gradient(output, by) for output in (flat(result) if isinstance(result, list) else [result])]
    value = mapped(lambda node: exact(node.data if isinstance(node, Traced) else node), result)
    return Formula(value, rows if isinstance(result, list) else rows[0], tuple([leaf.data for leaf in flat(by)]))


def traced(f: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return the result of a function, a traced node or a list of them, and its arguments as leaves of the graph."""
    leaves = [mapped(lambda x: Traced(x, str(x)) if isinstance(x, sympy.Basic) else x, entry) for entry in arguments]
    try:
        inspect.signature(f).bind(*leaves)
    except ValueError:  # some builtin functions have no signature
        pass
    except TypeError as error:
        raise ArgumentError(
            f"{shown(f)} does not take {len(leaves)} arguments: {error}.",
            'Pass one name per argument; write a single list argument as [["a", "b"]].',
        ) from None
    with recorded():
        result = f(*leaves)
    return list(result) if isinstance(result, tuple) else result, leaves


def _gradient(output: Any, by: Any) -> Any:
    """Differentiate a traced output by some leaves, with the package's sweep on exact expressions."""
    if as_number(output) is not None:
        return mapped(lambda leaf: sympy.Integer(0), by)
    if type(output) is not Traced:
        raise OperandError(
            f"A formula needs a function that returns one number or a list of them; this one returned {shown(output)}.",
            "Compute with the arguments alone, and return numbers.",
        )
    found = adjoints(output, sympy.Integer(1), lambda node: [exact_slope(partial) for partial in node.partials])
    return mapped(lambda leaf: exact(found.get(leaf, ZERO)), by)


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to every entry of a structure."""
    return trees.rebuilt(structure, map(function, flat(structure)))


def flat(structure: Any) -> Iterator[Any]:
    """Yield the entries of a structure."""
    return (entry for _, entry in trees.numbers(structure))


def symbolic_arguments(f: Callable[..., Any], names: Any) -> list[Any]:
    """Return the arguments of f as SymPy symbols; `names` is what `formula` takes."""
    if not callable(f):
        raise OperandError(f"{shown(f)} is not a function.", 'Pass a function and the names: formula(f, "x y").')
    if names is None:
        try:
            parameters = list(inspect.signature(f).parameters.values())
        except (TypeError, ValueError):  # some builtin functions have no signature
            parameters = []
        names = [p.name for p in parameters if p.kind <= p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        if not names:
            raise ArgumentError(
                f"The parameters of {shown(f)} have no names to use.", 'Pass one name per argument: names="x y".'
            )
    if isinstance(names, str):
        names = names.replace(",", " ").split()
    if not isinstance(names, (list, tuple)) or not names:
        raise ArgumentError(f"{shown(names)} does not name the arguments.", 'Pass a list, or a text such as "x y".')
    arguments = [mapped(_argument, name) if name is not None else _argument(name) for name in names]
    used = Counter(entry.name for entry in flat(arguments) if isinstance(entry, sympy.Symbol))
    for symbol, count in used.items():
        if count > 1:
            raise ArgumentError(f"The name {symbol!r} is used twice.", "Give every number a name of its own.")
    return arguments


def _argument(entry: Any) -> Any:
    if isinstance(entry, str) and entry.strip().isidentifier():
        return sympy.Symbol(entry.strip(), real=True)
    if (isinstance(entry, sympy.Expr) and not entry.is_number) or as_number(entry) is not None:
        return entry
    raise ArgumentError(f"{shown(entry)} does not name a number.", "Pass a text, a SymPy symbol or a number.")


def _positions(arguments: list[Any], argnums: int | Sequence[int] | None) -> int | list[int]:
    """Return the positions to differentiate by: a number for a bare gradient, a list for a tuple of gradients."""
    can = [all(isinstance(entry, sympy.Symbol) for entry in flat(argument)) for argument in arguments]
    if argnums is None:
        chosen = [position for position, possible in enumerate(can) if possible]
        return chosen[0] if len(chosen) == 1 else chosen
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    for position in positions:
        if not isinstance(position, int):
            raise ArgumentError(
                f"{shown(argnums)} is not the position of an argument.",
                'Pass all names as one argument: formula(f, "x y").',
            )
        if not -len(can) <= position < len(can) or not can[position]:
            raise ArgumentError(
                f"There is no argument {position} to differentiate by; the arguments are {arguments}.",
                "Choose argnums among the arguments that consist of symbols, counted from 0.",
            )
    return argnums if isinstance(argnums, int) else positions


def simplified(expression: Any) -> Any:
    """Return a shorter form, equal wherever the expression is defined; equal forms of a branch become one.

    Args:
        expression: a SymPy expression or a number.

    Returns:
        a SymPy expression.

    >>> x = sympy.Symbol("x", real=True)
    >>> simplified(sympy.Piecewise((1 / (1 + sympy.exp(-x)), x > 0), (sympy.exp(x) / (1 + sympy.exp(x)), True)))
    1/(1 + exp(-x))
    """
    expression = exact(expression)
    steps = {step: sympy.Dummy("step", real=True) for step in outermost(expression, sympy.floor)}
    back = {step: floor for floor, step in steps.items()}
    arms = arms_of(expression.xreplace(steps), sympy.Integer(0), (sympy.Piecewise,), put_in=False)
    if arms is None:
        return expression
    forms: list[tuple[Any, Any]] = []
    for arm, _, conditions in arms:
        where = sympy.And(*conditions)
        for index, (form, others) in enumerate(forms):
            if vanishes(arm - form):
                forms[index] = min(form, arm, key=_length), sympy.Or(others, where)
                break
        else:
            forms.append((arm, where))
    if len(forms) < 2:
        return _shorter(forms[0][0]).xreplace(back) if forms else sympy.nan
    pieces = [(_shorter(form).xreplace(back), _shorter_condition(where).xreplace(back)) for form, where in forms]
    return sympy.Piecewise(*pieces[:-1], (pieces[-1][0], True))


def _shorter_condition(condition: Any) -> Any:
    """Simplify a condition if it consists of polynomial inequalities: SymPy would solve equations in others."""
    relations = condition.atoms(sympy.Rel)
    plain = all((r.lhs - r.rhs).is_polynomial() and r.rel_op not in ("==", "!=") for r in relations)
    return sympy.simplify(condition) if plain else condition


def _length(expression: Any) -> tuple[int, str]:
    return int(sympy.count_ops(expression)), str(expression)


def _shorter(expression: Any) -> Any:
    """Return the shortest of several equal forms of an expression without branches, in the functions it uses."""
    expression = expression.replace(sympy.exp, lambda exponent: sympy.exp(sympy.expand(exponent)))
    forms = [expression, sympy.factor(sympy.together(expression)), sympy.simplify(expression)]
    forms.append(sympy.powsimp(forms[1], deep=True))
    return min((form for form in forms if form.has(*HYPERBOLIC) <= expression.has(*HYPERBOLIC)), key=_length)


class _Text(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Formulas as people write them: 2·x², branches in words."""

    def _print_Piecewise(self, expression: Any) -> str:
        *arms, (last, _) = expression.args
        return ", ".join([f"{self._print(a)} if {self._print(c)}" for a, c in arms] + [f"else {self._print(last)}"])

    def _print_Relational(self, relation: Any) -> str:
        symbol = RELATIONS.get(relation.rel_op, relation.rel_op)
        return f"{self._print(relation.lhs)} {symbol} {self._print(relation.rhs)}"

    def _print_And(self, expression: Any) -> str:
        return " and ".join(f"({part})" if " or " in part else part for part in self._parts(expression))

    def _print_Or(self, expression: Any) -> str:
        return " or ".join(self._parts(expression))

    def _parts(self, expression: Any) -> list[str]:
        return [self._print(part) for part in sorted(expression.args, key=sympy.default_sort_key)]


def text(expression: Any) -> str:
    """Return an expression as people write it.

    >>> print(text(2 * sympy.Symbol("x") ** 2 / sympy.sqrt(sympy.pi)))
    2·x²/√π
    """
    written = _Text().doprint(expression)
    written = re.sub(r"\*\*(\d)(?!\d)", lambda power: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(power[1])], written)
    return re.sub(r"sqrt\((\w+)\)", r"√\1", written.replace("**", "^").replace("*", "·").replace("pi", "π"))
