"""Ready lessons: each is one question, a short program, and text beside the steps of its `backward()`.

A lesson is a Markdown file in this folder. Its numbers are expressions in braces, computed from the run of the program,
so that text and steps cannot disagree. Not here: the page (`pages`) and the slides. Read next: `debug.blocks`.
"""

from __future__ import annotations

import difflib
import html
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any

from autograd_mini.debug.disorder import Disorder, disorder
from autograd_mini.debug.pages import Page, checked_path
from autograd_mini.debug.pages.browser import PDF
from autograd_mini.debug.pages.deck import Deck, Note
from autograd_mini.debug.program import Call, debug_program
from autograd_mini.debug.timeline.journal import BACKWARD, Step, edges
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import is_node
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import number

NAMES = ("chain", "tanh", "softmax", "vanishing", "order", "nan")  # in the order of a course
_PROGRAM = re.compile(r"# (.+)\n\n```python\n(.*?)```\n", re.DOTALL)
_SECTION = re.compile(r"^## (.+)\nat: (.+)\n\n", re.MULTILINE)
_NUMBER = re.compile(r"\{([^{}]+?)(?::([\w.]+))?\}")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Section:
    """A piece of a lesson's text, as Markdown, and the step that it is about, as an expression."""

    heading: str
    at: str
    text: str


class Lesson:
    """A lesson: a question, a program whose first `backward()` it steps through, and sections of text.

    >>> Lesson("chain").question
    'What is a derivative through a chain?'
    """

    def __init__(self, name: str) -> None:
        text = (files(__package__) / f"{name}.md").read_text(encoding="utf-8")
        start = _PROGRAM.match(text)
        assert start is not None  # each file of ours begins so
        self.name, (self.question, self.program) = name, start.groups()
        _, *pieces = _SECTION.split(text[start.end() :])
        self.sections = [Section(*some) for some in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)]

    @cached_property
    def run(self) -> Run:
        """The program, after it has run once."""
        calls: list[tuple[Call, Trace]] = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{self.name}.py")
            path.write_text(self.program, encoding="utf-8")
            debug_program(str(path), [], lambda call: calls.append((call, call.trace())))
        call, trace = calls[0]
        trace.seek(0)
        return Run(trace, dict(call.spaces[-1]))

    @cached_property
    def notes(self) -> list[Note]:
        """The sections with their numbers, as HTML, in the order of their steps."""
        return [
            Note(step := self.run.compute(section.at, 0), _inline(section.heading), self._written(section.text, step))
            for section in self.sections
        ]

    @property
    def title(self) -> str:
        """The question, as plain text."""
        return self.question.replace("`", "")

    def save(self, path: str | Path | None = None, slides: bool = False) -> Path:
        """Write the page of the lesson, or slides, and return the path; a .pdf file has slides."""
        path = checked_path(path or f"{self.name}{'-slides' * slides}.html", slides=True)
        if slides or path.suffix.lower() == PDF:
            return Deck(self.run.trace, title=self.title, notes=self.notes).save(path)
        return Page(self.run.trace, title=self.title, notes=self.notes).save(path)

    def _written(self, text: str, step: int) -> str:
        return "".join(self._block(block, step) for block in text.strip().split("\n\n"))

    def _block(self, block: str, step: int) -> str:
        """Return a paragraph, or a table whose rows stand in the text or come from an expression, as HTML."""
        whole = _NUMBER.fullmatch(block)
        if whole is not None:
            return _table([*self.run.compute(whole[1], step)], "th")
        filled = self._filled(block, step)
        if block.startswith("|"):
            return _table([line.strip("| ").split(" | ") for line in filled.split("\n")])
        return f"<p>{' '.join(filled.split())}</p>"

    def _filled(self, text: str, step: int) -> str:
        """Return Markdown with its numbers as HTML."""

        def computed(found: re.Match[str]) -> str:
            result = self.run.compute(found[1], step)
            return format(result, found[2]) if found[2] else number(float(result.data if is_node(result) else result))

        return "".join(
            f"<code>{html.escape(piece)}</code>" if place % 2 else _NUMBER.sub(
                lambda found: f"<b>{computed(found).replace('-', '−')}</b>", html.escape(piece, quote=False)
            )
            for place, piece in enumerate(text.split("`"))
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """A program that has run: the trace of its first `backward()`, and its variables at the end."""

    trace: Trace
    variables: dict[str, Any]

    def compute(self, expression: str, step: int) -> Any:
        """Compute an expression of a lesson with the program's variables, and words about a step."""
        trace, journal = self.trace, self.trace.journal
        words = {
            "computed": journal.numbers.__getitem__,  # the step that computes a node
            "arrives": lambda node: journal.arrivals(node)[-1],  # the step that completes its gradient
            "end": len(trace) - 1,
            "now": lambda node: trace.grad(node, step),  # its gradient after this step
            "last": lambda node: trace[max(at for at in journal.arrivals(node) if at <= step)].contribution,
            "slope": lambda node, by: next(local for operand, local in edges(node) if operand is by),
            "seed": trace.seed,
            "wrong": disorder(trace),
            "both_orders": both_orders,
        }
        return eval(expression, {**self.variables, **words})  # the expressions are our own


def all_lessons() -> str:
    """Return a line for each lesson: its name and its question."""
    return "\n".join(f"{name:{max(map(len, NAMES))}}  {Lesson(name).title}" for name in NAMES)


def lesson_named(name: str) -> Lesson:
    """Return the lesson with a name."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1, 0.4)
        raise ArgumentError(
            f"There is no lesson {name!r}.", f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(NAMES)}."
        )
    return Lesson(name)


def both_orders(wrong: Disorder) -> Iterator[Sequence[str]]:
    """Yield the rows of a table: what happens depth first up to the mistake, and in the right order."""

    def told(step: Step | None) -> str:
        if step is None or step.operand is None:
            return ""
        operand = wrong.trace.label(step.operand)
        return f"{wrong.trace.label(step.node)} → {operand}: {operand} has {number(step.total)}"

    right = [step for step in wrong.trace if step.phase == BACKWARD]
    first = next(place for place, step in enumerate(right) if step.node is wrong.node)
    yield "depth first", "right order"
    for pair in zip_longest(wrong.steps, right[: first + 1]):
        yield [told(step) for step in pair]


def _inline(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(text))


def _table(rows: Sequence[Sequence[str]], first: str = "td") -> str:
    """Return a table, whose first row may be one of headings."""
    tags = first, *["td"] * (len(rows) - 1)
    lines = ["".join(f"<{tag}>{cell}</{tag}>" for cell in row) for tag, row in zip(tags, rows, strict=True)]
    return f"<table><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"
