"""Slides for a class: one 16 : 9 page per step, with the same picture in the same place.

Each slide has the words, the line of source, the picture and the chain rule of its step; all rows of all slides are
equally high. Not here: which steps there are (`frames`), and paper (`browser`). Read next: `debug.pages.browser`.
"""

from __future__ import annotations

import html
import linecache
import math
import re
from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

from autograd_mini.debug.pages.alive import sentence
from autograd_mini.debug.pages.browser import PDF, pdf
from autograd_mini.debug.pages.folded import FoldedCall
from autograd_mini.debug.pages.frames import Film, Frame
from autograd_mini.debug.pages.listing import readable
from autograd_mini.debug.pages.mathml import called, derivative, formula, local, numeral, row, rules, variable, words
from autograd_mini.debug.timeline.journal import BACKWARD, FORWARD
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import marked
from autograd_mini.drawing.page import document
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, counted
from autograd_mini.notation.spelling import Markup
from autograd_mini.notation.text import elided, number
from autograd_mini.output import files
from autograd_mini.program.owner import is_of_library
from autograd_mini.program.source import Site

MOST = 100  # slides of one deck
_WIDE, _HIGH = 1200, 643  # pixels of a slide of 1280 × 720, within its margins
_PICTURE = 1224, 330  # pixels that the picture gets at least; it may reach into the margins
_LETTERS = 92  # of the words on a line
_COLUMNS = 70  # of source
_SIZES = (36, 32, 28, 24)  # pixels, of formulas
_SMALL = 24  # of the second formula
_ROOM, _LITTLE = 208, 72  # pixels, for formulas at most, and if the picture needs more
_ROWS, _NAME, _WHOLE = 7, 12, 32  # of a table of gradients, of letters of a short name there, and of a long one
_FEW, _SHORT = 8, 16  # names in a formula, and the letters of each
_LINES, _COLUMNS_SHOWN = 14, 78  # of the program on the first slide

_MARKS = re.compile("</?mark>")

Line = list[Markup]


class Note(NamedTuple):
    """A text about a step: a section of a lesson's page, or a slide after the step; heading and text are HTML."""

    step: int
    heading: str
    text: str


class Deck:
    """The slides of a trace, or of some steps; a call whose name is in `trace.opened` has one per step inside."""

    def __init__(
        self, trace: Trace, steps: Collection[int] | None = None, title: str = "", notes: Sequence[Note] = ()
    ) -> None:
        self.trace, self.notes = trace, notes
        self.title = title or f"Backpropagation of {called(trace, trace.root)}"
        film = self.film = Film(trace, _PICTURE)
        if steps is not None and (beyond := [index for index in steps if index not in range(len(trace))]):
            raise ArgumentError(f"There is no step {beyond[0]}.", f"The steps are 0 to {len(trace) - 1}.")
        wanted = range(len(trace)) if steps is None else {*steps}
        self.frames = [frame for frame in film.frames if any(step.index in wanted for step in frame.steps)]
        if len(self.frames) > MOST:
            raise ArgumentError(
                f"There would be {len(self.frames):,} slides, and a deck has at most {MOST}.",
                f"Choose steps, such as steps=range({trace.start}, {trace.start + MOST // 2}); or give parts of the "
                "program scopes, with am.scope(name), each of which is then one slide.",
            )

    @cached_property
    def html(self) -> str:
        """The page: one offline file, which prints as one slide per sheet."""
        said, sources = [*map(self._words, self.frames)], self._sources()
        lines = min(-(-(max(map(len, said), default=0) + 12) // _LETTERS), 3)
        lines_of_source = max(map(len, sources), default=0)
        heights = {"words": 32 * lines + 2, "source": 35 * lines_of_source + 12 if lines_of_source else 0}
        left = _HIGH - sum(heights.values())  # pixels for picture and formulas
        room = left - math.ceil(self.film.room[1])
        ruled = [
            self._rule(frame, min(_ROOM, room if room >= _LITTLE else left - _PICTURE[1])) for frame in self.frames
        ]
        heights["rule"] = max((height for _, height in ruled), default=0)
        picture = left - heights["rule"]
        style = "; ".join(f"--{row}: {high / 16}rem" for row, high in heights.items())
        notes = [*self.notes]
        slides = [self._first(), *(_text(notes.pop(0)) for note in self.notes if note.step == 0)]
        for frame, text, source, (formulas, _) in zip(self.frames, said, sources, ruled, strict=True):
            slides.append(self._slide(frame, text, source, formulas, picture))
            while notes and notes[0].step <= frame.step.index:
                slides.append(_text(notes.pop(0)))
        slides += [*map(_text, notes), self._last()]
        count = len(slides)
        body = "".join(
            f'<section class="slide {made.kind}" id="{place}" aria-label="{place} of {count}">{made.body}'
            f'<footer><span>{made.note}</span><span class="page">{place} / {count}</span></footer></section>\n'
            for place, made in enumerate(slides, 1)
        )
        hidden = f'<h1>{_escaped(self.title)}</h1><p id="said" role="status" aria-live="polite"></p>'
        body = f'<main><div class="hidden">{hidden}</div>{body}</main>\n'
        return document(self.title, __package__, "deck.css", "deck.js", body, {}, base=f"main {{ {style}; }}\n")

    def save(self, path: str | Path) -> Path:
        """Write the slides to a path that has been checked, and return it; see `debug.slides`."""
        path = Path(path)
        return files.write(path, pdf(self.html) if path.suffix.lower() == PDF else self.html)

    # -- a frame -------------------------------------------------------------------------------------------------------

    def _slide(self, frame: Frame, said: str, source: Sequence[str], formulas: str, high: float) -> _Slide:
        first, last = frame.steps[0].index, frame.step.index
        when, whole = f"step {last:,} of", last - first + 1 == len(frame.steps)
        if len(frame.steps) > 1:
            when = f"steps {first:,}–{last:,} of" if whole else f"{len(frame.steps):,} steps up to step {last:,} of"
        phase = frame.phase
        named = "given" if frame.is_given else phase
        return _Slide(
            "frame",
            f'<p class="words"><strong class="{phase}">{named}</strong> {_escaped(said)}</p>'
            f'<pre class="source">{"".join(source)}</pre>'
            f'<div class="picture">{self.film.picture(frame, (_PICTURE[0], high))}</div>'
            f'<div class="rule">{formulas}</div>',
            "" if frame.is_given else f"{when} {len(self.trace) - 1:,}",
        )

    def _words(self, frame: Frame) -> str:
        if frame.is_given:
            return f"{counted(len(frame.steps), 'number')} {'is' if len(frame.steps) == 1 else 'are'} given."
        if frame.call is not None:
            return str(FoldedCall(self.trace, frame.call).data("")[frame.phase]["words"])
        if frame.box is None:
            return sentence(words(self.trace, frame.step))[0]
        name, count = elided(self.film.shot.stage.title(frame.box)), len(frame.steps)
        if frame.step.phase == FORWARD:
            return f"{name} is computed: {counted(count, 'operation')}."
        return f"{name} hands on what it got: {counted(count, 'contribution')}."

    def _sources(self) -> list[list[str]]:
        """Return the lines of source of each frame as HTML, with the expression marked."""
        found = [[] if frame.is_given else _source_lines(self._site(frame), 3) for frame in self.frames]
        most = max((1, *map(len, found)))
        if self.frames and self.frames[0].is_given:
            found[0] = self._given(self.frames[0], most)
        return found

    def _given(self, frame: Frame, most: int) -> list[str]:
        """Return the first lines that make the leaves; a line that makes several has no mark."""
        found: dict[tuple[str, int], set[str]] = {}
        for site in filter(None, [self.trace.place(step.node) for step in frame.steps]):
            found.setdefault((site.file, site.line), set()).update(_source_lines(site, 1))
        lines = [_MARKS.sub("", max(some)) if len(some) > 1 else max(some) for _, some in sorted(found.items()) if some]
        return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1].replace("</code>", " …</code>")]

    def _site(self, frame: Frame) -> Site | None:
        if frame.call is not None and frame.call.scope.site is not None:
            return frame.call.scope.site
        return self.trace.place(frame.step.node)

    # -- formulas ------------------------------------------------------------------------------------------------------

    def _rule(self, frame: Frame, room: int) -> tuple[str, int]:
        """Return the formulas of a frame as HTML, and how high they are; both in pixels of a slide of 1280 × 720."""
        lines, more = self._formulas(frame), self._local(frame)
        shorter = [_without_symbols(line) for line in lines]
        shortest = [[x[0], _without_equals(x[-2]), x[-1]] if _is_sum(x) and len(x) > 3 else x for x in shorter]
        # As much as fits, in the largest letters, if possible without breaking a line.
        for some in (lines, shorter, shortest):
            for is_broken, second, letters in product((False, True), (more, []), _SIZES):
                written = [_breakable(line, letters) for line in some]
                high = sum(_height(line, letters) for line in written) + sum(_height(line, _SMALL) for line in second)
                if high <= room and (is_broken or all(_is_whole(line, letters) for line in written)):
                    return _formulas(written, letters) + _formulas(second, _SMALL, "local"), high
        letters, more = _SIZES[-1], [row(["mtext", "…"])]
        for count in range(len(shortest), 0, -1):
            shown = [_breakable(line, letters) for line in shortest[:count]]
            shown[-1] = shown[-1] + more * (count < len(shortest))
            if (high := sum(_height(line, letters) for line in shown)) <= room:
                break
        return _formulas(shown, letters), high

    def _formulas(self, frame: Frame) -> list[Line]:
        trace = self.trace
        if frame.is_given:
            names = {trace.name(step.node): step.node for step in frame.steps}
            short = [names[name] for name in sorted(names) if 0 < len(name) <= _SHORT][:_FEW]
            given = [row(variable(trace, x), "=", numeral(trace.value(x))) for x in short]
            return _listed(given + [row(["mtext", "…"])] * (len(short) < len(frame.steps))) if given else []
        if frame.call is not None:
            return list(FoldedCall(trace, frame.call).data("")[frame.phase]["formulas"])
        if frame.box is None:
            return [formula(trace, frame.step)]
        root = variable(trace, trace.root)
        found = {step.operand: step.total for step in frame.steps if step.operand is not None}
        shown = [x for x in found if len(called(trace, x)) <= _SHORT and trace.name(x)][:_FEW]
        return _listed([row(derivative(root, variable(trace, x)), "=", numeral(found[x])) for x in shown])

    def _local(self, frame: Frame) -> list[Line]:
        """Return the local derivative as a formula, unless its number says it all."""
        if frame.step.phase != BACKWARD:
            return []
        if frame.call is not None:
            found = FoldedCall(self.trace, frame.call).data("")["backward"]["rules"]
            return found[:1] if len(found) <= 2 else []
        found = [local(self.trace, *key) for key in rules(self.trace, frame.step)] if frame.box is None else []
        return [line for line in found if len(line) > 2]

    # -- first and last ------------------------------------------------------------------------------------------------

    def _first(self) -> _Slide:
        steps = self.trace.start, len(self.trace) - self.trace.start
        counts = f"{counted(steps[0], 'step')} forward, {steps[1]:,} backward"
        return _Slide("first", f"<h2>{_escaped(self.title)}</h2><p>{counts}</p>{self._program()}")

    def _program(self) -> str:
        """Return the program, if a slide has room for it."""
        site = self.trace.place(self.trace.root)
        lines = [] if site is None or is_of_library(site) else linecache.getlines(site.file)
        text = [readable(line.rstrip().expandtabs(4)) for line in lines]
        while text and not text[-1]:
            text.pop()
        if not text or len(text) > _LINES or max(map(len, text)) > _COLUMNS_SHOWN:
            return ""
        return f'<pre class="program">{html.escape(chr(10).join(text))}</pre>'

    def _last(self) -> _Slide:
        trace = self.trace
        leaves = sorted(
            trace.leaves, key=lambda leaf: (not trace.name(leaf), not trace.name(leaf).isidentifier(), trace.name(leaf))
        )
        nodes = leaves + [node for node in trace.journal.order if node.op is not None and trace.name(node)]
        is_long = any(len(called(trace, node)) > _NAME for node in nodes)  # such names take two lines
        rows = _ROWS - is_long
        shown = nodes if len(nodes) <= 2 * rows else nodes[: 2 * rows - 1]
        half = len(shown) if len(shown) <= rows else -(-len(shown) // 2)
        tables = "".join(self._table(part) for part in (shown[:half], shown[half:]) if part)
        more = f"<p>and {len(nodes) - len(shown):,} more</p>" if len(shown) < len(nodes) else ""
        heading = f"<h2>Gradients of {_escaped(called(trace, trace.root))}</h2>"
        return _Slide("last", f"{heading}<div{' class=long' * is_long}>{tables}</div>{more}")

    def _table(self, nodes: Sequence[Value]) -> str:
        trace = self.trace
        rows = "".join(
            f'<tr><th scope="row">{_escaped(elided(called(trace, x), _WHOLE))}</th>'
            f"<td>{_written(trace.value(x))}</td><td>{_written(trace.grad(x, -1))}</td></tr>"
            for x in nodes
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("node", "value", "gradient"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


class _Slide(NamedTuple):
    kind: str
    body: str
    note: str = ""


def _text(note: Note) -> _Slide:
    return _Slide("text", f"<h2>{note.heading}</h2>{note.text}")


# -- text --------------------------------------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    return html.escape(readable(text)).replace("-", "−")


def _written(x: float | None) -> str:
    return "–" if x is None else number(x).replace("-", "−")


def _source_lines(site: Site | None, most: int) -> list[str]:
    """Return the lines of a place as HTML, with their numbers and the expression marked."""
    if site is None or is_of_library(site):
        return []
    lines = marked(site, lambda _, text: f"\x01{text}\x02", _COLUMNS)
    lines = [line for line in lines if line.strip(" ^\x01\x02") or "^" not in line]
    shown = lines[:most] if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]
    found = []
    for place, line in enumerate(shown):
        text = html.escape(line).replace("\x01", "<mark>").replace("\x02", "</mark>")
        found.append(f"<span><b>{site.span[0] + place}</b><code>{text}</code></span>")
    return found


# -- formulas ----------------------------------------------------------------------------------------------------------


def _formulas(lines: Sequence[Line], letters: int, kind: str = "formula") -> str:
    written = [" ".join(f'<math displaystyle="true">{mathml(piece)}</math>' for piece in line) for line in lines]
    return "".join(f'<div class="{kind} size-{letters}">{line}</div>' for line in written)


def mathml(tree: Markup) -> str:
    """Write a formula as MathML; the script of the page that steps builds the same."""
    tag, *children = tree
    if tag == "still":
        return mathml(children[0])
    if tag == "mn":
        children = children[:1]
    inner = "".join(html.escape(x).replace("-", "−") if isinstance(x, str) else mathml(x) for x in children)
    facts = ' stretchy="false"' if tag == "mo" and inner in ("(", ")", "|") else ""
    if tag == "mo" and inner in ("=", "+=", "+", "×", "·"):
        facts = ' lspace="0.25em" rspace="0.25em"'
    return f"<{tag}{facts}>{inner}</{tag}>"


def _listed(pieces: Line) -> list[Line]:
    """Return pieces as one line, with space between them."""
    return [[part for piece in pieces for part in (row(["mtext", "\u2003"]), piece)][1:]] if pieces else []


def _breakable(line: Line, letters: int) -> Line:
    """Return a line whose pieces, between which it may break, are not wider than the slide."""
    found: Line = []
    for piece in line:
        if piece[0] == "mrow" and _extent(piece)[0] * letters > _WIDE - 40:
            found += _breakable([x for x in piece[1:] if not isinstance(x, str)], letters)
        else:
            found.append(piece)
    return found


def _is_sum(line: Line) -> bool:
    """Return whether a line adds a contribution to a gradient."""
    return bool(line[0][-1] == ["mo", "+="])


def _without_symbols(line: Line) -> Line:
    """Return a sum without its terms in symbols, with its subject on one row: "∂loss/∂x"."""
    if not _is_sum(line):
        return line
    first, *numbers = [piece for place, piece in enumerate(line) if place == 0 or "mfrac" not in str(piece)]
    parts = [row(x[1], "/", x[2]) if x[0] == "mfrac" else x for x in first[1:]]
    return [row(*parts), *([_without_equals(numbers[0]), *numbers[1:]] if numbers else [])]


def _without_equals(piece: Markup) -> Markup:
    return row(*[child for child in piece[1:] if child != ["mo", "="]])


def _is_whole(line: Line, letters: int) -> bool:
    """Return whether a line need not be broken."""
    return sum(_extent(piece)[0] + 0.3 for piece in line) * letters <= _WIDE - letters


def _extent(tree: Markup) -> tuple[float, float]:
    """Return about how wide and how high a formula is, in letters."""
    tag, *children = tree
    if tag in ("mn", "mi", "mtext", "mo"):
        text = str(children[0])
        wide = {"mn": 0.66, "mi": 0.57}.get(tag, 0.62) * len(text)
        around = 0.0 if tag != "mo" or text in "(),|∂" else 0.4 if text in "×·" else 0.75
        return wide + around, 1.3
    inner = [_extent(x) for x in children if not isinstance(x, str)]
    if not inner:
        return 0.0, 1.3
    if tag == "mfrac":
        return max(wide for wide, _ in inner) + 0.25, sum(high for _, high in inner) - 0.2
    if tag in ("msub", "msup"):
        return inner[0][0] + 0.75 * inner[1][0], inner[0][1] + 0.1
    return sum(wide for wide, _ in inner), max(high for _, high in inner)


def _height(line: Line, letters: int) -> int:
    """Return how high a line is once it is broken between its pieces, in pixels."""
    left, total, highest = _WIDE / letters - 1.0, 0.0, 0.0
    room = left
    for wide, high in map(_extent, line):
        if wide > left and left < room:
            left, total, highest = room, total + highest, 0.0
        broken = max(int(-(-wide // room)), 1)  # one piece may be too long for a line
        left, highest = left - wide - 0.3, max(highest, high * broken)
    return round((total + highest) * letters) + 8
