"""`explain`: why is this gradient zero, nan, infinite, tiny or huge?

Not here: how that is found, how it reads and what to write instead; those modules are imported by the first question,
because `import autograd_mini` must stay fast. Read next: `explanation.words`.
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
    """Say why gradients are zero, nan, infinite, tiny or huge, and where in the program that began.

    It needs no `backward()` and changes no `.grad`. Record under `with am.provenance():`, and it names your lines.

    Args:
        v: the output of the computation. A leaf, with nothing in `by`: the gradient of the leaf itself, of the
            output that the last `backward()` was called on under provenance. Or a function: it is recorded, with its
            lines, on fresh `Value`s made from the numbers in its arguments, which are named as in "params['w'][0]".
        *args: the arguments of the function: numbers, and nested lists, tuples, dicts and arrays of them; other things
            go in as they are. If v is a `Value`, the same as `by`: `explain(loss, x)`.
        by: the `Value`s whose gradients to explain: one, or a list, tuple or dict of them. By default every leaf
            behind v, also behind branches not taken, and only what is wrong.
        small: gradients below this in size are vanishing; the output's derivative by itself is 1.
        large: gradients above this in size are exploding.

    Returns:
        an `Explanation`: print it, or look at its `findings`; it is true if something is wrong.

    Raises:
        OperandError: v, what the function returns, or something in by, is not a `Value`.
        ArgumentError: v is a leaf, by is None, and no output is known; or there are arguments, and no function.

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
        raise _no_value("the function returns a" if is_function else "not", v)
    if by is None and v.op is None and not is_function:
        root = last_root()
        if root is None:
            raise ArgumentError(
                f"explain() got the leaf {shown(v)}, and no output is known whose derivative by it is to be explained.",
                "Write explain(loss, x); or record and call backward() inside `with autograd_mini.provenance():`.",
            )
        v, by = root, v
    from autograd_mini.explanation.report import explained

    asked = None if by is None else dict(_named(by, ""))
    order = tuple(topological_order(v, everything=True))
    names = Names(order, () if is_function else namespaces(sys._getframe(1)))
    return explained(v, names, Snapshot(order), asked, inputs, small, large)


def _recorded(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, list[Value]]:
    """What a function returns for fresh `Value`s in place of all numbers in its arguments; and those."""
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
        return OperandError(what, "Pass the node whose derivatives to explain, such as the loss.")
    return OperandError(
        f"{what} The result is a plain number: no Value took part, or the graph was lost (.data, float(), np.maximum "
        "of constants).",
        "Compute it from Values, and with functions of this package; or write explain(f, x).",
    )


def _named(by: Any, name: str) -> Iterator[tuple[Value, str]]:
    """The `Value`s to explain, with what the user calls them."""
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
