"""`check_grads`: the derivatives of a function, by reverse and forward mode, against differences of the function.

Not here: derivatives that a user wrote (`handwritten`). Read next: `check.mistakes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from autograd_mini.check.differences import Estimate, judge, order_of
from autograd_mini.check.tasks import Task
from autograd_mini.check.verdicts import Finding, Report, Verdict, worst
from autograd_mini.core.row import real_number
from autograd_mini.engine import is_node
from autograd_mini.errors import ArgumentError, OperandError, shown
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import jvp, names_of, vjp

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
    findings: list[Finding] = []
    for n in range(1, order + 1):
        f = f if n == 1 else _first_derivative(f)
        outputs = [path for path, _ in inputs] if n > 1 else None
        found = [replace(x, where=_ORDINAL[n] + x.where) for x in _findings(f, tuple(args), inputs, outputs, modes)]
        findings += found
        if not all(x.ok for x in found):
            break  # the derivative of a wrong derivative says nothing
    return Report("check_grads", tuple(findings))


def _float(path: str, x: Any) -> float:
    return real_number(x.data if is_node(x) else x, f"check_grads() by {path}")


def _seed(result: Any, factor: float = 1.0) -> Any:
    """Return factors for all outputs with which none cancels another in their sum."""
    return trees.rebuilt(result, iter([factor * (1.0 + k * _PHI % 1.0) for k, _ in enumerate(trees.numbers(result))]))


def _first_derivative(f: Function) -> Function:
    """Return the gradient of a sum of all outputs as a function of all arguments."""

    def gradient(*args: Any) -> Any:
        result, pullback = vjp(f, *args)
        return pullback(_seed(result))

    return gradient


def _findings(
    f: Function, args: tuple[Any, ...], inputs: list[tuple[str, float]], names: list[str] | None, modes: Sequence[str]
) -> Iterator[Finding]:
    """Yield the worst finding of every input, among all outputs and modes; then what else is wrong."""
    floats = trees.rebuilt(args, iter([x for _, x in inputs]))
    task, point = Task("f", lambda args: f(*args), ()), (floats,)
    result, pullback = vjp(f, *args)
    outputs = [f" → result{path}" * bool(path) for path, _ in trees.numbers(result)]
    outputs = outputs if names is None else [f" and {name}" for name in names]
    here = task.moved(point, 0)
    if inputs and repr(here(inputs[0][1])) != repr(here(inputs[0][1])):
        yield Finding("f", Verdict.NOISE, None, math.nan, math.inf,
                      remark="f returns different numbers for the same input, so differences say nothing: "
                      "fix its random numbers, and let it change none of its arguments.")  # fmt: skip
        return
    matrices = {}
    if "rev" in modes:
        matrices["By reverse mode."] = [_flat(pullback(unit)) for unit in _units(result)]
    if "fwd" in modes:
        columns = [_flat(jvp(f, args, unit)[1]) for unit in _units(args)]
        matrices["By forward mode."] = [[column[j] for column in columns] for j in range(len(outputs))]
    for i, (path, _) in enumerate(inputs):
        estimate = partial(task.estimate, point, index=i)
        places = [(j, by) for j in range(len(outputs)) for by in matrices]
        found = [_finding(path + outputs[j], by, matrices[by][j][i], partial(estimate, j), i < 2) for j, by in places]
        verdict = worst(each.verdict for each in found)
        yield from [each for each in found if each.verdict is verdict][:1]
    if "rev" in modes:
        for (path, _), one, two in zip(inputs, _flat(pullback(_seed(result))), _flat(pullback(_seed(result, -2.0))),
                                       strict=True):  # fmt: skip
            if two != -2.0 * one and math.isfinite(one) and abs(one) > 1e-300:
                yield Finding(path, Verdict.FAIL, two, -2.0 * one, remark="The gradient for a seed of -2 should be -2 "
                              "times that for a seed of 1: a derivative is linear in its seed.")  # fmt: skip


def _units(tree: Any) -> Iterator[Any]:
    """Yield structures with a 1 in one place and 0 in all others."""
    count = len([*trees.numbers(tree)])
    yield from (trees.rebuilt(tree, iter([float(k == place) for k in range(count)])) for place in range(count))


def _flat(tree: Any) -> list[float]:
    return [_float("the derivative", x) for _, x in trees.numbers(tree)]


def _finding(where: str, by: str, claimed: float, estimated: Callable[..., Estimate], patient: bool) -> Finding:
    """Return what is found for one derivative of one output; if `patient`, with small steps for the whole curve."""
    estimate = estimated(patient=patient)
    if judge(claimed, estimate) is Verdict.FAIL:
        estimate = estimated(patient=True)
    verdict = judge(claimed, estimate)
    curve = tuple([(step, abs(quotient - claimed)) for step, quotient in estimate.curve])
    remark = _remark(claimed, estimate, by) if verdict is Verdict.FAIL else ""
    if verdict is Verdict.KINK and estimate.is_jump:
        remark = "The value itself jumps there."
    left, right = (estimate.left, estimate.right) if estimate.is_kink else (None, None)
    return Finding(where, verdict, claimed, estimate.slope, estimate.error, left, right, remark, curve)


def _remark(claimed: float, estimate: Estimate, by: str) -> str:
    """Return why a derivative is wrong."""
    if estimate.is_kink:
        return f"{by} It is not between the slopes on both sides."
    if claimed == 0.0:
        return (f"{by} Nothing flows to this input, although the function depends on it: look for .data, detach(), "
                "stop_gradient(), no_grad() or float() on the way.")  # fmt: skip
    if (order := order_of(estimate.curve, claimed)) is None:
        return by
    return (f"{by} Differences do not approach it as steps get smaller (observed order {order + 0.0:.1f}); "
            "they approach a right derivative with the square of the step (order 2).")  # fmt: skip
