"""`check_derivative`: a derivative that you wrote in Python, its verdict, and the mistake in it.

Not here: which mistakes there are (`mistakes`, `passes`). Read next: `check.engines`.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from autograd_mini.check.mistakes.diagnosis import diagnose
from autograd_mini.check.mistakes.formulas import RIGHT, right_formula
from autograd_mini.check.tasks import TASK_NAMES, Point, Task, flat, task_named, task_of
from autograd_mini.check.verdicts import Diagnosis, Finding, Named, Verdict
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, sentences, shown
from autograd_mini.functions import FUNCTIONS
from autograd_mini.program.source import located
from autograd_mini.transforms import trees

_ARGUMENTS = ("auto", "input", "output")
_PROBABILITIES = {"cross_entropy": task_named("softmax"), "binary_cross_entropy": task_named("sigmoid")}
_OF_OUTPUTS = {*_PROBABILITIES, "softmax", *[name for name, right in RIGHT.items() if right.by_output]}


def check_derivative(
    f: Callable[..., Any] | str, df: Callable[..., Any], at: Any = None, argument: str = "auto"
) -> Diagnosis:
    """Check a derivative that you wrote by hand; if it is wrong, name the mistake and what to write.

    Args:
        f: the function: one of yours, or the name of one of this package, such as "tanh", "softmax" (whose derivative
            is the Jacobian) or "cross_entropy" (the gradient by the logits).
        df: your derivative by the first argument: it takes the arguments of f, and returns a number for a number, the
            gradient for a list or structure, or a matrix with one row per output. A whole backward pass will do.
        at: a point, as a tuple if f takes several arguments, or a list of points. By default, points that expose
            errors: tails, kinks, ties, the ends of the domain, huge and equal logits.
        argument: "input" or "output": what df takes; "auto" judges it as a function of the input.

    Returns:
        a diagnosis, which is true and `ok` if df is right, or another convention at a kink. Print it; `mistakes` holds
        what explains all points, the simplest first; `assert_ok()` raises with the report.

    Raises:
        ArgumentError: there is no function with this name; points are missing or impossible for f.
        OperandError: f or df is not a function, or df does not return numbers.

    >>> report = check_derivative("tanh", lambda x: 1 - x * x)
    >>> report.verdict, report.mistakes[0].name
    (<Verdict.FAIL: 'FAIL'>, 'output-form')
    >>> report.mistakes[0].sentence
    '1 - a*a is right if you pass the output a = tanh(x); here a is the input.'
    """
    if not callable(df):
        raise OperandError(f"check_derivative() got {shown(df)} as the derivative.",
                           'Write check_derivative("tanh", df), with a function df.')  # fmt: skip
    if argument not in _ARGUMENTS:
        raise ArgumentError(f"check_derivative() got argument = {shown(argument)}.",
                            'Pass "auto", "input" or "output".')  # fmt: skip
    task = _task(f, at)
    if argument == "output":
        return _judged(task, df, _outputs(task))
    report = _judged(task, df, task.points)
    is_changed = any(mistake.name == "in-place" for mistake in report.mistakes)
    return report if report.ok or argument == "input" or is_changed else _with_other_reason(task, df, report)


def _task(f: Callable[..., Any] | str, at: Any) -> Task:
    if isinstance(f, str):
        task = task_named(f)
    elif not callable(f):
        raise OperandError(f"check_derivative() got {shown(f)} as the function.", 'Pass a function, or a name: "tanh".')
    else:
        name = getattr(f, "__name__", "f")
        shown_as = "f" if name in TASK_NAMES or not name.isidentifier() else name
        task = task_named(name) if FUNCTIONS.get(name) is f else task_of(f, None if at is None else (), shown_as)
    if at is None:
        return task
    points = _points(task, at)
    for point in points:
        try:
            task.value(point)
        except Exception as error:
            where = shown(point if len(point) > 1 else point[0])
            raise ArgumentError(f"{task.name} cannot be called at {where}: {sentences(error)}",
                                "Pass a point, as a tuple if the function takes several arguments, or a list of points."
                                ) from error  # fmt: skip
    return Task(task.name, task.function, points)


def _points(task: Task, at: Any) -> tuple[Point, ...]:
    """Return points as tuples of arguments: a list is one of points, unless the function takes a list of numbers."""
    if isinstance(at, tuple):
        return (at,)
    if not isinstance(at, list) or not at:
        return ((at,),)
    if all(isinstance(point, tuple) for point in at):
        return tuple(at)
    is_point = bool(task.points) and not trees.is_number(task.points[0][0])
    if not task.points:  # a function of the user: does it take a list?
        with contextlib.suppress(Exception):
            task.value((at,))
            is_point = True
    return ((at,),) if is_point and not all(isinstance(part, list) for part in at) else tuple([(x,) for x in at])


# -- calls -------------------------------------------------------------------------------------------------------------


class _Calls(NamedTuple):
    """What a derivative gave at points."""

    answers: list[Any]  # None where it raises
    raised: dict[int, str]  # a sentence for each such point
    changed: tuple[Named, ...]  # its argument, in the first of the calls that do so
    kept: tuple[Named, ...]  # something between calls


def _called(task: Task, df: Callable[..., Any], points: Sequence[Point]) -> _Calls:
    """Call a derivative on copies of the points, and at some of them again."""
    answers: list[Any] = []
    raised: dict[int, str] = {}
    changed: list[Named] = []
    for k, point in enumerate(points):
        own = copy.deepcopy(point)
        try:
            answers.append(_answer(task, df, own))
        except AutogradError:
            raise
        except (ArithmeticError, ValueError) as error:
            answers.append(None)
            raised[k] = f"It raises {type(error).__name__}: {error}."
        if repr([flat(x) for x in own]) != repr([flat(x) for x in point]):
            said = f"It changes its argument: {shown(point[0])} became {shown(own[0])}."
            changed.append(Named("in-place", said, "Write the results into a new list."))
    again = [None if k in raised else _answer(task, df, copy.deepcopy(p)) for k, p in enumerate(points[:3])]
    is_other = any(repr(flat(x)) != repr(flat(y)) for x, y in zip(answers, again, strict=False) if x is not None)
    return _Calls(answers, raised, tuple(changed[:1]), (_STATE,) * is_other)


_STATE = Named("state", "A second call with the same numbers gives another answer: something is kept between calls.",
               "Start from zero in each call.")  # fmt: skip


def _answer(task: Task, df: Callable[..., Any], point: Point) -> Any:
    try:
        answer = copy.deepcopy(df(*point))
    except (TypeError, AttributeError, LookupError) as error:
        raise ArgumentError(
            f"The derivative raised {type(error).__name__} at {shown(point[0])}: {error}.",
            f"It takes the arguments of {task.name}, here {', '.join([shown(x, 30) for x in point])}.",
        ) from error
    if answer is None or isinstance(answer, str) or not [*trees.numbers(answer)]:
        raise OperandError(f"The derivative returned {shown(answer)} at {shown(point[0])}.",
                           "Return a number, a list or a matrix; look for a forgotten return.")  # fmt: skip
    return answer


def _outputs(task: Task) -> list[Point]:
    """Return the points with the output of the function, or the probabilities of a loss, in place of the input."""
    by = _PROBABILITIES.get(task.name)
    return [(by.value(p[:1]) if by else task.value(p), *p[1:]) for p in task.points]


def _judged(task: Task, df: Callable[..., Any], points: Sequence[Point]) -> Diagnosis:
    """Return the diagnosis of what df gives for points, or for replacements of them."""
    calls = _called(task, df, points)
    report = diagnose(task, task.points, calls.answers)
    findings = [*report.findings]
    for k, raised in calls.raised.items():
        if findings[k].verdict is Verdict.FAIL:
            findings[k] = replace(findings[k], remark=raised)
    for named in (*calls.changed, *calls.kept):
        findings.append(Finding("calling it", Verdict.FAIL, None, math.nan, remark=named.sentence))
    mistakes = (*calls.changed, *report.mistakes, *calls.kept)
    report = replace(report, findings=tuple(findings), mistakes=mistakes)
    return report if report.ok else replace(report, place=place_of_function(df))


def _with_other_reason(task: Task, df: Callable[..., Any], report: Diagnosis) -> Diagnosis:
    """Return the report, with a reason that only calls can show: another argument, or another function."""
    extra: list[Named] = []
    try:
        by_output = diagnose(task, task.points, _called(task, df, _outputs(task)).answers)
    except Exception:  # it was not written for such an argument
        by_output = report
    if by_output.ok and not any(mistake.name == "output-form" for mistake in report.mistakes[:1]):
        by, right = _PROBABILITIES.get(task.name), right_formula(task.name)
        given = f"the probabilities a = {by.name}(z)" if by else "the output"
        first = f"Compute the output first{f': {right}' if right else ''}; or pass argument='output'."
        said = f"It is right if you pass {given}; it is judged as a function of the input."
        extra.append(Named("output-form", said, first))
    elif not report.mistakes and task.name in _OF_OUTPUTS:
        # What it says of a derivative that takes the output is the same: there is no formula with x in it.
        formulas = ("formula", "precedence")
        same = [m for m in by_output.mistakes if m.name not in formulas or not re.search(r"\bx\b", m.sentence)]
        extra += [mistake for mistake in same if mistake.name in ("sign", "factor", *formulas)]
    if not extra and not report.mistakes and task.name not in TASK_NAMES and report.verdict is Verdict.FAIL:
        extra += _forward(task, df)
    return replace(report, mistakes=(*extra, *[m for m in report.mistakes if not extra or m.name != extra[0].name]))


def _forward(task: Task, df: Callable[..., Any]) -> list[Named]:
    """Return the known function that the derivative is right for, if the user's function differs from it."""
    values, answers = [task.value(point) for point in task.points], _called(task, df, task.points).answers
    for name in RIGHT if all(len(point) == 1 and trees.is_number(point[0]) for point in task.points) else ():
        known = task_named(name)
        if diagnose(known, task.points, answers).verdict is Verdict.PASS:
            forward = diagnose(known, task.points, values, "value")
            why = forward.mistakes[0].sentence if forward.mistakes else "Compare its values."
            return [Named("forward", f"It is the derivative of {name}, but your function is not {name}. {why}",
                          f"Correct the function {task.name}.")]  # fmt: skip
    return []


def place_of_function(function: Callable[..., Any]) -> str:
    """Return where a function is written, with its only return statement; "" if there is no source."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return located(code.co_filename, code.co_firstlineno)
    returns = [node for node in ast.walk(tree) if isinstance(node, ast.Return)]
    node = returns[0] if len(returns) == 1 else None
    line = first + (node.lineno - 1 if node else 0)
    return f"{located(code.co_filename, line)}: {lines[line - first].strip()}"
