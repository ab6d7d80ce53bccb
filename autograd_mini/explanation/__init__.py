"""`explain`: why is this gradient zero, nan, infinite, tiny or huge?

Not here: the search for the cause (`causes`), the text and the advice (`report`); the first question imports those
modules, because `import autograd_mini` must stay fast. Read next: `explanation.graph`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autograd_mini.core.row import as_number
from autograd_mini.core.sweep import topological_order
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.notation.names import Names
from autograd_mini.notation.namespaces import namespaces
from autograd_mini.notation.snapshot import Snapshot
from autograd_mini.program.marks import last_root
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import names_of
from autograd_mini.transforms.detached import recorded
from autograd_mini.watch.origins import provenance

if TYPE_CHECKING:
    from autograd_mini.explanation.report import Explanation


@recorded()
def explain(v: Any, *args: Any, by: Any = None, small: float = 1e-6, large: float = 1e6) -> Explanation:
    """Say why gradients are zero, nan, infinite, tiny or huge, and where in the program it began.

    It needs no `backward()` and changes no `.grad`. If you record under `with am.provenance():`, it names your lines.

    Args:
        v: the output of the computation. A leaf without `by` asks about the gradient of the leaf itself; the output is
            then the one on which `backward()` was last called under provenance. A function is recorded, with its
            lines, on fresh `Value`s made from the numbers in its arguments, with names such as "params['w'][0]".
        *args: the arguments of the function: numbers, and nested lists, tuples, dicts and arrays of them; anything else
            is passed unchanged. If v is a `Value`, they mean the same as `by`: `explain(loss, x)`.
        by: the `Value`s whose gradients to explain: one, or a list, tuple or dict of them. By default it looks at every
            leaf behind v, even behind branches not taken, and reports only what is wrong.
        small: report smaller gradients (in absolute value, with seed 1) as vanishing.
        large: report larger ones as exploding.

    Returns:
        an `Explanation` to print, or whose `findings` you read; it is true if something is wrong.

    Raises:
        OperandError: v, the result of the function, or an entry of by is not a `Value`.
        ArgumentError: v is a leaf, by is None, and no output is known; or there are arguments but no function.

    >>> import autograd_mini as am
    >>> x = am.Value(0.0, name="x")
    >>> explanation = explain(am.sqrt(x * x))
    >>> [(f.node.name, f.kind, f.cause, f.advice) for f in explanation]
    [('x', 'nan', '0 * inf', 'Write abs(x) instead of sqrt(x * x).')]
    >>> bool(explain(x * 2.0))
    False
    >>> [(f.node.name, f.cause) for f in explain(lambda params: am.relu(params["w"][0]), {"w": [-1.0]})]
    [("params['w'][0]", 'dead branch')]
    """
    inputs: list[Value] = []
    is_function = callable(v)
    if is_function:
        v, inputs = _recorded(v, args)
    elif len(args) > 1 or (args and by is not None):
        raise ArgumentError(
            f"explain() got {len(args)} arguments after {shown(v)}, which is not a function.",
            "Write explain(loss, [x, y]) to ask about several Values.",
        )
    elif args:
        by = args[0]
    if not is_node(v):
        raise _no_value("but the function returns a" if is_function else "not", v)
    if by is None and v.op is None and not is_function:
        root = last_root()
        if root is None:
            raise ArgumentError(
                f"explain() got the leaf {shown(v)}, and does not know which output to differentiate by it.",
                "Write explain(loss, x); or record and call backward() inside `with autograd_mini.provenance():`.",
            )
        v, by = root, v
    from autograd_mini.explanation.report import explained

    asked = None if by is None else dict(_named(by, ""))
    order = tuple(topological_order(v, everything=True))
    names = Names(order, () if is_function else namespaces(sys._getframe(1)))
    return explained(v, names, Snapshot(order), asked, inputs, small, large)


def _recorded(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, list[Value]]:
    """Call a function with fresh `Value`s for all numbers in its arguments; return its result and those `Value`s."""
    fresh, inputs = [], []
    for name, argument in zip(names_of(f, len(args)), args, strict=True):
        replacements = []
        for path, leaf in trees.numbers(argument, name):
            number = leaf.data if is_node(leaf) else as_number(leaf)
            replacements.append(leaf if number is None else Value(number, name=path))
        fresh.append(trees.rebuilt(argument, iter(replacements)))
        inputs += [x for x in replacements if is_node(x)]
    with provenance():
        return f(*fresh), inputs


def _no_value(role: str, v: Any) -> OperandError:
    what = f"explain() takes a Value, {role} {type(v).__name__}: {shown(v)}."
    if as_number(v) is None:
        return OperandError(what, "Pass the node whose derivatives you want explained, such as the loss.")
    return OperandError(
        f"{what} The result is a plain number: no Value took part, or the graph was lost (.data, float(), np.maximum "
        "of constants).",
        "Compute it from Values with functions of this package, or write explain(f, x).",
    )


def _named(by: Any, name: str) -> Iterator[tuple[Value, str]]:
    """Yield the `Value`s to explain, with the user's names for them."""
    if is_node(by):
        yield by, by.name or name
    elif isinstance(by, Mapping):
        for key, value in by.items():
            yield from _named(value, str(key))
    elif isinstance(by, (list, tuple)):
        for index, value in enumerate(by):
            yield from _named(value, f"{name}[{index}]" if name else "")
    else:
        raise OperandError(
            f"explain(by) takes Values, not {type(by).__name__}: {shown(by)}.", "Pass a Value, or a list of them."
        )
