"""`emit`: value and derivatives of a function as source code that a beginner can read, with the user's names and loops.

Not here: functions that are compiled and run here (`compiled`). Read next: `drawing`.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from autograd_mini.compile.backends.interpreter import Program
from autograd_mini.compile.languages import DERIVATIVES
from autograd_mini.compile.languages.c import C
from autograd_mini.compile.languages.java import JAVA, class_of
from autograd_mini.compile.languages.javascript import JAVASCRIPT
from autograd_mini.compile.languages.language import Language, Outline, Parameter, remark
from autograd_mini.compile.languages.lowering import lowered_with
from autograd_mini.compile.languages.ordering import Store
from autograd_mini.compile.languages.parameters import Arguments, identifier
from autograd_mini.compile.languages.python import PYTHON
from autograd_mini.compile.languages.rolling import Grid, Rolled, Vector
from autograd_mini.compile.languages.writing import Writer
from autograd_mini.compile.tape import CONSTANT, INPUT, Tape
from autograd_mini.compile.tracing import Builder, Register, tracing
from autograd_mini.core.row import ZERO
from autograd_mini.core.sweep import propagate
from autograd_mini.core.traced import Traced
from autograd_mini.errors import ArgumentError, AutogradError, OperandError, TraceError, counted, shown
from autograd_mini.nn.module import Module
from autograd_mini.output import files
from autograd_mini.program.source import Site, cell, listed, located, variable
from autograd_mini.transforms import trees
from autograd_mini.transforms.derivatives import _output, _positions, _split, hessian, jacobian, names_of
from autograd_mini.transforms.recorded import Recorded
from autograd_mini.transforms.trees import Tree

LANGUAGES = {language.name: language for language in (PYTHON, C, JAVA, JAVASCRIPT)}


@dataclass(repr=False)
class Emitted:
    """Source code that computes a function and its derivatives; `str` is the code.

    Attributes:
        language: what it is written in.
        name: of the function in it.
        source: the code.
        tape: what it computes, as instructions: the value, and then the derivatives.
        outline: its parts.
    """

    language: str
    name: str
    source: str
    tape: Tape
    outline: Outline
    _expected: tuple[list[Any], list[float]] | None = None

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<{self.name} in {self.language}, {counted(len(self.source.splitlines()), 'line')}>"

    def test(self, file: str | None = None) -> str:
        """Return the source of a test beside a file with the code, by its name; "" without `test=True`."""
        if self._expected is None:
            return ""
        return LANGUAGES[self.language].test(self.outline, *self._expected, file or self.file)

    @property
    def file(self) -> str:
        """What the file of the code is usually called."""
        name = class_of(self.name) if self.language == "java" else self.name
        return name + LANGUAGES[self.language].suffix

    def save(self, path: str | Path | None = None) -> Path:
        """Write the code into a file, and the test, if there is one, beside it; return the path of the code."""
        path = files.write(self.file if path is None else path, self.source)
        if self._expected is not None:
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
    argnums: int | Sequence[int] | None = None,
    name: str | None = None,
    test: bool = False,
) -> Emitted:
    """Write the value of a function and its derivatives as source code, with the bits that this package computes.

    Where the language lacks a function, the code brings it along; it has no dependencies. Lists become arrays of the
    length that they have in the example, and work on each of their elements becomes a loop.

    Args:
        f: a function of numbers, or of lists, tuples, dicts and NumPy arrays of numbers, that returns one number.
            Lists of lists become one array, row by row; each entry of a dict becomes an argument of its own. Or a
            model, whose parameters come before its arguments.
        example: arguments like those that the code will be called with; only their structure matters. A model of `nn`
            becomes arrays of its parameters, such as a matrix of a layer's weights.
        language: "python", "c", "java" or "javascript".
        derivative: "gradient" for value and gradient; "jacobian" for the matrix of a function that returns several
            numbers, or "hessian" for that of one number, both as one array, row by row.
        argnums: the position of the argument to differentiate by, or several; by default all.
        name: what the function is called in the code; by default as f is.
        test: whether to write a test too, which compares the results for the example.

    Returns:
        the code: `str` of it is the source, and `save(path)` writes it. If the language is Python, `function` runs it.

    Raises:
        TraceError: f needs the value of a number while it is traced.
        ArgumentError: the language or the derivative is unknown, or the code would be too long.
        OperandError: f is not a function, or an argument or the result is not made of numbers.

    >>> print(emit(lambda x: x * x, 3.0, name="square"))
    def square(x):
        \"\"\"Value and derivatives of square, written by autograd_mini.\"\"\"
        d_x = x + x
        return x * x, d_x
    <BLANKLINE>
    """
    if not isinstance(language, str) or language not in LANGUAGES:
        raise ArgumentError(f"There is no language {shown(language)}.", f"Choose one of {', '.join(LANGUAGES)}.")
    if derivative not in DERIVATIVES:
        raise ArgumentError(f"There is no derivative {shown(derivative)}.", f"Choose {', '.join(DERIVATIVES)}.")
    if not isinstance(name, (str, NoneType)):
        raise ArgumentError(f"A function cannot be called {shown(name)}.", 'Give a text: name="loss".')
    if not callable(f):
        raise OperandError(f"emit() takes a function, not {shown(f)}.", "Write emit(f, x), not emit(f(x)).")
    if not example:
        raise ArgumentError("emit() needs an example of the arguments.", "Write emit(f, 1.0), or emit(f, [0.0, 0.0]).")
    paths = names_of(f, len(example))
    if isinstance(f, Module):
        name, paths, example = name or type(f).__name__.lower(), ["model", *paths], (f, *example)
        f = functools.partial(_called)
    chosen = LANGUAGES[language]
    title = identifier(chosen.title(name or _plain(getattr(f, "__name__", "f"))), chosen, [*chosen.provided])
    positions = range(len(example)) if argnums is None else _positions(argnums, example)
    arguments = Arguments(paths, example, chosen, title, positions)
    with tracing(sys._getframe()) as builder:
        outputs, names = _traced(arguments.takes_models(f), arguments, builder, derivative)
        if not outputs:
            raise OperandError("emit() needs a function that returns numbers; this one returned none.", "Return some.")
        tape = builder.tape(outputs)
    tape, names = lowered_with(tape, names)
    outline = outline_of(tape, arguments, _about(f, title, derivative), names, derivative)
    _check_length(chosen, outline)
    kept = (arguments.given(), Program(tape)(arguments.numbers)) if test else None
    return Emitted(language, title, chosen.file(outline), tape, outline, kept)


def _check_length(language: Language, outline: Outline) -> None:
    length = sum(map(len, outline.lines))
    if language.most is not None and length > language.most:
        raise ArgumentError(
            f"The function would have {length:,} characters, and {language.name} allows about {language.most:,}.",
            "Emit a smaller function, or choose another language.",
        )


def _about(f: Callable[..., Any], title: str, derivative: str) -> str:
    """The sentence above the function."""
    code: Any = getattr(f, "__code__", None)
    file, line = ("<unknown>", 1) if code is None else (code.co_filename, code.co_firstlineno)
    has_source = linecache.getline(file, line) and (cell(file) or not file.startswith("<"))
    source = f" ({remark(located(file if cell(file) else Path(file).name, line))})" if has_source else ""
    what = {"gradient": "Value and derivatives", "jacobian": "Jacobian", "hessian": "Hessian"}[derivative]
    return f"{what} of {title}{source}, written by autograd_mini."


def emit_example(
    f: Callable[..., Any], examples: Sequence[str] | None, language: str, derivative: str, name: str, test: bool
) -> Emitted:
    """Emit a function for examples of its arguments as texts; without any, each of its parameters is a number."""
    try:
        example = [ast.literal_eval(text) for text in examples or ()]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ArgumentError(
            f"The example {' '.join(examples or ())!r} cannot be read.",
            "Write numbers and lists as in Python, each in quotes: '[0.0, 0.0]' 1.0.",
        ) from None
    if examples is None:
        parameters = inspect.signature(f).parameters.values()
        kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
        example = [1.0 for p in parameters if p.kind in kinds and p.default is p.empty]
    try:
        return emit(f, *example, language=language, derivative=derivative, name=name, test=test)
    except Exception as error:
        if isinstance(error, AutogradError) and (examples is not None or isinstance(error, TraceError)):
            raise
        given = "each parameter a number, because there is no --example" if examples is None else "the given --example"
        raise ArgumentError(
            f"{name}() raised {type(error).__name__} (with {given}): {str(error).splitlines()[0]}",
            "Give an example of its arguments: --example '[0.0, 0.0]' 1.0.",
        ) from error


def _called(model: Callable[..., Any], *args: Any) -> Any:
    return model(*args)


def _plain(name: str) -> str:
    return "f" if name == "<lambda>" else name


def _traced(
    f: Callable[..., Any], arguments: Arguments, builder: Builder, derivative: str
) -> tuple[list[Any], dict[int, str]]:
    """The value, unless there are several, and the derivatives, as data; and the user's names of registers."""
    variables = arguments.inputs(builder)
    replacements = iter(variables)
    args = [trees.rebuilt(tree, replacements) for tree in arguments.example]
    if derivative != "gradient":
        transform = hessian if derivative == "hessian" else jacobian
        matrix = transform(f, tuple(arguments.positions))(*args)
        return [_data(x) for _, x in trees.numbers(matrix)], {}
    variables = [variables[i] for _, places in arguments.chosen() for i in places]
    record = Recorded(f, args, {}, variables, variables, lambda result: _split("emit", result, False))
    output = _output("emit", record)
    if not isinstance(output, Traced):
        return [_data(output), *[0.0] * len(variables)], {}
    order, _ = record.order_of([output])
    order[output] = 1.0
    propagate(output, 1.0, order, variables, record._partials)
    return [output.data, *[_data(order.get(x, ZERO)) for x in variables]], _names(builder, order)


def _data(number: Any) -> Any:
    return 0.0 if number is ZERO else number.data if isinstance(number, Traced) else number


def _names(builder: Builder, order: dict[Any, Any]) -> dict[int, str]:
    """What the user calls registers: the variables that results are assigned to, and d_... for derivatives by them."""
    groups: dict[tuple[Any, int], list[Any]] = {}
    for node in order:
        place = builder.place_of(node.data) if type(node) is Traced and isinstance(node.data, Register) else None
        if place is not None:
            groups.setdefault(place, []).append(node)
    named: list[tuple[Any, str]] = []
    for place, nodes in groups.items():
        site = Site(*place)
        name, of_list = variable(site), listed(site)
        if name:
            nodes = nodes[-1:]
        elif of_list:
            name, nodes = of_list, [node for node in nodes if node.op == nodes[-1].op]
        named += [(node, name) for node in nodes if name]
    names = {node.data.index: name for node, name in named}
    for node, name in named:
        adjoint = getattr(order[node], "data", None)
        if isinstance(adjoint, Register):
            names.setdefault(adjoint.index, f"d_{name}")
    return names


def outline_of(
    tape: Tape, arguments: Arguments, about: str, names: Mapping[int, str], derivative: str = "gradient"
) -> Outline:
    """The emitted function of a lowered tape: its value, if there is a gradient, and its derivatives."""
    language = arguments.language
    taken = [arguments.title, *[p.name for p in arguments.parameters]]
    if derivative == "gradient":
        wanted = [Parameter(language.variable_of(f"d_{p.name}"), p.length) for p, _ in arguments.chosen()]
        returned, outputs = [tape.outputs[0]], tape.outputs[1:]
    else:
        wanted, returned, outputs = [Parameter(derivative, len(tape.outputs))], [], tape.outputs
    derivatives: list[Parameter] = []
    for name, length in wanted:
        derivatives.append(Parameter(identifier(name, language, taken), length))
        taken.append(derivatives[-1].name)
    inputs = {int(detail or 0): i for i, (op, _, detail) in enumerate(tape.instructions) if op == INPUT}
    rows = [
        ((name, where.start, where.step), tuple([inputs[start + i] for i in where]))
        for name, where, start in arguments.rows
    ]
    rolled = Rolled(tape, rows)
    stores = [*_stores(language, rolled, derivatives, outputs)]
    filled = [(p.name, p.length) for p in derivatives if p.length is not None and not language.is_filling]
    writer = Writer(language, rolled, arguments.texts, names, stores, returned, taken, filled)
    value = writer.result(returned[0]) if returned else None
    return Outline(
        arguments.title,
        about,
        tuple(arguments.parameters),
        tuple(derivatives),
        tuple(writer.lines),
        value,
        tuple(writer.uses.helpers.values()),
    )


def _stores(
    language: Language, rolled: Rolled, derivatives: Sequence[Parameter], outputs: Sequence[int]
) -> Iterator[Store]:
    """The statements that write the derivatives: of as many as possible at once."""
    remaining = outputs
    for name, length in derivatives:
        registers, remaining = remaining[: length or 1], remaining[length or 1 :]
        if length is None:
            declared = f"*{name}" if language.is_filling else f"{language.number}{name}"
            yield _store(rolled, declared, registers[0])
            continue
        written: set[int] = set()
        for i, register in enumerate(registers):
            if i not in written:
                vector, _ = rolled.elements.get(register, (None, 0))
                grid, _ = rolled.rows.get(vector, (None, 0)) if vector is not None else (None, 0)
                for source in (grid, vector):
                    down, right, places = _spread(source, registers[i:])
                    if source is not None and places and written.isdisjoint([i + k for k in places]):
                        written.update([i + k for k in places])
                        yield Store(name, source, offset=i, stride=down, right=right)
                        break
                else:
                    yield _store(rolled, f"{name}[{i}]", register)


def _spread(source: Grid | Vector | None, registers: Sequence[int]) -> tuple[int, int, list[int]]:
    """How far rows and columns are apart among registers that start with them, and all their places; none if unevenly.

    A vector is a grid of columns of one element each.
    """
    if isinstance(source, Grid):
        rows = [row.registers for row in source.rows]
    else:
        rows = [] if source is None else [(x,) for x in source.registers]
    if rows and registers[0] == rows[0][0]:
        below, beside = rows[1][0], rows[0][-1 if len(rows[0]) == 1 else 1]
        for down in [k for k, x in enumerate(registers) if x == below]:
            for right in [k for k, x in enumerate(registers) if x == beside]:
                places = [i * down + k * right for i, row in enumerate(rows) for k in range(len(row))]
                if places[-1] < len(registers) and [registers[k] for k in places] == [x for row in rows for x in row]:
                    return down, right, places
    return 0, 0, []


def _store(rolled: Rolled, target: str, register: int) -> Store:
    op, _, detail = rolled.tape.instructions[register]
    return Store(target, register, constant=float(detail or 0.0) if op == CONSTANT else None)
