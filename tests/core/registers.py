"""A data type for traced numbers in tests: registers of a tape, which is evaluated on numbers afterwards.

This is what a compiler does; here nothing is compiled.
"""

from __future__ import annotations

import operator

from autograd_mini.core.row import ZERO, as_number, interpreters
from autograd_mini.core.traced import Traced, relations

COMPARE = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "&": lambda a, b: a and b, "|": lambda a, b: a or b, "~": operator.not_,
}  # fmt: skip


class Register:
    """What one instruction computes: a number, or the answer of a comparison."""

    __slots__ = ("compute", "operands")

    def __init__(self, compute, operands):
        for x in operands:
            assert type(x) in (Register, float, bool), x
        self.compute, self.operands = compute, operands

    def __mul__(self, other):
        return Register(operator.mul, (self, other)) if isinstance(other, (Register, float)) else NotImplemented

    def __add__(self, other):
        return Register(operator.add, (self, other)) if isinstance(other, (Register, float)) else NotImplemented

    __rmul__, __radd__ = __mul__, __add__


def _instruction(row, operands):
    assert not any(x is ZERO for x in operands)
    return Register(row.function, tuple([x if type(x) is Register else as_number(x) for x in operands]))


interpreters[Register] = _instruction
relations[Register] = lambda symbol, *operands: Register(COMPARE[symbol], operands)


def inputs(n):
    """So many inputs of a tape, as traced numbers."""
    return [Traced(Register(None, ())) for _ in range(n)]


def run(results, given):
    """Evaluate traced results at numbers for the inputs: every instruction, also behind branches not taken."""
    known = {id(node.data): number for node, number in given.items()}
    out = []
    for result in results:
        data = result.data if isinstance(result, Traced) else result
        path = [data] if type(data) is Register else []
        while path:
            register = path[-1]
            missing = [x for x in register.operands if type(x) is Register and id(x) not in known]
            if missing:
                path += missing
            else:
                path.pop()
                numbers = [known[id(x)] if type(x) is Register else x for x in register.operands]
                if id(register) not in known:
                    known[id(register)] = register.compute(*numbers)
        out.append(known[id(data)] if type(data) is Register else data)
    return out
