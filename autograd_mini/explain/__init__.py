"""`explain`: why is this gradient zero, nan, infinite, tiny or huge?

Not here: how that is found (`study`), how it reads (`report`) and what to write instead (`stable`), which are imported
by the first question: `import autograd_mini` must stay fast. Read next: `study`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.observers import last_root

if TYPE_CHECKING:
    from autograd_mini.explain.report import Explanation


def explain(v: Value, by: Any = None, *, small: float = 1e-6, large: float = 1e6) -> Explanation:
    """Say why gradients are zero, nan, infinite, tiny or huge, and where in the program that began.

    It needs no `backward()` and changes no `.grad`. Record under `with am.provenance():`, and it names your lines.

    Args:
        v: the output of the computation. A leaf, with nothing in `by`: the gradient of the leaf itself, of the
            output that the last `backward()` was called on under provenance.
        by: the `Value`s whose gradients to explain: one, or a list, tuple or dict of them. By default every leaf
            behind v, also behind branches not taken, and only what is wrong.
        small: gradients below this in size are tiny, for a derivative of 1 of the output by itself.
        large: gradients above this in size are huge.

    Returns:
        an `Explanation`: print it, or look at its `findings`; it is true if something is wrong.

    Raises:
        OperandError: v, or something in by, is not a `Value`.
        ArgumentError: v is a leaf, by is None, and no output is known.

    >>> import autograd_mini as am
    >>> x = am.Value(0.0, name="x")
    >>> explanation = explain(am.sqrt(x * x))
    >>> [(f.node.name, f.kind, f.cause, f.advice) for f in explanation]
    [('x', 'nan', '0 * inf', 'Write abs(x) instead of sqrt(x * x).')]
    >>> bool(explain(x * 2.0))
    False
    """
    if type(v) is not Value:
        raise OperandError(
            f"explain() takes a Value, not {type(v).__name__}: {shown(v)}.",
            "Pass the node whose derivatives to explain, such as the loss.",
        )
    if by is None and v.op is None:
        root = last_root.get()
        if root is None:
            raise ArgumentError(
                f"explain() got the leaf {shown(v)}, and it is not known of which output it is to be explained.",
                "Write explain(loss, x); or record and call backward() inside `with autograd_mini.provenance():`.",
            )
        v, by = root, v
    names = None if by is None else dict(_named(by, "by"))
    from autograd_mini.explain.report import Explanation
    from autograd_mini.explain.study import Study

    return Explanation(v, tuple(Study(v, small, large).findings(names)))


def _named(by: Any, name: str) -> Iterator[tuple[Value, str]]:
    """The `Value`s to explain, with what the user calls them."""
    if type(by) is Value:
        yield by, by.name or ("" if name == "by" else name)
    elif isinstance(by, Mapping):
        for key, value in by.items():
            yield from _named(value, str(key))
    elif isinstance(by, (list, tuple)):
        for index, value in enumerate(by):
            yield from _named(value, f"{name}[{index}]")
    else:
        raise OperandError(
            f"explain(by) takes Values, not {type(by).__name__}: {shown(by)}.", "Pass a Value, or a list of them."
        )
