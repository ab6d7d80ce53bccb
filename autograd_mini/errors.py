"""The exception tree. Every message says what is wrong, where in the user's program, and what to do.

    AutogradError
    ├── OperandError     (TypeError)           a value of a type the operation cannot take
    ├── ArgumentError    (ValueError)          the right type, an impossible value: softmax([]), class 7 of 3
    ├── RangeError       (OverflowError)       an integer beyond the range of floats
    ├── NonFiniteError   (FloatingPointError)  under `checked()`: the first nan or infinity
    ├── DataError        (ValueError)          a data file that cannot be read, with its line and column
    ├── ProgramError     (RuntimeError)        a program that the package runs, such as dot, that fails
    └── MissingError     (ImportError)         an optional dependency or program that is not installed

Not here: any decision when to raise. Read next: `script`.
"""

from __future__ import annotations

from autograd_mini.output.streams import printable_lines
from autograd_mini.program.owner import user_site


class AutogradError(Exception):
    """The root of every error this package raises on purpose.

    Args:
        what: what is wrong, a full sentence that quotes the offending value.
        do: what you can do about it, a full sentence. With it the message also says where in your program it began.

    >>> print(AutogradError("The list is empty."))
    The list is empty.
    """

    def __init__(self, what: str, do: str | None = None) -> None:
        if do is not None:  # an error that is unpickled comes with its finished message and no advice
            site = user_site()
            what = f"{what}\n  where: {site}\n  do:    {do}" if site else f"{what}\n  do:    {do}"
        super().__init__(printable_lines(what))


class OperandError(AutogradError, TypeError):
    """A value of a type that the operation cannot take, such as `Value("2")`."""


class ArgumentError(AutogradError, ValueError):
    """A value of the right type that makes no sense there, such as `softmax([])`."""


class RangeError(AutogradError, OverflowError):
    """An integer beyond the range of floats, such as `Value(10**400)`."""


class NonFiniteError(AutogradError, FloatingPointError):
    """The first nan or infinity under `checked()`, with the operands or the adjoint that made it."""


class DataError(AutogradError, ValueError):
    """A data file that cannot be used; the message names its line and column."""


class ProgramError(AutogradError, RuntimeError):
    """A program that the package runs, such as dot, fails or hangs; the message quotes its complaint."""


class MissingError(AutogradError, ImportError):
    """An optional package or program is missing; the message is the command that installs it."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things: "1 operand", "2 operands", and where an s is not enough "2 boxes"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message quotes it: its repr, shortened."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sentences(error: Exception) -> str:
    """What an error of this package says, without the place in the program: what is wrong, and what to do."""
    lines = [line.removeprefix("  do:").strip() for line in str(error).splitlines() if not line.startswith("  where:")]
    return " ".join(lines)
