"""The exception tree. Every message says what is wrong, where in the user's program, and what to do.

    AutogradError
    ├── OperandError     (TypeError)           a value of a type that the operation cannot take
    │   └── TraceError                         an answer that is not known while a function is traced
    ├── ArgumentError    (ValueError)          the right type, but an impossible value: softmax([]), class 7 of 3
    ├── RangeError       (OverflowError)       an integer beyond the range of floats
    ├── NonFiniteError   (FloatingPointError)  under `checked()`: the first nan or infinity
    ├── DataError        (ValueError)          a data file that cannot be read, with its line and column
    ├── ProgramError     (RuntimeError)        a program that the package runs, such as dot, fails
    └── MissingError     (ImportError)         an optional dependency or program that is not installed

Not here: the decision when to raise. Read next: `script`.
"""

from __future__ import annotations

from autograd_mini.output.streams import printable_lines
from autograd_mini.program.owner import user_site


class AutogradError(Exception):
    """The base of every error that this package raises on purpose.

    Args:
        what: what is wrong, as a sentence that quotes the offending value.
        do: what you can do about it, as a sentence. If given, the message also says where in your program it began.

    >>> print(AutogradError("The list is empty."))
    The list is empty.
    """

    def __init__(self, what: str, do: str | None = None) -> None:
        if do is not None:  # an unpickled error has its finished message and no advice
            site = user_site()
            what = f"{what}\n  where: {site}\n  do:    {do}" if site else f"{what}\n  do:    {do}"
        super().__init__(printable_lines(what))


class OperandError(AutogradError, TypeError):
    """A value of a type that the operation cannot take, such as `Value("2")`."""


class TraceError(OperandError):
    """A number that is not known while a function is traced, such as in `if x > 0.0:`."""


class ArgumentError(AutogradError, ValueError):
    """A value of the right type that is impossible there, such as `softmax([])`."""


class RangeError(AutogradError, OverflowError):
    """An integer beyond the range of floats, such as `Value(10**400)`."""


class NonFiniteError(AutogradError, FloatingPointError):
    """The first nan or infinity under `checked()`, with the operands or the adjoint that made it."""


class DataError(AutogradError, ValueError):
    """A data file that cannot be used; the message names its line and column."""


class ProgramError(AutogradError, RuntimeError):
    """A program that the package runs, such as dot, fails or hangs; the message quotes its error output."""


class MissingError(AutogradError, ImportError):
    """An optional package or program is missing; the message says how to install it."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number of things: "1 operand", "2 operands", or with its own plural "2 boxes"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def shown(value: object, limit: int = 60) -> str:
    """Return a value as error messages quote it: its repr, shortened."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sentences(error: Exception) -> str:
    """Return an error's message as sentences, without the place: what is wrong, and what to do."""
    lines = [line.removeprefix("  do:").strip() for line in str(error).splitlines() if not line.startswith("  where:")]
    return " ".join(lines)
