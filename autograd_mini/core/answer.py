"""`Answer`: what is not known yet, True or False, as a number in arithmetic: 1.0 or 0.0, as a bool of Python is.

Not here: comparisons, and where their answers come from. Read next: `core.traced`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from autograd_mini.core.row import TABLE, evaluate


def _operator(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """An operator of numbers, and its reflection."""
    operate = getattr(operator, name)

    def forward(self: Answer, other: Any) -> Any:
        return operate(self.as_number(), other)

    def reflected(self: Answer, other: Any) -> Any:
        return operate(other, self.as_number())

    return forward, reflected


class Answer:
    """The base of conditions: arithmetic."""

    __slots__ = ()

    def as_number(self) -> Any:
        """1.0 where it is True, else 0.0."""
        return evaluate(TABLE["where"], (self, 1.0, 0.0))

    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("truediv")
    __floordiv__, __rfloordiv__ = _operator("floordiv")
    __mod__, __rmod__ = _operator("mod")
    __pow__, __rpow__ = _operator("pow")

    def __neg__(self) -> Any:
        return 0.0 - self.as_number()  # integers have no -0.0

    def __pos__(self) -> Any:
        return self.as_number()

    __abs__ = __pos__


def numbers_of(operands: Iterable[Any]) -> tuple[Any, ...]:
    """Operands with numbers for answers."""
    return tuple([x.as_number() if isinstance(x, Answer) else x for x in operands])
