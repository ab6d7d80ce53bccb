"""The debugger's side of one program: it waits at `backward()` while the editor looks around and moves in the trace.

One thread reads and answers the editor's requests while the program's thread waits, so they never run together.
Not here: starting and ending programs (`adapter`). Read next: `debug.dap.stops`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from autograd_mini.debug.dap.protocol import Channel, Message, in_background
from autograd_mini.debug.dap.sources import Sources
from autograd_mini.debug.dap.stops import FILTERS, REASONS, Wanted, calling_lines, is_same_file
from autograd_mini.debug.dap.variables import Variables, number
from autograd_mini.debug.program import Again, Call
from autograd_mini.debug.timeline.touched import Touched
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown

Arguments = dict[str, Any]
Body = dict[str, Any] | None

_THREAD = 1
_MOST = 100  # targets, completions
_HELP = """\
x            a variable, its value and its gradient now        x.grad * 2   any expression
explain x    why its gradient is zero, nan, infinite or huge   goto 12      go to a step
"""


class Session:
    """Answers an editor's requests about a program that calls `backward()`."""

    def __init__(self, channel: Channel, gone: Callable[[], None], repeatable: bool = True) -> None:
        self.channel, self._gone = channel, gone  # what to do when the editor is gone
        self._repeatable = repeatable  # True if the program can run again with other leaves
        self._lock = threading.Condition()
        self._process = os.getpid()
        self._options: dict[str, Any] | None = None  # of the launch
        self._is_configured = self._is_over = self._may_go = self._pauses = False
        self._client: Mapping[str, Any] = {}
        self._sources = Sources({})
        self._wanted: dict[str, list[Wanted]] = {}  # by the request that replaces them
        self._call: Call | None = None
        self._trace: Trace | None = None
        self._variables: Variables | None = None
        self._later: list[tuple[str, Body]] = []  # the events that go out after the response
        self._last: list[Wanted] = []  # the breakpoints met at this stop
        in_background(self._read)

    # -- the program's thread ------------------------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """Wait until the editor has configured everything, and return the options of its launch."""
        with self._lock:
            self._lock.wait_for(lambda: self._is_over or (self._is_configured and self._options is not None))
            return self._options or {}

    def stop(self, call: Call) -> None:
        """Let the editor look around before a call of `backward()`, if it wants to stop at this one."""
        if os.getpid() != self._process:
            return  # in a fork of the program nothing reads the editor's messages
        with self._lock:
            reason = "" if self._is_over else self._reason(call)
            if not reason:
                return
            self._call, self._trace = call, call.trace()
            self._touched = Touched(self._trace, call.accesses, self._repeatable)
            self._wording = Wording(self._trace)  # it looks at all nodes
            self._arm()
            if self._arrive(reason):
                self._may_go = False
                self._flush()
                self._lock.wait_for(lambda: self._may_go or self._is_over)
            self._call = self._trace = None

    def _reason(self, call: Call) -> str:
        """Return why to stop at a call; "" not to stop."""
        options = self._options or {}
        if options.get("noDebug"):
            return ""
        if "resume" in options:
            return "goto" if call.number == options["resume"]["call"] else ""
        if self._pauses:
            return "pause"
        lines = [wanted for wanted in self._all() if wanted.is_call and wanted.armed is not None]
        here = [wanted for wanted in lines if wanted.is_of(call)]
        trace = call.trace() if here else None
        self._last = [wanted for wanted in here if trace is not None and self._is_met(wanted, trace)]
        if options.get("at"):
            return "entry" if call.number == options["at"] else ""
        if self._last:
            return "breakpoint"
        if call.site is None or call.site.line not in calling_lines(call.site.file):  # `serve`, or a named value
            return "entry"
        return "" if any(wanted.log is None and wanted.is_in_file_of(call) for wanted in lines) else "entry"

    def _is_met(self, wanted: Wanted, trace: Trace) -> bool:
        """Return True if a breakpoint on the line of a call stops there; it does if its condition fails to compute."""
        assert wanted.armed is not None  # the caller knows it
        try:
            is_met = wanted.armed.is_met(trace.now, trace.position)
            if is_met and wanted.log is not None:
                self._say(trace.now.filled(wanted.log))
        except AutogradError as error:
            self._say(sentences(error))
            return True
        return is_met and wanted.log is None

    def _arrive(self, reason: str) -> bool:
        """Move a new trace to the place to stop at; return False if there is none."""
        assert self._call is not None  # this is a stop
        options, trace = self._options or {}, self.trace
        self._pauses = False
        which = f"backward() number {self._call.number}"
        if reason == "goto":
            resume = options.pop("resume")
            trace.seek(min(max(trace.start + resume["place"], 0), len(trace) - 1))
            leaf = self._call.accesses.leaf(resume["leaf"]) if self._call.accesses is not None else None
            if leaf is None or leaf not in trace.journal.numbers:
                which = "the leaf whose number you set is not here: the program no longer makes it"
                self._say(which)
            else:
                which = f"{trace.label(leaf)} = {leaf.data!r}"
        elif reason == "entry" and not options.get("stopOnEntry", True):
            try:
                stop = trace.run()
            except AutogradError as error:
                which = sentences(error)
            else:
                if stop.reason == "breakpoint":
                    self._moved(stop)
                else:
                    self._say(*stop.messages)
                return stop.reason == "breakpoint"
        self._stopped(reason, which)
        return True

    # -- the reader's thread -------------------------------------------------------------------------------------------

    def _read(self) -> None:
        for message in self.channel:
            self._answer(message)
        with self._lock:
            self._is_over = True
            self._lock.notify_all()
        self._gone()

    def _answer(self, request: Message) -> None:
        command = request["command"]
        with self._lock:
            if command in _AT_STOPS and self._trace is None:
                self.channel.refuse(request, "The program is running; it stops at backward().", "notStopped")
            elif command not in REQUESTS:
                self.channel.refuse(request, f"There is no request {shown(command)} here.")
            elif self.channel.answer(request, lambda arguments: REQUESTS[command].handler(self, arguments)):
                self._later.clear()  # the request was refused
            self._flush()

    def _flush(self) -> None:
        """Send what must follow the response."""
        later, self._later = self._later, []
        for name, body in later:
            self.channel.event(name, body)

    def _event(self, name: str, **body: Any) -> None:
        self._later.append((name, body))

    def _say(self, *messages: str) -> None:
        for message in messages:
            self._event("output", category="console", output=message + "\n")

    @property
    def trace(self) -> Trace:
        """The trace of this stop."""
        assert self._trace is not None  # requests that need one are only answered at stops
        return self._trace

    def _start(self, arguments: Arguments) -> None:
        self._client, self._options = arguments["client"], arguments["options"]
        self._sources = Sources(self._client)

    def _configuration_done(self, _: Arguments) -> None:
        self._is_configured = True
        self._lock.notify_all()

    # -- moving and looking --------------------------------------------------------------------------------------------

    def _continue(self, _: Arguments) -> Body:
        if self.trace.position == len(self.trace) - 1:
            self._may_go = True
            self._lock.notify_all()
        else:
            self._moved(self.trace.run())
        return {"allThreadsContinued": True}

    def _moved(self, stop: Stop) -> None:
        """Tell the editor where a motion ended, and why."""
        self._say(*stop.messages)
        self._last = [wanted for wanted in self._all() if wanted.armed in stop.breakpoints]
        if self._last:
            wanted = self._last[0]
            self._stopped(REASONS[wanted.kind], wanted.target if wanted.kind == "exception" else "")
        else:
            end = "the beginning" if self.trace.position == 0 else "the end: all gradients are complete"
            self._stopped("step", end if stop.reason == "end" else "")

    def _stopped(self, reason: str, why: str = "") -> None:
        trace = self.trace
        self._variables = Variables(self._wording, self._variables.next if self._variables else 1)
        text = f"step {trace.position} of {len(trace) - 1}, {why or trace.step.phase}"
        about: dict[str, Any] = {"reason": reason, "description": text, "text": text}
        if self._last and reason in REASONS.values():
            about["hitBreakpointIds"] = [wanted.number for wanted in self._last if wanted.number]
        self._event("stopped", threadId=_THREAD, allThreadsStopped=True, **about)

    def _goto_targets(self, arguments: Arguments) -> Body:
        file, line = self._sources.file(arguments["source"]), self._sources.python_line(arguments["line"])
        trace, targets = self.trace, []
        for node in reversed(trace.journal.order):
            place, turn = trace.place(node), trace.journal.turn_of(node)
            if place is not None and place.line == line and is_same_file(place.file, file):
                step, label = turn[-1] if turn else trace.number(node), place.expression or trace.label(node)
                targets.append({"id": step, "label": label, **self._sources.span(place)})
        return {"targets": targets[:_MOST]}

    def _goto(self, arguments: Arguments) -> None:
        self.trace.seek(arguments["targetId"])
        self._stopped("goto")

    def _pause(self, _: Arguments) -> None:
        self._pauses = self._trace is None

    @property
    def _tree(self) -> Variables:
        assert self._variables is not None  # made at each stop
        return self._variables

    def _stack_trace(self, arguments: Arguments) -> Body:
        frames = self._tree.frames(self._sources)
        start = int(arguments.get("startFrame") or 0)
        end = start + int(arguments.get("levels") or len(frames))
        return {"stackFrames": frames[start:end], "totalFrames": len(frames)}

    def _loaded_sources(self, _: Arguments) -> Body:
        nodes = self._trace.journal.order if self._trace else ()
        files = dict.fromkeys(place.file for node in nodes if (place := self.trace.place(node)))
        return {"sources": [self._sources.source(file) for file in files]}

    def _source(self, arguments: Arguments) -> Body:
        reference = (arguments.get("source") or arguments).get("sourceReference") or arguments["sourceReference"]
        return {"content": self._sources.text(int(reference)), "mimeType": "text/x-python"}

    def _rows(self, arguments: Arguments) -> Body:
        start, count = int(arguments.get("start") or 0), int(arguments.get("count") or 0)
        return {"variables": self._tree.rows(arguments["variablesReference"], start, count)}

    def _evaluate(self, arguments: Arguments) -> Body:
        expression = str(arguments["expression"]).strip()
        word, _, rest = expression.partition(" ")
        if arguments.get("context") == "repl" and word in ("explain", "goto", "help"):
            return {"result": self._command(word, rest), "variablesReference": 0}
        try:
            row = self._tree.any(expression, self.trace.evaluate(expression))
        except ArgumentError:
            if expression not in self.trace.vocabulary:
                raise
            row = self._tree.nodes(expression, self.trace.nodes(expression))
        return {"result": row["value"]} | {k: row[k] for k in row if k not in ("name", "value", "evaluateName")}

    def _command(self, word: str, rest: str) -> str:
        """Return the answer to a command that is typed into the editor's console."""
        if word == "explain":
            return str(self._wording.explanation(self._node(rest) if rest else None))
        if word == "help":
            return _HELP
        step = number(self.trace, rest)
        if not step.is_integer():
            raise ArgumentError(f"There is no step {shown(rest)}.", "Write a whole number.")
        self._goto({"targetId": int(step)})
        return f"step {self.trace.position}"

    def _node(self, expression: str) -> Value:
        found = self.trace.evaluate(expression)
        if not is_node(found):
            raise ArgumentError(f"{shown(expression)} is not a node of the graph.", "Write the name of a variable.")
        return found

    def _completions(self, arguments: Arguments) -> Body:
        text = str(arguments["text"])[: int(arguments["column"]) - 1]
        word = text[len(text.rstrip("".join(c for c in text if c.isalnum() or c == "_"))) :]
        names = [name for name in self.trace.vocabulary if name.startswith(word)]
        return {"targets": [{"label": name, "type": "variable"} for name in names[:_MOST]]}

    def _exception_info(self, _: Arguments) -> Body:
        for wanted in self._last:
            if wanted.kind == "exception":
                return wanted.exception(self._wording)
        raise ArgumentError("No exception breakpoint was met here.")

    # -- changing and stopping -----------------------------------------------------------------------------------------

    def _set_variable(self, arguments: Arguments) -> Body:
        node = self._tree.branch(arguments["variablesReference"]).node
        name, value = arguments["name"], number(self.trace, str(arguments["value"]))
        if node is None or name not in ("value", "grad"):
            raise ArgumentError(f"{shown(name)} cannot be set.", "Open a node and set its grad, or a leaf's value.")
        if name == "value":
            self._set_value(node, value)
        else:
            self.trace.what_if(node, value)
            if self._client.get("supportsInvalidatedEvent"):
                self._event("invalidated", areas=["all"], threadId=_THREAD)
            else:
                self._stopped("goto", "what if")
        return {"value": repr(value)}

    def _set_value(self, leaf: Value, value: float) -> None:
        """Show the trace on another number; where only the program can tell, ask the adapter to run it again."""
        assert self._call is not None  # this is a stop
        touched, label = self._touched, self.trace.label(leaf)
        change = touched.set(leaf, value)
        again = Again.asked(self._call, touched, change) if touched.doubts else None
        self._say(*self._wording.doubts(touched.doubts, again is not None))
        if again is None:
            self._say(self._wording.change(change, "said"))
            self._trace = touched.trace
            self._wording = Wording(self._trace)
            self._trace.breakpoints.clear()
            self._arm()
            self._stopped("goto", f"{label} = {value!r}")
            return
        numbers = {key: repr(number) for key, number in again.numbers.items()}  # JSON has no nan
        resume = {
            "call": again.call,
            "place": self.trace.position - self.trace.start,
            "leaf": again.key,
            "value": repr(value),
        }
        self._event("continued", threadId=_THREAD, allThreadsContinued=True)
        self._event("again", numbers=numbers, resume=resume)

    def _all(self) -> list[Wanted]:
        return [wanted for group in self._wanted.values() for wanted in group]

    def _arm(self) -> None:
        """Put all breakpoints into a new trace, and tell the editor which of them are valid."""
        for wanted in self._all():
            before = wanted.answer(self._sources)
            wanted.arm(self.trace)
            after = wanted.answer(self._sources)
            if after != before and wanted.kind != "exception":
                self._event("breakpoint", reason="changed", breakpoint=after)

    def _replace(self, group: str, wanted: list[Wanted]) -> Body:
        if self._trace is not None:
            armed = [old.armed for old in self._wanted.get(group, [])]
            self._trace.breakpoints[:] = [b for b in self._trace.breakpoints if b not in armed]
            for new in wanted:
                new.arm(self._trace)
        self._wanted[group] = wanted
        return {"breakpoints": [new.answer(self._sources) for new in wanted]}

    def _set_breakpoints(self, arguments: Arguments) -> Body:
        file, line = self._sources.file(arguments["source"]), self._sources.python_line
        asked = arguments.get("breakpoints") or []
        return self._replace(f"line {file}", [Wanted.asked("line", line(a["line"]), a, file) for a in asked])

    def _set_functions(self, arguments: Arguments) -> Body:
        asked = arguments["breakpoints"]
        return self._replace("function", [Wanted.asked("function", str(a["name"]), a) for a in asked])

    def _set_data(self, arguments: Arguments) -> Body:
        return self._replace("data", [Wanted.asked("data", str(a["dataId"]), a) for a in arguments["breakpoints"]])

    def _set_exceptions(self, arguments: Arguments) -> Body:
        asked = [{"filterId": name} for name in arguments.get("filters") or []] + (arguments.get("filterOptions") or [])
        unknown = [a["filterId"] for a in asked if a["filterId"] not in FILTERS]
        if unknown:
            raise ArgumentError(f"There is no filter {shown(unknown[0])}.", f"There are {', '.join(FILTERS)}.")
        wanted = [Wanted.asked("exception", a["filterId"], {"id": 0, **a}) for a in asked]
        self._replace("exception", wanted)
        return {"breakpoints": [new.answer_as_filter() for new in wanted]}

    def _data_info(self, arguments: Arguments) -> Body:
        name, reference = str(arguments["name"]), arguments.get("variablesReference")
        owner = self._tree.branch(reference).node if reference else None
        try:
            node = owner if owner is not None and name == "grad" else self._node(name)
        except ArgumentError as error:
            return {"dataId": None, "description": sentences(error)}
        label = self.trace.label(node)
        return {"dataId": label, "description": f"the gradient of {label}", "accessTypes": ["write"]}

    def _locations(self, arguments: Arguments) -> Body:
        file, first = self._sources.file(arguments["source"]), self._sources.python_line(arguments["line"])
        last = self._sources.python_line(arguments.get("endLine") or arguments["line"])
        lines = self._trace.lines(file) if self._trace is not None else []
        return {"breakpoints": [{"line": self._sources.line(line)} for line in lines if first <= line <= last]}


# -- the table of requests ---------------------------------------------------------------------------------------------

REFUSED, WAITING = object(), object()  # after the end: refuse the request; let breakpoints wait for the next run


class _Request(NamedTuple):
    """The handler of a request, the answer after the program's end, and the capability that the request stands for."""

    handler: Callable[[Session, Any], Body]
    ended: Any = REFUSED
    capability: str = ""


def _motion(motion: Callable[[Trace, bool], Stop], back: bool = False, capability: str = "") -> _Request:
    return _Request(lambda session, _: session._moved(motion(session.trace, back)), None, capability)


_AT_STOPS = {
    "continue": _Request(Session._continue, {}),
    "reverseContinue": _motion(Trace.run, back=True),
    "next": _motion(Trace.over),
    "stepIn": _motion(Trace.into),
    "stepOut": _motion(Trace.out),
    "stepBack": _motion(Trace.over, back=True, capability="supportsStepBack"),
    "gotoTargets": _Request(Session._goto_targets, {"targets": []}, "supportsGotoTargetsRequest"),
    "goto": _Request(Session._goto),
    "stackTrace": _Request(Session._stack_trace, {"stackFrames": [], "totalFrames": 0}),
    "scopes": _Request(lambda session, _: {"scopes": session._tree.scopes()}, {"scopes": []}),
    "variables": _Request(Session._rows, {"variables": []}),
    "evaluate": _Request(Session._evaluate, REFUSED, "supportsEvaluateForHovers"),
    "completions": _Request(Session._completions, {"targets": []}, "supportsCompletionsRequest"),
    "exceptionInfo": _Request(Session._exception_info, REFUSED, "supportsExceptionInfoRequest"),
    "setVariable": _Request(Session._set_variable, REFUSED, "supportsSetVariable"),
    "dataBreakpointInfo": _Request(Session._data_info, {"dataId": None, "description": "The program has ended."}),
}
REQUESTS = {
    **_AT_STOPS,
    "start": _Request(Session._start),
    "configurationDone": _Request(Session._configuration_done, None, "supportsConfigurationDoneRequest"),
    "threads": _Request(lambda *_: {"threads": [{"id": _THREAD, "name": "backpropagation"}]}, {"threads": []}),
    "pause": _Request(Session._pause, None),
    "loadedSources": _Request(Session._loaded_sources, {"sources": []}, "supportsLoadedSourcesRequest"),
    "source": _Request(Session._source),
    "setBreakpoints": _Request(Session._set_breakpoints, WAITING, "supportsConditionalBreakpoints"),
    "setFunctionBreakpoints": _Request(Session._set_functions, WAITING, "supportsFunctionBreakpoints"),
    "setDataBreakpoints": _Request(Session._set_data, WAITING, "supportsDataBreakpoints"),
    "setExceptionBreakpoints": _Request(Session._set_exceptions, None, "supportsExceptionFilterOptions"),
    "breakpointLocations": _Request(Session._locations, {"breakpoints": []}, "supportsBreakpointLocationsRequest"),
}
_FURTHER = {  # capabilities of the adapter and of breakpoints
    "supportsRestartRequest", "supportsTerminateRequest", "supportTerminateDebuggee",
    "supportsHitConditionalBreakpoints", "supportsLogPoints",
}  # fmt: skip
CAPABILITIES = {
    **dict.fromkeys({row.capability for row in REQUESTS.values() if row.capability} | _FURTHER, True),
    "exceptionBreakpointFilters": [{"filter": name, **row.shown} for name, row in FILTERS.items()],
}
