"""Backpropagation as an HTML page: picture, chain rule, source and gradients at every step, in one file.

All numbers and sentences come from here; the script on the page only shows them. Not here: the browser's side
(`backprop.js`), and time travel (`travel`). Read next: `debug.pages.contents`.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

from autograd_mini.debug.pages import browser
from autograd_mini.debug.pages.contents import Contents
from autograd_mini.debug.pages.deck import Note
from autograd_mini.debug.pages.mathml import called
from autograd_mini.debug.program import Call, Quit, debug_program
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.output import files

KINDS = (".html", ".htm")
# Nothing scrolls inside something that scrolls: up to a width of 820 pixels, where the panels are below each other, the
# frame is higher, and marimo, which gives an output 610 pixels and a scroll bar, gives it all it needs.
_FRAME = (
    "<style>.output-area:has(.autograd-mini) {{ max-height: none !important; }}</style>"
    '<div class="autograd-mini" style="container-type: inline-size">'
    '<iframe sandbox="allow-scripts" title="Stepping through backpropagation" width="100%" height="840" '
    'style="height: clamp(840px, (823px - 100cqw) * 9999, 1120px); border: 1px solid #8888; border-radius: 6px" '
    'srcdoc="{}"></iframe></div>'
)


class Page:
    """A page that steps through a trace, starting at its position; notebooks show it in a frame.

    Args:
        trace: the trace to show.
        quiz: ask for each contribution before it is shown; printed, the page is a worksheet with a key.
        title: its title; by default it names the root.
        notes: the text of a lesson, in a column beside the steps.

    >>> from autograd_mini import Value, debug
    >>> x = Value(3.0, name="x")
    >>> debug.page(x * x)
    Page(mul#1, 5 steps); notebooks show it, .save("backprop.html") writes it
    """

    def __init__(self, trace: Trace, quiz: bool = False, title: str = "", notes: Sequence[Note] = ()) -> None:
        self.trace, self.quiz, self.title, self.notes = trace, quiz, title, notes

    @cached_property
    def html(self) -> str:
        """The text of the page.

        Raises:
            MissingError: no dot program was found.
            ProgramError: the dot program fails.
        """
        return Contents(self.trace, self.quiz, self.title, self.notes).html()

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, and return its path.

        Raises:
            ArgumentError: the name does not end in .html, or the folder does not exist.
            MissingError: no dot program was found.
            ProgramError: the dot program fails.
        """
        return files.write(checked_path(path), self.html)

    def slides(self, path: str | Path, steps: Collection[int] | None = None) -> Path:
        """Write slides for a class, and return their path; see `Trace.slides`."""
        return self.trace.slides(path, steps)

    def __repr__(self) -> str:
        name = called(self.trace, self.trace.root)
        return f'Page({name}, {len(self.trace):,} steps); notebooks show it, .save("backprop.html") writes it'

    def _repr_html_(self) -> str:
        return _FRAME.format(html.escape(self.html))


def checked_path(path: str | Path, slides: bool = False) -> Path:
    """Check the path of a page before the work begins, and return it; slides may be a PDF, if there is a browser."""
    path = Path(path)
    if path.suffix.lower() not in (*KINDS, *[browser.PDF] * slides):
        kinds = ".html or .pdf" if slides else ".html"
        raise ArgumentError(f"A page cannot be saved as {str(path)!r}.", f"End the name in {kinds}.")
    if not path.parent.is_dir():
        raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it first, or choose another.")
    if path.suffix.lower() == browser.PDF:
        browser.browser()
    return path


def page_of_program(
    program: str, arguments: Sequence[str], path: str | Path, at: int = 1, module: bool = False, quiz: bool = False,
    slides: bool = False,
) -> Path:  # fmt: skip
    """Run a program, as `debug_program` does, up to call number `at` of `backward()`, and write its page or slides."""
    slides = slides or Path(path).suffix.lower() == browser.PDF
    if slides and quiz:
        raise ArgumentError("Slides ask no questions.", "Write the quiz as a page, in .html.")
    path = checked_path(path, slides)
    target = path.absolute()  # the program may change the directory

    def stop(call: Call) -> None:
        if call.number == at:
            found = page_of_call(call, quiz)
            (found.slides if slides else found.save)(target)
            raise Quit

    count = debug_program(program, arguments, stop, module=module)
    if count < at:
        raise missing_call(program, count, f"Name the value to differentiate: {'-m ' * module}{program}:NAME.")
    return path


def page_of_call(call: Call, quiz: bool) -> Page:
    """Return the page of a call of `backward()`. It begins with the forward phase, a quiz with the sweep."""
    trace = call.trace()
    trace.seek(trace.start if quiz else 0)
    return Page(trace, quiz)


def missing_call(program: str, count: int, otherwise: str) -> ArgumentError:
    """Return the error for a missing call of `backward()`, and what to do if the program makes none."""
    if count:
        choice = f"a number from 1 to {count}" if count > 1 else "1, or nothing"
        return ArgumentError(f"{program} calls backward() {counted(count, 'time')}.", f"Pass {choice}.")
    return ArgumentError(f"{program} never calls backward().", otherwise)
