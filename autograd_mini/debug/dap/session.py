"""The debugger's side of one program: it waits at `backward()` while the editor looks around in the trace and moves.

One thread reads the editor's requests and answers them; that of the program waits meanwhile, so they never meet.
Not here: starting programs and ending them (that is `adapter`). Read next: `adapter`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from autograd_mini.debug.dap.protocol import UNUSABLE, Channel, Message, sentences
from autograd_mini.debug.dap.sources import Sources
from autograd_mini.debug.dap.stops import FILTERS, REASONS, Wanted, calling_lines, is_same_file
from autograd_mini.debug.dap.variables import Variables, number
from autograd_mini.debug.program import Call
from autograd_mini.debug.timeline.index import Frame
from autograd_mini.debug.timeline.journal import FORWARD, WHAT_IF
from autograd_mini.debug.timeline.travel import Stop, Trace
from autograd_mini.debug.wording import Wording
from autograd_mini.engine import Value, is_node
from autograd_mini.errors import ArgumentError, AutogradError, shown
from autograd_mini.notation.text import number as in_digits
from autograd_mini.program.stack import outwards

Body = dict[str, Any] | None

_THREAD = 1
_THRESHOLD = {"supportsCondition": True, "conditionDescription": "Another limit, such as 100; or a condition."}
CAPABILITIES = {
    **{
        f"supports{skill}": True
        for skill in (
            "ConfigurationDoneRequest", "FunctionBreakpoints", "ConditionalBreakpoints", "HitConditionalBreakpoints",
            "EvaluateForHovers", "StepBack", "SetVariable", "GotoTargetsRequest", "RestartRequest", "TerminateRequest",
            "ExceptionInfoRequest", "ExceptionFilterOptions", "LoadedSourcesRequest", "LogPoints", "DataBreakpoints",
            "BreakpointLocationsRequest", "CompletionsRequest",
        )
    },
    "supportTerminateDebuggee": True,
    "exceptionBreakpointFilters": [
        {
            "filter": "nonfinite", "label": "nan or infinity", "supportsCondition": True,
            "description": "Stop where nan or an infinity is computed, handed on, or comes out of a sum.",
            "conditionDescription": "A condition, such as op == 'log'.",
        },
        {
            "filter": "exploding", "label": "Exploding gradient", **_THRESHOLD,
            "description": "Stop where a gradient is larger than 1e6 in size.",
        },
        {
            "filter": "vanishing", "label": "Vanishing gradient", **_THRESHOLD,
            "description": "Stop where something is handed on as 1e-12 or less, though what arrived was not zero.",
        },
    ],
}  # fmt: skip
_HELP = """\
x            a variable, its value and its gradient now        x.grad * 2   any expression
explain x    why its gradient is zero, nan, infinite or huge   goto 12      go to a step
"""


class Session:
    """Answers an editor's requests about a program that calls `backward()`.

    Args:
        channel: to the editor, through the adapter.
        gone: what to do when the editor is gone.
        repeatable: whether the program can be run again with another number in a leaf.
    """

    def __init__(self, channel: Channel, gone: Callable[[], None], repeatable: bool = True) -> None:
        self.channel, self._gone, self._repeatable = channel, gone, repeatable
        self._lock = threading.Condition()
        self._process = os.getpid()
        self._options: dict[str, Any] | None = None  # of the launch
        self._is_configured = self._is_over = self._may_go = self._pauses = False
        self._sources = Sources({})
        self._wanted: dict[str, list[Wanted]] = {}  # by what replaces it
        self._call: Call | None = None
        self._trace: Trace | None = None
        self._variables: Variables | None = None
        self._numbers = 1  # of variables, the next that is free
        self._later: list[Callable[[], object]] = []  # what goes out after the response
        self._last: list[Wanted] = []  # those that were met at this stop
        threading.Thread(target=self._read, name="autograd-mini dap", daemon=True).start()

    # -- the program's thread ------------------------------------------------------------------------------------------

    def options(self) -> dict[str, Any]:
        """Wait until the editor has said all that it has to say before the program may run; what it launched."""
        with self._lock:
            self._lock.wait_for(lambda: self._is_over or (self._is_configured and self._options is not None))
            return self._options or {}

    def stop(self, call: Call) -> None:
        """Let the editor look around before a call of `backward()`, if this is one at which it wants to stop."""
        if os.getpid() != self._process:
            return  # a fork of the program: nobody reads there
        with self._lock:
            reason = "" if self._is_over else self._reason(call)
            if not reason:
                return
            self._call, self._trace = call, call.trace()
            self._wording = Wording(self._trace)  # it looks at all nodes
            self._arm()
            if not self._arrive(reason):
                self._call = self._trace = None
                return
            self._may_go = False
            self._flush()
            self._lock.wait_for(lambda: self._may_go or self._is_over)
            self._call = self._trace = self._variables = None

    def _reason(self, call: Call) -> str:
        """Why to stop at a call; "" if not at all."""
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
        """Whether a breakpoint on the line of a call stops there; what cannot be computed does."""
        assert wanted.armed is not None  # it is known to be one
        try:
            is_met = wanted.armed.is_met(trace.now, trace.position)
            if is_met and wanted.log is not None:
                self._say(trace.now.filled(wanted.log))
        except AutogradError as error:
            self._say(sentences(error))
            return True
        return is_met and wanted.log is None

    def _arrive(self, reason: str) -> bool:
        """Find the place to stop at in a new trace; whether there is one."""
        assert self._call is not None  # this is a stop
        options, trace = self._options or {}, self.trace
        self._pauses = False
        which = f"backward() number {self._call.number}"
        if reason == "goto":
            resume = options.pop("resume")
            trace.seek(min(resume["position"], len(trace) - 1))
            leaf = self._call.leaves[resume["leaf"]]
            if repr(leaf.data) != resume["value"]:
                self._say(f"{trace.label(leaf)} is {leaf.data!r} here, for the program changes it on the way.")
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
        command, arguments = request["command"], request.get("arguments") or {}
        handler = _HANDLERS.get(command)
        with self._lock:
            try:
                if handler is None:
                    raise ArgumentError(f"There is no request {shown(command)} here.")
                if command in _AT_STOPS and self._trace is None:
                    self.channel.refuse(request, "The program is running; it stops at backward().", "notStopped")
                    return
                self.channel.respond(request, handler(self, arguments))
            except AutogradError as error:
                self._later.clear()
                self.channel.refuse(request, sentences(error))
            except UNUSABLE as error:
                self._later.clear()
                self.channel.refuse(request, f"The arguments of {command} cannot be used: {shown(error)}.")
            self._flush()

    def _flush(self) -> None:
        """Send what has to come after the response."""
        later, self._later = self._later, []
        for send in later:
            send()

    def _event(self, name: str, body: Body = None) -> None:
        self._later.append(lambda: self.channel.event(name, body))

    def _say(self, *messages: str) -> None:
        for message in messages:
            self._event("output", {"category": "console", "output": message + "\n"})

    @property
    def trace(self) -> Trace:
        """The trace of this stop; requests that need one are answered at stops alone."""
        assert self._trace is not None
        return self._trace

    # -- beginning -----------------------------------------------------------------------------------------------------

    def _initialize(self, arguments: Mapping[str, Any]) -> Body:
        self._client = arguments
        self._sources = Sources(arguments)
        return None

    def _start(self, arguments: dict[str, Any]) -> Body:
        self._options = arguments
        return None

    def _configuration_done(self, arguments: Mapping[str, Any]) -> Body:
        self._is_configured = True
        self._lock.notify_all()
        return None

    # -- moving --------------------------------------------------------------------------------------------------------

    def _continue(self, arguments: Mapping[str, Any]) -> Body:
        if self.trace.position == len(self.trace) - 1:
            self._may_go = True
            self._lock.notify_all()
        else:
            self._moved(self.trace.run())
        return {"allThreadsContinued": True}

    def _moved(self, stop: Stop) -> Body:
        """Tell where a motion has ended, and why."""
        self._say(*stop.messages)
        self._last = [wanted for wanted in self._all() if wanted.armed in stop.breakpoints]
        if self._last:
            wanted = self._last[0]
            self._stopped(REASONS[wanted.kind], wanted.target if wanted.kind == "exception" else "")
        else:
            end = "the beginning" if self.trace.position == 0 else "the end: all gradients are complete"
            self._stopped("step", end if stop.reason == "end" else "")
        return None

    def _stopped(self, reason: str, why: str = "") -> None:
        trace = self.trace
        self._numbers = self._variables.next if self._variables else self._numbers
        self._variables = Variables(self._wording, self._numbers)
        text = f"step {trace.position} of {len(trace) - 1}, {why or trace.step.phase}"
        body: dict[str, Any] = {
            "reason": reason, "threadId": _THREAD, "allThreadsStopped": True,
            "description": text, "text": text,
        }  # fmt: skip
        if self._last and reason in ("breakpoint", *REASONS.values()):
            body["hitBreakpointIds"] = [wanted.number for wanted in self._last if wanted.number]
        self._event("stopped", body)

    def _goto_targets(self, arguments: Mapping[str, Any]) -> Body:
        file, line = self._sources.file(arguments["source"]), self._sources.python_line(arguments["line"])
        trace = self.trace
        targets = []
        for node in reversed(trace.journal.order):
            place, turn = trace.place(node), trace.journal.turn_of(node)
            if place is not None and place.line == line and is_same_file(place.file, file):
                step = turn[-1] if turn else trace.number(node)
                targets.append(
                    {"id": step, "label": place.expression or trace.label(node), **self._sources.span(place)}
                )
        return {"targets": targets[:50]}

    def _goto(self, arguments: Mapping[str, Any]) -> Body:
        self.trace.seek(arguments["targetId"])
        self._stopped("goto")
        return None

    def _pause(self, arguments: Mapping[str, Any]) -> Body:
        self._pauses = self._trace is None
        return None

    # -- where we are --------------------------------------------------------------------------------------------------

    def _threads(self, arguments: Mapping[str, Any]) -> Body:
        return {"threads": [{"id": _THREAD, "name": "backpropagation"}]}

    def _stack_trace(self, arguments: Mapping[str, Any]) -> Body:
        trace, step = self.trace, self.trace.step
        frames = trace.frames(step.node)
        passed = {*outwards(self.trace.passed)}  # a scope without a place of its own is at that of the one around it
        first = next((i for i, frame in enumerate(frames) if frame.scope in passed), 0)
        frames = frames[first:] or [Frame("", None)]
        start = int(arguments.get("startFrame") or 0)
        end = start + int(arguments.get("levels") or len(frames))
        shown_frames = [self._frame(i, frame) for i, frame in enumerate(frames)][start:end]
        return {"stackFrames": shown_frames, "totalFrames": len(frames)}

    def _frame(self, index: int, frame: Frame) -> dict[str, Any]:
        name = frame.name
        if index == 0:
            name = self._tree.title() + (
                f" in {name}" if name not in ("", "<module>") and not self.trace.passed else ""
            )
        if frame.site is None:
            return {"id": index + 1, "name": name, "line": 0, "column": 0}
        return {
            "id": index + 1, "name": name, "source": self._sources.source(frame.site.file),
            **self._sources.span(frame.site),
        }  # fmt: skip

    def _loaded_sources(self, arguments: Mapping[str, Any]) -> Body:
        nodes = self._trace.journal.order if self._trace else ()
        places = [place for node in nodes if (place := self.trace.place(node))]
        return {"sources": [self._sources.source(file) for file in dict.fromkeys(place.file for place in places)]}

    def _source(self, arguments: Mapping[str, Any]) -> Body:
        reference = (arguments.get("source") or arguments).get("sourceReference") or arguments["sourceReference"]
        return {"content": self._sources.text(int(reference)), "mimeType": "text/x-python"}

    # -- what is so ----------------------------------------------------------------------------------------------------

    @property
    def _tree(self) -> Variables:
        assert self._variables is not None  # made at each stop
        return self._variables

    def _scopes(self, arguments: Mapping[str, Any]) -> Body:
        return {"scopes": self._tree.scopes()}

    def _rows(self, arguments: Mapping[str, Any]) -> Body:
        start, count = int(arguments.get("start") or 0), int(arguments.get("count") or 0)
        return {"variables": self._tree.rows(arguments["variablesReference"], start, count)}

    def _evaluate(self, arguments: Mapping[str, Any]) -> Body:
        expression = str(arguments["expression"]).strip()
        word, _, rest = expression.partition(" ")
        if arguments.get("context") == "repl":
            if word == "explain":
                return _result(str(self._wording.explanation(self._node(rest) if rest else None)))
            if word == "goto":
                step = number(self.trace, rest)
                if not step.is_integer():
                    raise ArgumentError(f"There is no step {shown(rest)}.", "Write a whole number.")
                self.trace.seek(int(step))
                self._stopped("goto")
                return _result(f"step {self.trace.position}")
            if word == "help":
                return _result(_HELP)
        try:
            row = self._tree.any(expression, self.trace.evaluate(expression))
        except ArgumentError:
            if expression not in self.trace.vocabulary:
                raise
            row = self._tree.nodes(expression, self.trace.nodes(expression))
        return {
            "result": row["value"],
            **{key: row[key] for key in row if key not in ("name", "value", "evaluateName")},
        }

    def _node(self, expression: str) -> Value:
        found = self.trace.evaluate(expression)
        if not is_node(found):
            raise ArgumentError(f"{shown(expression)} is no node of the graph.", "Write the name of a variable.")
        return found

    def _completions(self, arguments: Mapping[str, Any]) -> Body:
        text = str(arguments["text"])[: int(arguments["column"]) - 1]
        word = text[len(text.rstrip("".join(c for c in text if c.isalnum() or c == "_"))) :]
        names = [name for name in self.trace.vocabulary if name.startswith(word)]
        return {"targets": [{"label": name, "type": "variable"} for name in names[:100]]}

    def _exception_info(self, arguments: Mapping[str, Any]) -> Body:
        met = [wanted for wanted in self._last if wanted.kind == "exception"]
        if not met:
            raise ArgumentError("Nothing exceptional has happened here.")
        name, step = met[0].target, self.trace.step
        what, cause = _exception(self._wording), None
        if step.operand is not None:
            cause = self._wording.explanation(step.operand, **met[0].limits)
        return {  # the place for a stack trace is the one for long texts that editors show
            "exceptionId": name, "breakMode": "always", "description": what,
            "details": {"message": what, "typeName": name, "stackTrace": str(cause or "\n".join(self._wording.stop()))},
        }  # fmt: skip

    # -- changing ------------------------------------------------------------------------------------------------------

    def _set_variable(self, arguments: Mapping[str, Any]) -> Body:
        node = self._tree.branch(arguments["variablesReference"]).node
        name, value = arguments["name"], number(self.trace, str(arguments["value"]))
        if node is None or name not in ("value", "grad"):
            raise ArgumentError(
                f"{shown(name)} cannot be set.", "Open a node, and set its grad; or the value of a leaf."
            )
        if name == "value":
            self._run_again(node, value)
        else:
            self.trace.what_if(node, value)
            if self._client.get("supportsInvalidatedEvent"):
                self._event("invalidated", {"areas": ["all"], "threadId": _THREAD})
            else:
                self._stopped("goto", "what if")
        return {"value": repr(value)}

    def _run_again(self, leaf: Value, value: float) -> None:
        """Ask the adapter to run the program again, with another number in a leaf."""
        if not self._repeatable:
            raise ArgumentError(
                "The value cannot change here: the program runs once.", "Debug it with autograd-mini dap."
            )
        assert self._call is not None  # this is a stop
        which = self._call.leaf_number(leaf)
        if leaf.op is not None or which < 0:
            raise ArgumentError(f"{self.trace.label(leaf)} is computed.", "Set the value of a leaf.")
        changes = sum(step.phase == WHAT_IF for step in self.trace[: self.trace.position + 1])  # they are forgotten
        position = self.trace.position - changes
        numbers = {**(self._options or {}).get("numbers", {}), str(which): repr(value)}  # JSON has no nan
        resume = {"call": self._call.number, "position": position, "leaf": which, "value": repr(value)}
        self._event("continued", {"threadId": _THREAD, "allThreadsContinued": True})
        self._event("again", {"numbers": numbers, "resume": resume})

    # -- stopping ------------------------------------------------------------------------------------------------------

    def _all(self) -> list[Wanted]:
        return [wanted for group in self._wanted.values() for wanted in group]

    def _arm(self) -> None:
        """Put all breakpoints into a new trace, and tell the editor what became of them."""
        for wanted in self._all():
            before = wanted.answer(self._sources)
            wanted.arm(self.trace)
            after = wanted.answer(self._sources)
            if after != before and wanted.kind != "exception":
                self._event("breakpoint", {"reason": "changed", "breakpoint": after})

    def _replace(self, group: str, wanted: list[Wanted]) -> Body:
        if self._trace is not None:
            armed = [old.armed for old in self._wanted.get(group, [])]
            self._trace.breakpoints[:] = [b for b in self._trace.breakpoints if b not in armed]
            for new in wanted:
                new.arm(self._trace)
        self._wanted[group] = wanted
        return {"breakpoints": [new.answer(self._sources) for new in wanted]}

    def _set_breakpoints(self, arguments: Mapping[str, Any]) -> Body:
        file = self._sources.file(arguments["source"])
        wanted = [
            _wanted("line", self._sources.python_line(asked["line"]), asked, file)
            for asked in arguments.get("breakpoints") or []
        ]
        return self._replace(f"line {file}", wanted)

    def _set_function_breakpoints(self, arguments: Mapping[str, Any]) -> Body:
        return self._replace("function", [_wanted("function", str(a["name"]), a) for a in arguments["breakpoints"]])

    def _set_data_breakpoints(self, arguments: Mapping[str, Any]) -> Body:
        return self._replace("data", [_wanted("data", str(a["dataId"]), a) for a in arguments["breakpoints"]])

    def _set_exception_breakpoints(self, arguments: Mapping[str, Any]) -> Body:
        asked = [{"filterId": name} for name in arguments.get("filters") or []] + (arguments.get("filterOptions") or [])
        unknown = [a["filterId"] for a in asked if a["filterId"] not in FILTERS]
        if unknown:
            raise ArgumentError(f"There is no filter {shown(unknown[0])}.", f"There are {', '.join(FILTERS)}.")
        body = self._replace("exception", [_wanted("exception", a["filterId"], {"id": 0, **a}) for a in asked])
        for answer in (body or {})["breakpoints"]:
            del answer["id"]
            if answer.get("reason") == "pending":
                del answer["reason"], answer["message"]
                answer["verified"] = True
        return body

    def _data_breakpoint_info(self, arguments: Mapping[str, Any]) -> Body:
        name, reference = str(arguments["name"]), arguments.get("variablesReference")
        owner = self._tree.branch(reference).node if reference else None
        try:
            node = owner if owner is not None and name == "grad" else self._node(name)
        except ArgumentError as error:
            return {"dataId": None, "description": sentences(error)}
        label = self.trace.label(node)
        return {"dataId": label, "description": f"the gradient of {label}", "accessTypes": ["write"]}

    def _breakpoint_locations(self, arguments: Mapping[str, Any]) -> Body:
        file, first = self._sources.file(arguments["source"]), self._sources.python_line(arguments["line"])
        last = self._sources.python_line(arguments.get("endLine") or arguments["line"])
        lines = self._trace.lines(file) if self._trace is not None else []
        return {"breakpoints": [{"line": self._sources.line(line)} for line in lines if first <= line <= last]}


def _wanted(kind: str, target: Any, asked: Mapping[str, Any], file: str | None = None) -> Wanted:
    return Wanted(
        kind, target, int(asked["id"]), file,
        str(asked.get("condition") or ""), str(asked.get("hitCondition") or ""), asked.get("logMessage"),
    )  # fmt: skip


def _exception(wording: Wording) -> str:
    """What is exceptional at a step, in words."""
    step = wording.trace.step
    name = wording.symbol(step.node if step.operand is None else step.operand)  # a Value of 0 is false
    if step.phase == FORWARD:
        return f"{name} is {in_digits(step.total)}"
    upstream, local, contribution = map(in_digits, (step.upstream, step.local, step.contribution))
    return f"{name} gets {upstream} × {local} = {contribution}; its gradient is {in_digits(step.total)}"


def _result(text: str) -> Body:
    return {"result": text, "variablesReference": 0}


_Handler = Callable[[Session, Any], Body]
_AT_STOPS: dict[str, _Handler] = {
    "continue": Session._continue,
    "reverseContinue": lambda session, _: session._moved(session.trace.run(back=True)),
    "next": lambda session, _: session._moved(session.trace.over()),
    "stepIn": lambda session, _: session._moved(session.trace.into()),
    "stepOut": lambda session, _: session._moved(session.trace.out()),
    "stepBack": lambda session, _: session._moved(session.trace.over(back=True)),
    "gotoTargets": Session._goto_targets,
    "goto": Session._goto,
    "stackTrace": Session._stack_trace,
    "scopes": Session._scopes,
    "variables": Session._rows,
    "evaluate": Session._evaluate,
    "completions": Session._completions,
    "exceptionInfo": Session._exception_info,
    "setVariable": Session._set_variable,
    "dataBreakpointInfo": Session._data_breakpoint_info,
}
_HANDLERS: dict[str, _Handler] = {
    **_AT_STOPS,
    "initialize": Session._initialize,
    "start": Session._start,
    "configurationDone": Session._configuration_done,
    "threads": Session._threads,
    "pause": Session._pause,
    "loadedSources": Session._loaded_sources,
    "source": Session._source,
    "setBreakpoints": Session._set_breakpoints,
    "setFunctionBreakpoints": Session._set_function_breakpoints,
    "setDataBreakpoints": Session._set_data_breakpoints,
    "setExceptionBreakpoints": Session._set_exception_breakpoints,
    "breakpointLocations": Session._breakpoint_locations,
}
