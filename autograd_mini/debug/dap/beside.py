"""What an editor shows beside the source at a stop: values at the ends of lines, and the page with the graph.

Not here: the page itself (`debug.pages`), and the variables. Read next: `debug.dap.stops`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import copy
from typing import Any

from autograd_mini.debug.dap.sources import Sources
from autograd_mini.debug.pages.contents import Contents
from autograd_mini.debug.timeline.journal import FORWARD
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError
from autograd_mini.notation.text import number

_FEW = 4  # nodes at the end of a line
_MOST = 50_000  # steps whose page takes seconds


def inline(trace: Trace, file: str, sources: Sources) -> list[dict[str, Any]]:
    """Return what stands at the ends of a file's lines: the nodes that they name, now, and those near to this step."""
    real, found = os.path.realpath(file), []
    is_early = trace.step.phase == FORWARD
    for (where, line), nodes in trace.written.items():
        known = [node for node in nodes if not is_early or trace.number(node) <= trace.position]
        if where != real or not known:
            continue
        here = trace.number(trace.step.node)
        near = sorted(known, key=lambda node: abs(trace.number(node) - here))[:_FEW]
        texts = [_text(trace, node) for node in known if node in near]
        texts += [f"… {len(known) - _FEW:,} more"] * (len(known) > _FEW)
        found.append({"line": sources.line(line), "text": "; ".join(texts)})
    return found


def _text(trace: Trace, node: Value) -> str:
    gradient = trace.grad(node)
    name = f"{trace.names.short(node)} = " if trace.name(node) else "= "
    return f"{name}{number(trace.value(node))}" + ("" if gradient is None else f", ∂ = {number(gradient)}")


class Graph:
    """The page of a trace, which is drawn again only if the steps have changed."""

    def __init__(self) -> None:
        self._journal: object = None
        self._number = 0

    def page(self, trace: Trace, known: object, is_dark: bool) -> Callable[[], dict[str, Any]]:
        """Return what answers with the number of the page and the step, and with its text unless the number is known.

        The answer may take seconds; others may move in the trace meanwhile.
        """
        if len(trace) > _MOST:
            raise ArgumentError(
                f"This graph has {len(trace):,} steps, too many to draw at every stop.",
                "Type graph into the debug console for a picture.",
            )
        if self._journal is not trace.journal:
            self._journal, self._number = trace.journal, self._number + 1
        body = {"page": self._number, "step": trace.position}
        own = copy(trace)  # it remembers what it was last asked
        return lambda: body if known == body["page"] else {**body, "html": Contents(own, False).themed(is_dark)}
