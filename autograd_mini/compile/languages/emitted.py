"""`emit`: value and derivatives of a function as source code that a beginner can read, with the user's names and loops.

Not here: functions that are compiled and run here (`compiled`). Read next: `compile.compiled`.
"""

from __future__ import annotations

import linecache
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.languages.language import Language
from autograd_mini.compile.languages.lowering import lowered_with
from autograd_mini.compile.languages.programs import DIALECTS, Dialect, Outline, Parameter, class_of
from autograd_mini.compile.languages.rolling import Rolled
from autograd_mini.compile.languages.writing import Store, Writer
from autograd_mini.compile.tape import CONSTANT, INPUT, Place, Tape
from autograd_mini.compile.tracing import Builder, Register, tracing
from autograd_mini.core.arrays import is_array
from autograd_mini.core.row import ZERO, as_number, operand_error
from autograd_mini.core.sweep import propagate
from autograd_mini.core.traced import Traced
from autograd_mini.errors import ArgumentError, OperandError, counted, shown
from autograd_mini.output import files
from autograd_mini.program import assignments
from autograd_mini.program.source import Site
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import _output, _split, hessian, jacobian, names_of
from autograd_mini.transforms.recorded import Recorded
from autograd_mini.transforms.trees import Tree

DERIVATIVES = ("gradient", "jacobian", "hessian")


@dataclass
class Emitted:
    """Source code that computes a function and its derivatives; `str` is the code.

    Attributes:
        language: what it is written in.
        name: of the function in it.
        source: the code.
        tape: what it computes, as instructions: the value, and then the derivatives.
    """

    language: str
    name: str
    source: str
    tape: Tape
    _check: Callable[[str], str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.source

    def test(self, file: str | None = None) -> str:
        """Return the source of a test beside a file with the code, by its name; "" without `test=True`."""
        return self._check(file or self.file) if self._check is not None else ""

    @property
    def file(self) -> str:
        """What the file of the code is usually called."""
        name = class_of(self.name) if self.language == "java" else self.name
        return name + DIALECTS[self.language].language.suffix

    def save(self, path: str | Path | None = None) -> Path:
        """Write the code into a file, and the test, if there is one, beside it; return the path of the code."""
        path = files.write(self.file if path is None else path, self.source)
        if self._check is not None:
            stem = f"{class_of(self.name)}Test" if self.language == "java" else f"{path.stem}_test"
            files.write(path.with_name(stem + path.suffix), self.test(path.name))
        return path

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself, if it is written in Python; debuggers step through its source.

        Raises:
            ArgumentError: it is written in another language.
        """
        if self.language != "python":
            raise ArgumentError(f"The code is in {self.language}, so it cannot run here.", 'Emit language="python".')
        file = f"<emitted {self.name} {id(self)}>"
        linecache.cache[file] = len(self.source), None, self.source.splitlines(keepends=True), file
        scope: dict[str, Any] = {}
        exec(compile(self.source, file, "exec", dont_inherit=True), scope)
        made: Callable[..., Any] = scope[self.name]
        return made


def emit(
    f: Callable[..., Any],
    *example: Tree,
    language: str = "python",
    derivative: str = "gradient",
    name: str | None = None,
    test: bool = False,
) -> Emitted:
    """Write the value of a function and its derivatives as source code, with the bits that this package computes.

    Where the language lacks a function, the code brings it; it depends on nothing else. Lists become arrays of the
    length that they have in the example, and what is done with each of their elements becomes a loop.

    Args:
        f: a function of numbers, or of lists, tuples, dicts and NumPy arrays of numbers, that returns one number.
            Lists of lists become one array, row by row; each entry of a dict becomes an argument of its own.
        example: arguments like those that the code will be called with; only their structure matters.
        language: "python", "c", "java" or "javascript".
        derivative: "gradient" for value and gradient; "jacobian" for the matrix of a function that returns several
            numbers, or "hessian" for that of one number, both as one array, row by row.
        name: what the function is called in the code; by default as f is.
        test: whether to write a test too, which compares the results for the example.

    Returns:
        the code: `str` of it is the source, `save(path)` writes it, and `function` is it if it is in Python.

    Raises:
        TraceError: f needs the value of a number while it is traced.
        ArgumentError: the language or the derivative is unknown, or the code would be too long.
        OperandError: f is not a function, or an argument or the result is not made of numbers.

    >>> print(emit(lambda x: x * x, 3.0, name="square"))
    def square(x):
        \"\"\"The value of square and its derivatives, by autograd_mini.\"\"\"
        d_x = x + x
        return x * x, d_x
    <BLANKLINE>
    """
    dialect = _dialect(language)
    if derivative not in DERIVATIVES:
        raise ArgumentError(f"There is no derivative {shown(derivative)}.", f"Choose {', '.join(DERIVATIVES)}.")
    if not callable(f):
        raise OperandError(f"emit() takes a function, not {shown(f)}.", "Write emit(f, x), not emit(f(x)).")
    if not example:
        raise ArgumentError("emit() needs an example of the arguments.", "Write emit(f, 1.0), or emit(f, [0.0, 0.0]).")
    title = _identifier(name or _plain(getattr(f, "__name__", "f")), dialect.language)
    arguments = _Arguments(f, example, dialect.language, title)
    with tracing(sys._getframe()) as builder:
        outputs, names = _traced(f, arguments, builder, derivative)
        tape = builder.tape(outputs)
    tape, names = lowered_with(tape, names)
    most = dialect.language.most
    if most is not None and len(tape) > most:
        raise ArgumentError(
            f"The code would have about {counted(len(tape), 'instruction')}, but {dialect.language.name} allows about "
            f"{most:,} in one method.",
            "Emit a smaller function, or choose another language.",
        )
    outline = _outline(f, dialect, title, arguments, tape, names, derivative)
    expected = Program(tape)(arguments.numbers) if test else []
    inputs = [arguments.numbers[start : start + (count or 1)] if count is not None else arguments.numbers[start]
              for start, count in arguments.spans]  # fmt: skip
    check = (lambda file: dialect.check(outline, inputs, expected, file)) if test else None
    return Emitted(language, title, dialect.write(outline), tape, check)


def _dialect(language: str) -> Dialect:
    if language not in DIALECTS:
        raise ArgumentError(f"There is no language {shown(language)}.", f"Choose one of {', '.join(DIALECTS)}.")
    return DIALECTS[language]


def _plain(name: str) -> str:
    return "f" if name == "<lambda>" else name


def _identifier(name: str, language: Language, taken: Sequence[str] = ()) -> str:
    """A name that the language allows."""
    name = re.sub(r"\W+", "_", name).strip("_") or "f"
    name = f"x{name}" if name[0].isdigit() else name
    while name in language.reserved or name in taken:
        name += "_"
    return name


class _Arguments:
    """The arguments of the function, as parameters of the emitted one.

    Attributes:
        parameters: numbers and arrays.
        spans: for each parameter its first input, and its length.
        numbers: the numbers of the example.
        texts: how each input is written.
        rows: the inputs that lie side by side in the innermost lists: where, and how many.
    """

    def __init__(self, f: Callable[..., Any], example: Sequence[Tree], language: Language, title: str) -> None:
        self.example, self.language = example, language
        self.parameters: list[Parameter] = []
        self.spans: list[tuple[int, int | None]] = []
        self.numbers: list[float] = []
        self.texts: list[str] = []
        self.rows: list[tuple[str, int, int, int]] = []
        self.taken = [title]
        for path, tree in zip(names_of(f, len(example)), example, strict=True):
            self._add(path, tree)

    def _add(self, path: str, tree: Tree) -> None:
        parts = trees.parts_of(tree)
        is_list = isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields") and _is_plain(tree)
        if parts is not None and not is_list:
            for step, part in parts:
                self._add(path + step, part)
            return
        name = _identifier(path, self.language, self.taken)
        self.taken.append(name)
        start = len(self.numbers)
        for place, leaf in trees.numbers(tree, path):
            number = as_number(leaf)
            if number is None:
                raise operand_error(f"emit() with {place}", leaf)
            self.numbers.append(number)
        count = None if trees.is_number(tree) else len(self.numbers) - start
        if count == 0:
            raise ArgumentError(f"{path} is empty, so there is nothing to differentiate by.", "Pass some numbers.")
        self.parameters.append(Parameter(name, count))
        self.spans.append((start, count))
        self.texts += [name if count is None else f"{name}[{i}]" for i in range(count or 1)]
        if count is not None:
            offset = 0
            for length in _row_lengths(tree):
                self.rows.append((name, offset, start + offset, length))
                offset += length

    def inputs(self, builder: Builder) -> list[Traced]:
        """New inputs of a tape, one for each number."""
        return [Traced(builder.input(text), text) for text in self.texts]


def _is_plain(tree: Tree) -> bool:
    """Whether a structure has nothing but lists and numbers."""
    if isinstance(tree, (list, tuple)) and not hasattr(tree, "_fields"):
        return all(map(_is_plain, tree))
    return trees.parts_of(tree) is None and not is_array(tree)


def _row_lengths(tree: Tree) -> Iterator[int]:
    """The lengths of the innermost lists."""
    if is_array(tree):
        yield from [tree.shape[-1]] * (tree.size // tree.shape[-1])
    elif any(trees.parts_of(part) is not None for part in tree):
        for part in tree:
            yield from _row_lengths(part) if trees.parts_of(part) is not None else [1]
    else:
        yield len(tree)


def _traced(
    f: Callable[..., Any], arguments: _Arguments, builder: Builder, derivative: str
) -> tuple[list[Any], dict[int, str]]:
    """The value, unless there are several, and the derivatives, as data; and the user's names of registers."""
    variables = arguments.inputs(builder)
    replacements = iter(variables)
    args = [trees.rebuilt(tree, replacements) for tree in arguments.example]
    if derivative != "gradient":
        transform = hessian if derivative == "hessian" else jacobian
        matrix = transform(f, tuple(range(len(args))))(*args)
        return [_data(x) for _, x in trees.numbers(matrix)], {}
    record = Recorded(f, args, {}, variables, variables, lambda result: _split("emit", result, False))
    output = _output("emit", record)
    if not isinstance(output, Traced):
        return [_data(output), *[0.0] * len(variables)], {}
    order, _ = record.order_of([output])
    order[output] = 1.0
    propagate(output, 1.0, order, variables, record._partials)
    return [output.data, *[_data(order.get(x, ZERO)) for x in variables]], _names(builder, order, variables)


def _data(number: Any) -> Any:
    return 0.0 if number is ZERO else number.data if isinstance(number, Traced) else number


def _names(builder: Builder, order: dict[Any, Any], variables: Sequence[Traced]) -> dict[int, str]:
    """What the user calls registers: the variables that results are assigned to, and d_... for derivatives by them."""
    groups: dict[tuple[Any, int], list[Any]] = {}
    for node in order:
        place = builder.place_of(node.data) if type(node) is Traced and isinstance(node.data, Register) else None
        if place is not None:
            groups.setdefault(place, []).append(node)
    names: dict[int, str] = {}
    for place, nodes in groups.items():
        site = Site(*place)
        name, of_list = assignments.variable(site), assignments.listed(site)
        if name:
            nodes = nodes[-1:]
        elif of_list:
            name, nodes = of_list, [node for node in nodes if node.op == nodes[-1].op]
        for node in nodes if name else ():
            names.setdefault(node.data.index, name)
            adjoint = getattr(order[node], "data", None)
            if isinstance(adjoint, Register):
                names.setdefault(adjoint.index, f"d_{name}")
    return names


def _outline(
    f: Callable[..., Any],
    dialect: Dialect,
    title: str,
    arguments: _Arguments,
    tape: Tape,
    names: dict[int, str],
    derivative: str,
) -> Outline:
    """The emitted function: its parts, and its statements."""
    language = dialect.language
    places = {int(detail or 0): i for i, (op, _, detail) in enumerate(tape.instructions) if op == INPUT}
    rows = [
        ((name, offset), tuple([places[start + i] for i in range(length)]))
        for name, offset, start, length in arguments.rows
    ]
    rolled = Rolled(tape, rows)
    taken = [*arguments.taken, title]
    returned: list[int] = []
    if derivative == "gradient":
        derivatives = []
        for parameter in arguments.parameters:
            name = _identifier(language.variable(f"d_{parameter.name}"), language, taken)
            taken.append(name)
            derivatives.append(Parameter(name, parameter.count))
        returned = [tape.outputs[0]]
        outputs = tape.outputs[1:]
    else:
        derivatives = [Parameter(_identifier(derivative, language, taken), len(tape.outputs))]
        taken.append(derivatives[0].name)
        outputs = tape.outputs
    stores = [*_stores(language, rolled, derivatives, outputs)]
    writer = Writer(language, dialect.syntax, rolled, arguments.texts, names, stores, returned, taken)
    value = writer.result(returned[0]) if returned else None
    code = getattr(f, "__code__", None)
    source = f" from {Path(code.co_filename).name}, line {code.co_firstlineno}," if _has_file(code) else ""
    what = {"gradient": "value of {} and its derivatives"}.get(derivative, f"{derivative} of {{}}").format(title)
    about = f"The {what},{source} by autograd_mini."
    helpers = tuple(writer.uses.texts())
    return Outline(title, about, tuple(arguments.parameters), tuple(derivatives), tuple(writer.lines), value, helpers)


def _has_file(code: Any) -> bool:
    return code is not None and Path(code.co_filename).is_file()


def _stores(
    language: Language, rolled: Rolled, derivatives: Sequence[Parameter], outputs: Sequence[int]
) -> Iterator[Store]:
    """The statements that write the derivatives."""
    place = 0
    for name, count in derivatives:
        registers = outputs[place : place + (count or 1)]
        place += count or 1
        if count is None:
            declared = f"*{name}" if language.name == "c" else f"{language.number}{name}"
            yield _store(rolled, declared, registers[0])
            continue
        i = 0
        while i < count:
            vector, first = rolled.elements.get(registers[i], (None, 0))
            if vector is not None and first == 0 and tuple(registers[i : i + len(vector)]) == vector.registers:
                yield Store(name, vector, offset=i)
                i += len(vector)
            else:
                yield _store(rolled, f"{name}[{i}]", registers[i])
                i += 1


def _store(rolled: Rolled, target: str, register: int) -> Store:
    op, _, detail = rolled.tape.instructions[register]
    return Store(target, register, constant=float(detail or 0.0) if op == CONSTANT else None)
