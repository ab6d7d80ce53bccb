"""`check_grads`: the derivatives of a function, by reverse and forward mode, against differences of the function.

Not here: derivatives that a user wrote (`handwritten`). Read next: `check.tasks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from autograd_mini.check.differences import Estimate, differentiate, judge, order_of
from autograd_mini.check.verdicts import Finding, Report, Verdict, worst
from autograd_mini.core.row import as_number, operand_error
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import jvp, names_of, vjp
from autograd_mini.transforms.detached import no_grad

Function = Callable[..., Any]
_MODES = ("rev", "fwd")
_ORDINAL = {1: "", 2: "second derivative by ", 3: "third derivative by ", 4: "fourth derivative by "}
_PHI = 0.6180339887498949  # multiples of it are spread evenly: no sum of outputs cancels


def check_grads(f: Function, args: Sequence[Any], order: int = 2, modes: Sequence[str] = _MODES) -> Report:
    """Compare the derivatives that this package computes for f with differences of f.

    Differences are taken at many steps scaled to the input, extrapolated, and come with an error bar.

    Args:
        f: a function of numbers, or of structures of them as for `grad`; it returns a number or a structure.
        args: its arguments, in a tuple.
        order: 1 for first derivatives, 2 to compare second derivatives with differences of the first, and so on.
        modes: "rev" for reverse mode, "fwd" for forward mode.

    Returns:
        a report with a finding for every input and order. Its verdict is PASS; KINK, where the slopes on both sides
        differ and the derivative lies between them; NOISE, where rounding hides the answer beyond the error bar;
        DOMAIN, where f has no finite value; or FAIL. The report is true, and `ok`, unless it is DOMAIN, FAIL, or
        nothing but noise; `assert_ok()` raises with the report.

    Raises:
        ArgumentError: args is not a tuple or list; order or modes are impossible.
        OperandError: f is not a function, or args or the result are not made of numbers.

    >>> import autograd_mini as am
    >>> check_grads(lambda x: x**2, (1e13,)).verdict
    <Verdict.PASS: 'PASS'>
    >>> print(check_grads(am.relu, (0.0,), order=1))
    check_grads: KINK
      KINK    x: 0; the slope is 0 on the left, 1 on the right
    """
    if not callable(f):
        raise OperandError(f"check_grads() takes a function, not {shown(f)}.", "Write check_grads(f, (x,)).")
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(f"check_grads() got {shown(args)} as the arguments of f.", "Write check_grads(f, (x,)).")
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= 4:
        raise ArgumentError(f"check_grads() got order = {shown(order)}.", "Pass 1, 2, 3 or 4.")
    if isinstance(modes, str) or not modes or not set(modes) <= set(_MODES):
        raise ArgumentError(f"check_grads() got modes = {shown(modes)}.", 'Pass ("rev", "fwd"), or one of the two.')
    inputs = [(path, _float(path, x)) for name, arg in zip(names_of(f, len(args)), args, strict=True)
              for path, x in trees.numbers(arg, name)]  # fmt: skip
    jvp(f, args, args)  # raises if f cannot be called with the arguments, or does not return numbers
    checked = _Checked(f, tuple(args), inputs)
    findings: list[Finding] = []
    for n in range(1, order + 1):
        if n > 1:
            checked = _Checked(_first_derivative(checked), tuple(args), inputs)
            checked.outputs = [f" and {path}" for path, _ in inputs]
        found = [replace(x, where=_ORDINAL[n] + x.where) for x in checked.findings(modes)]
        findings += found
        if not all(x.ok for x in found):
            break  # the derivative of something wrong says nothing
    return Report("check_grads", tuple(findings))


def _float(path: str, x: Any) -> float:
    number = as_number(x.data if is_node(x) else x)
    if number is None:
        raise operand_error(f"check_grads() by {path}", x)
    return number


def _first_derivative(checked: _Checked) -> Function:
    """Return the gradient of a sum of all outputs, none of which cancels another, as a function of all arguments."""
    f = checked.f

    def gradient(*args: Any) -> Any:
        result, pullback = vjp(f, *args)
        weights = [1.0 + k * _PHI % 1.0 for k, _ in enumerate(trees.numbers(result))]
        return pullback(trees.rebuilt(result, iter(weights)))

    return gradient


class _Checked:
    """A function at its arguments, with the number of every input."""

    def __init__(self, f: Function, args: tuple[Any, ...], inputs: list[tuple[str, float]]) -> None:
        self.f, self.args, self.inputs = f, args, inputs
        result = self._called([x for _, x in inputs])
        self.outputs = [f" → result{path}" * bool(path) for path, _ in trees.numbers(result)]

    def _called(self, numbers: Iterable[float]) -> Any:
        leaves = map(Value, numbers)
        with no_grad():
            return self.f(*[trees.rebuilt(arg, leaves) for arg in self.args])

    def values(self, numbers: Iterable[float]) -> list[float]:
        """Return the outputs at other inputs."""
        return [_float("the result", y) for _, y in trees.numbers(self._called(numbers))]

    def findings(self, modes: Sequence[str]) -> Iterator[Finding]:
        """Yield the worst finding of every input, among all outputs and modes; then what else is wrong."""
        matrices = {mode: self._backward() if mode == "rev" else self._forward() for mode in modes}
        here = [x for _, x in self.inputs]
        if repr(self.values(here)) != repr(self.values(here)):
            yield Finding("f", Verdict.NOISE, None, math.nan, math.inf,
                          remark="f returns different numbers for the same input, so differences say nothing: "
                          "fix its random numbers, and let it change none of its arguments.")  # fmt: skip
            return
        for i, (path, x) in enumerate(self.inputs):
            moved: dict[float, list[float]] = {}

            def column(x: float, i: int = i, moved: dict[float, list[float]] = moved) -> list[float]:
                if x not in moved:
                    try:
                        moved[x] = self.values([*here[:i], x, *here[i + 1 :]])
                    except (ArithmeticError, ValueError):  # outside the domain of `math`
                        moved[x] = []
                    moved[x] += [math.nan] * (len(self.outputs) - len(moved[x]))
                return moved[x]

            found = [
                _finding(path + output, mode, matrix[j][i], column, j, x, i < 2)
                for j, output in enumerate(self.outputs)
                for mode, matrix in matrices.items()
            ]
            verdict = worst(each.verdict for each in found)
            chosen = next((each for each in found if each.verdict is verdict), None)
            if chosen is not None:
                yield chosen
        if "rev" in modes:
            yield from self._nonlinear()

    def _backward(self) -> list[list[float]]:
        """Return the Jacobian by reverse mode, one row per output."""
        result, pullback = vjp(self.f, *self.args)
        units = ([float(j == k) for k in range(len(self.outputs))] for j in range(len(self.outputs)))
        return [_flat(pullback(trees.rebuilt(result, iter(unit)))) for unit in units]

    def _forward(self) -> list[list[float]]:
        """Return the Jacobian by forward mode."""
        units = ([float(i == k) for k in range(len(self.inputs))] for i in range(len(self.inputs)))
        columns = [_flat(jvp(self.f, self.args, trees.rebuilt(self.args, iter(unit)))[1]) for unit in units]
        return [[column[j] for column in columns] for j in range(len(self.outputs))]

    def _nonlinear(self) -> Iterator[Finding]:
        """Yield a finding if twice the seed does not give exactly twice the gradient."""
        result, pullback = vjp(self.f, *self.args)
        seed = [1.0 + k * _PHI % 1.0 for k, _ in enumerate(self.outputs)]
        once = _flat(pullback(trees.rebuilt(result, iter(seed))))
        twice = _flat(pullback(trees.rebuilt(result, iter([-2.0 * s for s in seed]))))
        for (path, _), one, two in zip(self.inputs, once, twice, strict=True):
            if two != -2.0 * one and math.isfinite(one) and abs(one) > 1e-300:
                yield Finding(path, Verdict.FAIL, two, -2.0 * one, remark="The gradient for a seed of -2 should be -2 "
                              "times that for a seed of 1: a derivative is linear in its seed.")  # fmt: skip


def _flat(tree: Any) -> list[float]:
    return [_float("the derivative", x) for _, x in trees.numbers(tree)]


def _finding(
    where: str, mode: str, claimed: float, column: Callable[[float], list[float]], output: int, x: float, patient: bool
) -> Finding:
    """Return what is found for one derivative of one output; if `patient`, with small steps for the whole curve."""
    estimate = differentiate(lambda moved: column(moved)[output], x, patient)
    verdict = judge(claimed, estimate)
    if verdict is Verdict.FAIL:
        estimate = differentiate(lambda moved: column(moved)[output], x, patient=True)
        verdict = judge(claimed, estimate)
    curve = tuple([(step, abs(quotient - claimed)) for step, quotient in estimate.curve])
    remark = _remark(claimed, estimate, mode) if verdict is Verdict.FAIL else ""
    if verdict is Verdict.KINK and estimate.is_jump:
        remark = "The value itself jumps there."
    left, right = (estimate.left, estimate.right) if estimate.is_kink else (None, None)
    return Finding(where, verdict, claimed, estimate.slope, estimate.error, left, right, remark, curve)


def _remark(claimed: float, estimate: Estimate, mode: str) -> str:
    """Return why a derivative is wrong."""
    by = "By reverse mode." if mode == "rev" else "By forward mode."
    if estimate.is_kink:
        return f"{by} It is not between the slopes on both sides."
    if claimed == 0.0:
        return (f"{by} Nothing flows to this input, although the function depends on it: look for .data, detach(), "
                "stop_gradient(), no_grad() or float() on the way.")  # fmt: skip
    if (order := order_of(estimate.curve, claimed)) is None:
        return by
    return (f"{by} Differences do not approach it as steps get smaller (observed order {order + 0.0:.1f}); "
            "they approach a right derivative with the square of the step (order 2).")  # fmt: skip
