"""A training run in a file: one line per step, written as it goes, so that a killed run leaves what it had.

Numbers are kept to the bit. Not here: what is kept (`steps`). Read next: `debug.flight.recorder`.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeVar

from autograd_mini.debug.flight.events import Event
from autograd_mini.debug.flight.passes import Pass, packed, unpacked
from autograd_mini.debug.flight.steps import Moment, Steps
from autograd_mini.errors import ArgumentError, DataError
from autograd_mini.output import files
from autograd_mini.output.streams import reason

Run = TypeVar("Run", bound=Steps)
_KIND = "autograd-mini flight"
_SECONDS = 0.25  # between two steps that are written although they may not be kept
_ROOM = 4_000_000  # bytes beyond twice those of what is kept, until the file is written anew


class Storage:
    """Appends steps to a file, and writes it anew when it holds too much that is no longer kept."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise ArgumentError(f"There is no folder {str(self.path.parent)!r}.", "Create it first, or choose another.")
        self.path = self.path.absolute()  # the program may change the directory
        self._file: IO[str] | None = None
        self._written = self._least = 0
        self._last = 0.0
        self._events: object = None  # what changes with them
        self._lines = set[int]()  # the steps in the file

    def begin(self, flight: Steps) -> None:
        """Write the file of a run that has not begun.

        Raises:
            OSError: it cannot be written.
        """
        self._renew(flight)

    def add(self, flight: Steps, moment: Moment, began: bool) -> None:
        """Write a step if it is kept, or if the last one was written a while ago; a full disk does not end a run."""
        now = time.monotonic()
        if self._file is None or not (moment.step in flight.moments or began or now - self._last > _SECONDS):
            return
        self._last = now
        try:
            if began or self._events != (len(flight.events), flight.units.changes):
                self._append({"events": [*map(asdict, flight.events)]})
                self._events = len(flight.events), flight.units.changes
                self._append_all(known for step, known in flight.moments.items() if step not in self._lines)
            if moment.step not in self._lines:
                self._append_all([moment])
            self._file.flush()
            if self._written > 2 * self._least + _ROOM:
                self._renew(flight)
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            self._file = None
            warnings.warn(f"The record of this run ends at step {moment.step:,}: {reason(error)}", stacklevel=2)

    def finish(self, flight: Steps) -> None:
        """Write what is kept, and how the run ended."""
        if self._file is not None:
            self._renew(flight)
            self._file.close()
            self._file = None

    def _append_all(self, moments: Iterable[Moment]) -> None:
        for moment in moments:
            self._append(_line(moment))
            self._lines.add(moment.step)

    def _append(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        text = json.dumps(line, separators=(",", ":")) + "\n"
        self._written += len(text)
        self._file.write(text)

    def _renew(self, flight: Steps) -> None:
        if self._file is not None:
            self._file.close()
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in _lines(flight))
        files.write(self.path, text)
        self._written, self._least, self._lines = len(text), len(text), {*flight.kept}
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  # open as long as the run


def _lines(flight: Steps) -> Iterator[dict[str, Any]]:
    yield {"kind": _KIND, "version": 1, "names": flight.names}
    yield {"events": [*map(asdict, flight.events)]}
    yield from map(_line, flight)
    if flight.ended:
        yield {"ended": flight.ended}


def _line(moment: Moment) -> dict[str, Any]:
    found: dict[str, Any] = {"step": moment.step, "loss": moment.loss, "seed": moment.seed, "bands": moment.bands}
    for what in ("values", "gradients"):
        numbers = getattr(moment, what)
        found[what] = None if numbers is None else packed(numbers)
    return found if moment.kept is None else {**found, "pass": moment.kept.data()}


def load(kind: type[Run], path: str | Path) -> Run:
    """Return the run in a file; the last line may be incomplete, if the run was killed."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        head = json.loads(lines[0])
        if head["kind"] != _KIND or head["version"] != 1:
            raise ValueError
        made = kind([*map(str, head["names"])])
    except (ValueError, LookupError, TypeError):
        raise DataError(f"{path} is not the record of a run.", "Load what am.record(model, path=...) wrote.") from None
    for number, text in enumerate(lines[1:], start=2):
        try:
            if not text:
                continue
            line = json.loads(text)
            if "step" in line:
                made.restore(_moment(line))
            elif "events" in line:
                made.watcher.events[:] = [Event(**event) for event in line["events"]]
            made.ended = str(line.get("ended", ""))
        except (ValueError, LookupError, TypeError, AttributeError):
            if number == len(lines):  # it was being written
                break
            raise DataError(f"{path}, line {number}: this is not a step of a run.", "The file was changed.") from None
    return made


def _moment(line: dict[str, Any]) -> Moment:
    values, gradients = (None if line[k] is None else unpacked("d", line[k]) for k in ("values", "gradients"))
    kept = Pass.read(line["pass"]) if "pass" in line else None
    bands: Any = line["bands"]
    return Moment(int(line["step"]), float(line["loss"]), float(line["seed"]), values, gradients, bands, kept)
