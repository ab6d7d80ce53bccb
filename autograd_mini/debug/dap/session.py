"""The debugger's side of one program: it waits at `backward()` while the editor looks around and moves in the trace.

One thread reads and answers the editor's requests while the program's thread waits, so they never run together.
Not here: starting and ending programs (`adapter`). Read next: `debug.dap.stops`.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from autograd_mini.debug.dap.protocol import Channel, Message, in_background
from autograd_mini.debug.dap.stops import FILTERS, REASONS, AllWanted, Wanted, calling_lines, is_same_file
from autograd_mini.debug.dap.views import Console, Graph, Sources, Variables, inline
from autograd_mini.debug.program import Again, Call
from autograd_mini.debug.terminal.calls import Calls, Visit
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.engine import Value
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown

Arguments = dict[str, Any]
Body = dict[str, Any] | None

_THREAD = 1
_MOST = 100  # targets


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
        self._wanted = AllWanted()
        self._call: Call | None = None
        self._console = Console(repeatable)  # it holds the trace, which its commands may replace
        self._console.calls = self._calls = Calls()
        self._tree: Variables  # of this stop
        self._references = itertools.count(1)  # the numbers of its parts
        self._graph = Graph()
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
            visit, goal = self._calls.add(call), self._console.goal
            self._why = self._reason(call) if goal is None else "step" if goal.is_met(visit) else ""
            if self._why and not self._is_over:
                self._console.travel(visit, self._show)

    def ended(self) -> None:
        """Stop at the last call again if the program has ended before the call that a command asked for."""
        with self._lock:
            while (goal := self._console.goal) is not None and not self._is_over:
                visit, self._why, self._calls.has_ended = self._calls.visits[-1], "step", True
                self._say(f"The program has ended after call {visit.call.number}, without {goal}.")
                self._console.travel(visit, self._show)

    def _show(self, visit: Visit) -> bool:
        """Stop at a call, at once or again; return True if the program should go on."""
        reason, self._why, self._call = self._why, "step", visit.call
        self._console.interact(visit.call.trace(), call=visit.call)
        if visit.position is not None:
            self.trace.seek(visit.position)
        self._arm()
        if self._arrive(reason):
            self._may_go = False
            self._flush()
            self._lock.wait_for(lambda: self._may_go or self._is_over)
        self._call = None
        return not self._is_over

    def _reason(self, call: Call) -> str:
        """Return why to stop at a call; "" not to stop."""
        options = self._options or {}
        if options.get("noDebug"):
            return ""
        if "resume" in options:
            return "goto" if call.number == options["resume"]["call"] else ""
        if self._pauses:
            return "pause"
        lines = [wanted for wanted in self._wanted.all if wanted.is_call and wanted.armed is not None]
        here = [wanted for wanted in lines if wanted.is_of(call)]
        trace = call.trace() if here else None
        self._last = [wanted for wanted in here if trace is not None and wanted.is_met(trace, self._say)]
        if options.get("at"):
            return "entry" if call.number == options["at"] else ""
        if self._last:
            return "breakpoint"
        if call.site is None or call.site.line not in calling_lines(call.site.file):  # `serve`, or a named value
            return "entry"
        return "" if any(wanted.log is None and wanted.is_in_file_of(call) for wanted in lines) else "entry"

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

        def carried_out(arguments: Arguments) -> Any:
            body = REQUESTS[command].handler(self, arguments)
            return self.channel.answer_later(request, body) if callable(body) else body

        with self._lock:
            if command in _AT_STOPS and self._call is None:
                self.channel.refuse(request, "The program is running; it stops at backward().", "notStopped")
            elif command not in REQUESTS:
                self.channel.refuse(request, f"There is no request {shown(command)} here.")
            elif self.channel.answer(request, carried_out):
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
        """The trace of this stop; requests that need one are only answered at stops."""
        return self._console.trace

    def _start(self, arguments: Arguments) -> None:
        self._client, self._options = arguments["client"], arguments["options"]
        self._sources = Sources(self._client)

    def _configuration_done(self, _: Arguments) -> None:
        self._is_configured = True
        self._lock.notify_all()

    # -- moving and looking --------------------------------------------------------------------------------------------

    def _continue(self, _: Arguments) -> Body:
        if self.trace.position == len(self.trace) - 1:
            self._go_on()
        else:
            self._moved(self.trace.run())
        return {"allThreadsContinued": True}

    def _moved(self, stop: Stop) -> None:
        """Tell the editor where a motion ended, and why."""
        self._say(*stop.messages)
        self._console.met = stop.breakpoints
        self._last = [wanted for wanted in self._wanted.all if wanted.armed in stop.breakpoints]
        if self._last:
            wanted = self._last[0]
            self._stopped(REASONS[wanted.kind], wanted.target if wanted.kind == "exception" else "")
        elif stop.breakpoints:  # set in the console
            self._stopped("breakpoint", str(stop.breakpoints[0]))
        else:
            end = "the beginning" if self.trace.position == 0 else "the end: all gradients are complete"
            self._stopped("step", end if stop.reason == "end" else "")

    def _stopped(self, reason: str, why: str = "") -> None:
        trace = self.trace
        self._console.frame, self._console.next_line = 0, None  # the innermost place, as after every motion
        self._tree = Variables(self._console.wording, self._references)
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
        self._continued()
        self._stopped("goto")

    def _pause(self, _: Arguments) -> None:
        self._pauses = self._call is None

    def _stack_trace(self, arguments: Arguments) -> Body:
        frames = self._tree.frames(self._sources)
        start = int(arguments.get("startFrame") or 0)
        end = start + int(arguments.get("levels") or len(frames))
        return {"stackFrames": frames[start:end], "totalFrames": len(frames)}

    def _loaded_sources(self, _: Arguments) -> Body:
        nodes = () if self._call is None else self.trace.journal.order
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
        if arguments.get("context") == "repl":
            if self._console.is_command(expression):
                return {"result": self._command(expression), "variablesReference": 0}
            expression = expression.removeprefix("!")
        try:
            row = self._tree.any(expression, self.trace.evaluate(expression))
        except ArgumentError:
            nodes: list[Value] = []
            with suppress(ArgumentError):
                nodes = self.trace.nodes(expression)
            if not nodes:
                raise
            row = self._tree.nodes(expression, nodes)
        return {"result": row["value"]} | {k: row[k] for k in row if k not in ("name", "value", "evaluateName")}

    def _command(self, line: str, why: str = "") -> str:
        """Run a command of the terminal that was typed into the console, and return what it prints."""
        console, trace = self._console, self.trace
        before = trace.journal, trace.position, trace.passed
        met, watches = console.met, [*trace.watches]
        text, goes_on = console.run(line)
        if console.again is not None:
            again, console.again = console.again, None
            self._run_again(again)
        elif goes_on and console.quits and self._repeatable:
            self._event("quit")
        elif goes_on:
            self._go_on()
            self._continued()
        elif self.trace is not trace:
            self._continued()
            self._arm()
            self._stopped("goto", why)
        elif (trace.journal, trace.position, trace.passed) != before:
            self._continued()
            self._moved(Stop("step", console.met if console.met is not met else ()))
        elif watches != trace.watches:
            self._refresh("variables")
        for cleared in self._wanted.cleared(self.trace):
            self._event("breakpoint", reason="removed", breakpoint={"id": cleared.number, "verified": False})
        return text

    def _continued(self) -> None:
        """Tell an editor about a motion that it has not asked for."""
        self._event("continued", threadId=_THREAD, allThreadsContinued=True)

    def _go_on(self) -> None:
        self._may_go = True
        self._lock.notify_all()

    def _refresh(self, area: str) -> bool:
        """Tell the editor to ask for everything in an area again; return False if it does not support that."""
        if is_told := bool(self._client.get("supportsInvalidatedEvent")):
            self._event("invalidated", areas=[area], threadId=_THREAD)
        return is_told

    def _completions(self, arguments: Arguments) -> Body:
        return {"targets": self._console.targets(arguments, self._sources.first_line, self._sources.first_column)}

    def _inline_values(self, arguments: Arguments) -> Body:
        return {"values": inline(self.trace, self._sources.file(arguments["source"]), self._sources)}

    def _page(self, arguments: Arguments) -> Callable[[], Body]:
        return self._graph.page(self.trace, arguments.get("known"), bool(arguments.get("dark")))

    def _exception_info(self, _: Arguments) -> Body:
        for wanted in self._last:
            if wanted.kind == "exception":
                return wanted.exception(self._console.wording)
        raise ArgumentError("No exception breakpoint was met here.")

    # -- changing and stopping -----------------------------------------------------------------------------------------

    def _set_variable(self, arguments: Arguments) -> Body:
        node = self._tree.branch(arguments["variablesReference"]).node
        name, value = arguments["name"], self._console.number(str(arguments["value"]), of_nodes=True)
        if node is None or name not in ("value", "grad"):
            raise ArgumentError(f"{shown(name)} cannot be set.", "Open a node and set its grad, or a leaf's value.")
        if name == "value":
            label = self.trace.label(node)
            said = self._command(f"set {self.trace.now.written(node)} {value!r}", f"{label} = {value!r}")
            later, self._later = self._later, []  # the program may end after them
            self._say(re.sub("^ +", "", said.partition("\nstep ")[0], flags=re.MULTILINE))
            self._later += later
        else:
            self.trace.what_if(node, value)
            if not self._refresh("all"):
                self._stopped("goto", "what if")
        return {"value": repr(value)}

    def _run_again(self, again: Again) -> None:
        """Ask the adapter to run the program again with other numbers in its leaves."""
        numbers = {key: repr(number) for key, number in again.numbers.items()}  # JSON has no nan
        place = self.trace.position - self.trace.start
        resume = {"call": again.call, "place": place, "leaf": again.key, "value": numbers.get(again.key, "")}
        self._continued()
        self._event("again", numbers=numbers, resume=resume)

    def _arm(self) -> None:
        """Put all breakpoints into the trace, and tell the editor which of them are valid."""
        for changed in self._wanted.arm(self.trace, self._sources):
            self._event("breakpoint", reason="changed", breakpoint=changed)

    def _set_breakpoints(self, kind: str, arguments: Arguments) -> Body:
        """Replace all breakpoints of a kind; of those on lines, all of a file."""
        file = self._sources.file(arguments["source"]) if kind == "line" else None
        asked = arguments.get("breakpoints") or []
        if kind == "exception":
            asked = [{"filterId": name} for name in arguments.get("filters") or []]
            asked += arguments.get("filterOptions") or []
        wanted = [Wanted.asked(kind, a, self._sources, file) for a in asked]
        self._wanted.replace(f"{kind} {file}", wanted, None if self._call is None else self.trace)
        return {"breakpoints": [new.answer(self._sources) for new in wanted]}

    def _data_info(self, arguments: Arguments) -> Body:
        name, reference = str(arguments["name"]), arguments.get("variablesReference")
        owner = self._tree.branch(reference).node if reference else None
        try:
            node = owner if owner is not None and name == "grad" else self._console.node(name)
        except ArgumentError as error:
            return {"dataId": None, "description": sentences(error)}
        label = self.trace.label(node)
        return {"dataId": label, "description": f"the gradient of {label}", "accessTypes": ["write"]}

    def _locations(self, arguments: Arguments) -> Body:
        file, first = self._sources.file(arguments["source"]), self._sources.python_line(arguments["line"])
        last = self._sources.python_line(arguments.get("endLine") or arguments["line"])
        lines = [] if self._call is None else self.trace.lines(file)
        return {"breakpoints": [{"line": self._sources.line(line)} for line in lines if first <= line <= last]}


# -- the table of requests ---------------------------------------------------------------------------------------------

REFUSED, WAITING = object(), object()  # after the end: refuse the request; let breakpoints wait for the next run


class _Request(NamedTuple):
    """The handler of a request, the answer after the program's end, and the capability that the request stands for."""

    handler: Callable[[Session, Any], Any]
    ended: Any = REFUSED
    capability: str = ""


def _motion(motion: Callable[[Trace, bool], Stop], back: bool = False, capability: str = "") -> _Request:
    return _Request(lambda session, _: session._moved(motion(session.trace, back)), None, capability)


def _breakpoints(kind: str, ended: Any, capability: str) -> _Request:
    return _Request(lambda session, arguments: session._set_breakpoints(kind, arguments), ended, capability)


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
    "inlineValues": _Request(Session._inline_values, {"values": []}),  # for our extension, as the next one
    "page": _Request(Session._page, {"page": 0}),
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
    "setBreakpoints": _breakpoints("line", WAITING, "supportsConditionalBreakpoints"),
    "setFunctionBreakpoints": _breakpoints("function", WAITING, "supportsFunctionBreakpoints"),
    "setDataBreakpoints": _breakpoints("data", WAITING, "supportsDataBreakpoints"),
    "setExceptionBreakpoints": _breakpoints("exception", None, "supportsExceptionFilterOptions"),
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
