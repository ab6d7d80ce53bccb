"""What an editor shows beside variables: the terminal's commands in its console, values at lines, the graph's page."""

from __future__ import annotations

import io
import re
import shutil
import socket

import pytest

import autograd_mini as am
from autograd_mini import Value, debug
from autograd_mini.debug.dap.protocol import PENDING, SocketChannel
from autograd_mini.debug.dap.views import Console, Graph, Sources, Variables, inline
from autograd_mini.debug.terminal.commands import COMMANDS, Shell
from autograd_mini.debug.wording import Wording
from autograd_mini.errors import ArgumentError
from tests.debug.test_calls import BRANCHES
from tests.debug.test_dap import CHAIN, EXTENSION, client, in_host, program, served  # noqa: F401  # fixtures
from tests.debug.test_pages import CHROMIUM, chromium, recorded  # noqa: F401  # fixtures

SOFTMAX = """\
import autograd_mini as am

x = am.Value(2.0)
w, v = am.Value(0.5), am.Value(-1.0)
z = [w * x, v * x]
a = am.softmax(z)
loss = -am.log(a[1])
loss.backward()
"""
LINES = [
    "tree", "tree loss 5", "grad", "grad x", "rule", "rule softmax", "paths w", "explain", "explain x", "check", "help",
    "help break", "n", "n", "s", "rn", "r", "c", "rc", "jump 14", "j +1", "goto start", "open softmax", "n;;n", "fold",
    "b exp", "b", "b x.grad > 1", "c", "condition 1 grad > 2", "disable", "clear", "p x.grad", "pp", "pp x", "!x",
    "display x.grad", "n", "undisplay", "where", "u", "d", "list", "set a[1] 3", "c", "tree;;grad", "step 3", "rn 2",
]  # fmt: skip


@pytest.fixture
def softmax(tmp_path):
    trace = recorded(tmp_path, SOFTMAX)
    trace.seek(trace.start)
    return trace


def console_of(trace):
    console = Console()
    console.interact(trace)
    return console


# -- commands ----------------------------------------------------------------------------------------------------------


def test_a_line_prints_what_it_prints_in_the_terminal(tmp_path):
    """The same commands in the same order, at the same place after each."""
    printed = io.StringIO()
    shell = Shell(stdin=io.StringIO(), stdout=printed)
    shell.converse = lambda: True
    first, second = (recorded(tmp_path, SOFTMAX) for _ in range(2))
    for trace in (first, second):
        trace.seek(trace.start)
    shell.interact(first)
    console = console_of(second)
    for line in LINES:
        start = len(printed.getvalue())
        shell.onecmd(line)
        while shell.cmdqueue:
            shell.onecmd(shell.cmdqueue.pop(0))
        try:
            text, _ = console.run(line)
        except ArgumentError as error:
            text = f"*** {error}"
        assert text == printed.getvalue()[start:].rstrip("\n"), line
        assert (second.position, second.opened) == (first.position, first.opened), line


def test_the_console_has_every_command_of_the_terminal(softmax):
    """Each command works by its name and each short name: there is no second list."""
    console = console_of(softmax)
    rows = [row.partition(":")[0].split() for rows in COMMANDS.values() for row in rows.split(",")]
    names = [name for row in rows for name in row]
    assert len(names) > 50
    assert all(console.is_command(name) for name in names)
    assert not any(console.is_command(line) for line in ("x.grad", "x + 1", "a[1]", "loss", "2 * w", "#3", ""))


@pytest.mark.parametrize(
    ("line", "is_command"),
    [
        ("n", True), ("n 3", True), ("n + 1", False), ("n*2", False), ("n == 1", False), ("w", True), ("w > 0", False),
        ("tr", False), ("tree", True), ("expl", True), ("jump +3", True), ("j -3", True), ("i", False), ("ig", True),
    ],
)  # fmt: skip
def test_a_variable_comes_before_the_beginning_of_a_command(line, is_command):
    """And in an expression before a whole command, so that no calculation moves the debugger."""
    leaves = [Value(1.0, name=name) for name in ("n", "w", "tr", "i")]
    assert console_of(debug.trace(am.sum(leaves))).is_command(line) is is_command


def test_a_command_that_is_also_a_variable_says_so():
    """Neither is silently taken for the other."""
    console = console_of(debug.trace(Value(1.0, name="w") * 2.0))
    assert console.run("w")[0].endswith("(w is also a node: p w prints it.)")
    assert "also" not in console.run("tree")[0]


def test_a_complaint_is_an_error_unless_something_was_done(softmax):
    """Then both are said, because the motion before it has happened."""
    console = console_of(softmax)
    with pytest.raises(ArgumentError, match="There is no step 99"):
        console.run("jump 99")
    text, _ = console.run("n;;jump 99")
    assert "step 13 of" in text
    assert "There is no step 99" in text


# -- the editor moves --------------------------------------------------------------------------------------------------


def typed(client, line):  # noqa: F811
    """What a line in the console answers."""
    response = client.ask("evaluate", expression=line, context="repl")
    assert response["success"], response
    return response["body"]["result"]


def messages(client, start):  # noqa: F811
    """The kinds of messages since a moment, in order."""
    return [message.get("event") or message.get("command") for message in client.seen[start:]]


def test_a_motion_in_the_console_moves_the_editor(client, program):  # noqa: F811
    """First the answer, then that it went on, then where it stops: an editor asks for everything again."""
    client.launch(program(CHAIN))
    client.event("stopped")
    start = len(client.seen)
    assert typed(client, "n").startswith("step 13 of 17, backward through square")
    stop = client.event("stopped")
    assert messages(client, start) == ["evaluate", "continued", "stopped"]
    assert (stop["reason"], stop["text"]) == ("step", "step 13 of 17, backward")
    assert client.frames()[0]["line"] == 12
    start = len(client.seen)
    typed(client, "grad")
    client.ask("threads")
    assert messages(client, start) == ["evaluate", "threads"]


def test_the_console_looks_at_the_place_of_the_editor(client, program):  # noqa: F811
    """After the editor's own motions it begins at the innermost place, and knows why the editor has stopped."""
    client.ask("initialize", adapterID="test")
    client.ask("launch", program=program(CHAIN), stopOnEntry=False)
    client.ask("setExceptionBreakpoints", filters=[], filterOptions=[{"filterId": "exploding", "condition": "25"}])
    client.ask("configurationDone")
    client.event("stopped")
    assert "Gradient of x = 30.0" in typed(client, "explain")  # what received it
    client.go("reverseContinue")
    client.go("goto", targetId=7)
    assert "line 12" in typed(client, "u").replace(".py:", " line ")
    client.go("goto", targetId=15)
    assert "^" in typed(client, "where")


def test_a_motion_that_changes_a_gradient_meets_no_breakpoint(client, program):  # noqa: F811
    """Even after a stop at one."""
    client.launch(program(CHAIN))
    client.event("stopped")
    typed(client, "b mul")
    client.go("continue")
    typed(client, "set out 2")
    assert client.event("stopped")["reason"] == "step"


RUN = """\
import autograd_mini as am
w = am.Value(2.0)
for epoch in range(6):
    loss = w * float(epoch)
    loss.backward()
"""


def test_the_console_goes_to_other_calls(client, program):  # noqa: F811
    """Forwards the program goes on until that call, back an earlier one is shown again, and then the next ones."""
    client.launch(program(RUN))
    client.event("stopped")

    def call_after(line):
        typed(client, line)
        assert client.event("stopped")["reason"] == "step"
        return int(re.match(r"This is call (\d+);", typed(client, "call"))[1])

    assert call_after("epoch 3") == 4
    assert typed(client, "p loss").startswith("loss = 6")
    assert call_after("previous 2") == 2
    assert "∂" in client.frames()[0]["name"]
    typed(client, "n")
    client.event("stopped")
    assert call_after("call +1") == 3
    typed(client, "jump end")
    client.event("stopped")
    assert call_after("c") == 4  # visited before, and shown again
    assert call_after("call 77") == 6  # it never comes
    assert any("ended after call 6, without call 77" in str(message) for message in client.seen)
    typed(client, "q")


def test_a_number_set_in_an_earlier_call_runs_the_program_again_for_that_call(client, program):  # noqa: F811
    """Not for the one that it had reached, whose leaf has been written since."""
    client.launch(program(BRANCHES))
    client.event("stopped")
    for line in "call 3", "call 1", "set w 2":
        typed(client, line)
        client.event("stopped")
    assert typed(client, "call").startswith("This is call 1; calls 1 to 1")
    assert typed(client, "p w").startswith("w = 2")
    assert "w - 1.5 → loss" in typed(client, "nudge w -1.5")
    assert not any("no longer makes it" in str(message) for message in client.seen)


def test_steps_follow_open_and_fold(client, program):  # noqa: F811
    """What the console opens, the button for a step over goes into, until it is folded."""
    client.launch(program(CHAIN))
    client.event("stopped")
    assert typed(client, "open square") == "open: square"
    client.go("next")
    assert client.frames()[0]["line"] == 9
    client.go("stepBack")
    typed(client, "fold")
    client.go("next")
    assert client.frames()[0]["name"].endswith("/∂square")


def test_a_breakpoint_of_the_console_stops_the_editor(client, program):  # noqa: F811
    """Also at later calls; one that the console clears disappears from the editor."""
    path = program("import autograd_mini as am\nw = am.Value(2.0)\nfor _ in range(2):\n    (w * w + w).backward()\n")
    client.ask("initialize", adapterID="test", supportsInvalidatedEvent=True)
    client.ask("launch", program=path)
    asked = client.ask("setFunctionBreakpoints", breakpoints=[{"name": "add"}])["body"]["breakpoints"]
    client.ask("configurationDone")
    client.event("stopped")
    assert typed(client, "b w.grad").startswith("breakpoint 2: watch w.grad")
    for _ in range(2):
        assert client.go("continue")["reason"] == "function breakpoint"
        typed(client, "c")
        stop = client.event("stopped")
        assert (stop["reason"], stop.get("hitBreakpointIds")) == ("breakpoint", None)
        assert "watch w.grad" in stop["text"]
        typed(client, "jump end")
        client.event("stopped")
        typed(client, "c")
        client.event("continued")
        if _ == 0:
            client.event("stopped")
            assert [line[:12] for line in typed(client, "b").splitlines()] == ["breakpoint 2", "breakpoint 3"]
    client.event("terminated")
    assert asked[0]["id"]


def test_what_the_console_clears_the_editor_forgets(client, program):  # noqa: F811
    """Its mark in the margin disappears, and the editor learns about a new expression to watch."""
    client.ask("initialize", adapterID="test", supportsInvalidatedEvent=True)
    client.ask("launch", program=program(CHAIN))
    (asked,) = client.ask("setFunctionBreakpoints", breakpoints=[{"name": "mul"}])["body"]["breakpoints"]
    client.ask("configurationDone")
    client.event("stopped")
    assert typed(client, "clear") == "removed 1"
    removed = client.event("breakpoint")
    assert (removed["reason"], removed["breakpoint"]["id"]) == ("removed", asked["id"])
    typed(client, "display x.grad")
    assert client.event("invalidated") == {"areas": ["variables"], "threadId": 1}
    assert "Watches" in [scope["name"] for scope in client.ask("scopes", frameId=1)["body"]["scopes"]]


def test_the_console_ends_the_program(client, program):  # noqa: F811
    """As `q` does in the terminal."""
    client.launch(program(CHAIN))
    client.event("stopped")
    typed(client, "q")
    client.event("terminated")
    assert "dw" not in client.output("stdout")


def test_numbers_that_the_console_sets_move_the_editor_to_another_trace(client, program):  # noqa: F811
    """Set, nudged and reset: the terminal's commands; breakpoints, values at lines and the page are those of now."""
    client.launch(program(SOFTMAX))
    client.event("stopped")
    assert client.ask("page")["body"]["page"] == 1
    assert typed(client, "b x.grad").startswith("breakpoint 1")
    assert "w" in typed(client, "nudge w")
    typed(client, "set w 0.75")
    client.event("stopped")
    assert client.value("w.value") == "0.75"
    values = client.ask("inlineValues", source={"path": program(SOFTMAX)})["body"]["values"]
    assert "w = 0.75" in {line["line"]: line["text"] for line in values}[4]
    assert client.ask("page", known=1)["body"]["page"] == 2
    assert len(typed(client, "b").splitlines()) == 1
    assert client.go("continue")["reason"] == "breakpoint"
    typed(client, "reset")
    client.event("stopped")
    assert client.value("w.value") == "0.5"


# -- completion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "some"),
    [
        ("expl", 1, {"explain"}), ("", None, {"tree", "loss", "abs("}), ("help tr", 6, {"tree"}),
        ("open so", 6, {"softmax"}), ("p x.gr", 3, {"x.grad"}), ("2*lo", 3, {"loss", "local"}), ("lo", 1, {"loss"}),
        ("paths w", 7, {"w"}), ("b soft", 3, {"softmax"}), ("é + lo", 5, {"loss"}), ("𝛿 + lo", 6, {"loss"}),
        ("abs(x.gr", 5, {"x.grad"}), ("jump s", 6, {"start"}),
    ],
)  # fmt: skip
def test_the_console_completes_as_the_terminal_does(softmax, text, start, some):
    """Commands, what may follow them, and nodes, in UTF-16 columns from 1 or 0; the rest of the line stays."""
    console = console_of(softmax)
    column = len(text.encode("utf-16-le")) // 2
    for first in (0, 1):
        targets = console.targets(
            {"text": f"above\n{text} rest", "line": 1 + first, "column": column + first}, first, first
        )
        assert some <= {target["label"] for target in targets}
        assert {target.get("start") for target in targets} == {start if start is None else start - 1 + first}
        assert all(target.get("length", 0) == column + 1 - (start or column + 1) for target in targets)


# -- values at the ends of lines ---------------------------------------------------------------------------------------


def at_lines(trace):
    (file,) = {site.file for node in trace.journal.order if (site := trace.place(node))}
    return {found["line"]: found["text"] for found in inline(trace, file, Sources({}))}


def test_values_and_gradients_stand_at_the_ends_of_lines(softmax):
    """As they are now: a gradient once it has begun to arrive."""
    assert at_lines(softmax) == {
        3: "x = 2", 4: "w = 0.5; v = -1", 5: "z[0] = 1; z[1] = -2", 6: "a[1] = 0.04743", 7: "loss = 3.049, ∂ = 1"
    }  # fmt: skip
    softmax.seek(len(softmax) - 1)
    assert at_lines(softmax)[4] == "w = 0.5, ∂ = 1.905; v = -1, ∂ = -1.905"
    assert inline(softmax, "elsewhere.py", Sources({})) == []


def test_what_is_not_computed_yet_is_not_shown(softmax):
    """In the forward phase a line gets its value when it runs."""
    softmax.seek(softmax.number(softmax.nodes("z[1]")[0]))
    assert at_lines(softmax) == {3: "x = 2", 4: "w = 0.5; v = -1", 5: "z[1] = -2"}


def test_of_many_nodes_on_a_line_the_nearest_are_shown(tmp_path):
    """And how many more there are; a line without names shows its expression's value."""
    text = """\
import autograd_mini as am
def square(a):
    return a * a
w = [am.Value(float(i)) for i in range(10)]
t = am.Value(0.0)
for i in range(10):
    t = t + square(w[i])
t.backward()
"""
    trace = recorded(tmp_path, text)
    trace.seek(trace.start)
    lines = at_lines(trace)
    assert re.fullmatch(r"(w\[\d] = \d; ){4}… 6 more", lines[4])
    assert lines[7].startswith("t[6] = 140; t[7] = 204; ") or "∂ = 1" in lines[7]
    assert lines[3] == "= 81"


# -- variables ---------------------------------------------------------------------------------------------------------


def opened(variables, rows, name):
    (row,) = [row for row in rows if row["name"] == name]
    return variables.rows(row["variablesReference"])


def test_rules_and_paths_are_variables(softmax):
    """The local rule of this step, of a call that was passed, of a node; the paths to a leaf, with their products."""
    softmax.seek(softmax.start + 2)
    variables = Variables(Wording(softmax))
    (rule,) = opened(variables, variables.scopes(), "Local rule")
    assert (rule["name"], rule["value"]) == ("∂log(a[1])/∂a[1]", "1 / a[1] = 1 / 0.04743 = 21.09")
    softmax.over()
    variables = Variables(Wording(softmax))
    first, _, where = opened(variables, variables.scopes(), "Local rule")
    assert first["value"] == "a_i(δ_ij − a_j) = 0.04743 × (1 − 0.04743) = 0.04518"
    assert where["name"] == "with"
    w = opened(variables, opened(variables, variables.scopes(), "Leaves"), "w")
    *paths, total = opened(variables, w, "paths")
    assert [path["name"] for path in paths] == ["loss → am.log(a[1]) → a[1] → z[0] → w"]
    assert paths[0]["value"] == "-1 × 21.09 × (-0.04518) × 2 = 1.905"
    assert total["value"] == "1.905, the sum over 1 path"
    hover = variables.node("a[1]", softmax.nodes("a[1]")[0])
    assert "∂a[1]/∂z[1] = a_i(δ_ij − a_j)" in opened(variables, [hover], "a[1]")[-2]["value"]


def test_a_list_of_leaves_is_one_row_that_opens_in_pages(client, program):  # noqa: F811
    """In the order of its elements; short lists, and what is in none, stand one by one; so it is with operands."""
    text = """\
import autograd_mini as am
w = [am.Value(float(i)) for i in range(250)]
short = [am.Value(1.0), am.Value(2.0)]
b = am.Value(3.0)
y = am.sum(w[::-1]) + short[0] * short[1] * b
y.backward()
"""
    client.launch(program(text))
    client.event("stopped")

    def rows(reference, **page):
        return client.ask("variables", variablesReference=reference, **page)["body"]["variables"]

    leaves = client.ask("scopes", frameId=1)["body"]["scopes"][-1]
    found = {row["name"]: row for row in rows(leaves["variablesReference"])}
    assert set(found) == {"w", "short[0]", "short[1]", "b"}
    assert (found["w"]["value"], found["w"]["indexedVariables"]) == ("250 nodes", 250)
    page = rows(found["w"]["variablesReference"], filter="indexed", start=100, count=100)
    assert [row["name"] for row in page] == [f"w[{i}]" for i in range(100, 200)]
    assert client.ask("evaluate", expression="short[0]", context="watch")["body"]["type"] == "leaf"
    evaluated = client.ask("evaluate", expression="w", context="watch")["body"]
    assert (evaluated["result"], evaluated["indexedVariables"]) == ("250 nodes", 250)
    total = client.ask("evaluate", expression="#253", context="hover")["body"]
    (operands,) = [row for row in rows(total["variablesReference"]) if row["name"] == "in"]
    assert (operands["value"], operands["indexedVariables"]) == ("250 operands", 250)


def test_long_names_are_cut_in_the_middle_and_stay_different(tmp_path):
    """In variables, frames and the terminal; whole where an editor evaluates them."""
    text = """\
import autograd_mini as am
class Model:
    def __init__(self, name):
        self.a_rather_long_name_of_a_layer = [am.Value(float(i)) for i in range(3)]
first_of_the_models, other_of_the_models = [Model(0), Model(1)], [Model(2)]
models_of_this_program = {"first": first_of_the_models, "other": other_of_the_models}
del first_of_the_models, other_of_the_models
leaves = [x for some in models_of_this_program.values() for model in some for x in model.a_rather_long_name_of_a_layer]
loss = am.sum(x * x for x in leaves)
del leaves
loss.backward()
"""
    trace = recorded(tmp_path, text)
    trace.seek(len(trace) - 1)
    names = [trace.names.short(node) for node in trace.journal.order]
    assert len({*names}) == len(names)
    assert max(map(len, names)) < 40
    assert max(len(trace.label(leaf)) for leaf in trace.leaves) > 50
    variables = Variables(Wording(trace))
    rows = opened(variables, variables.scopes(), "Leaves")
    assert all("…" in row["name"] and row["name"] in names for row in rows)
    assert [trace.evaluate(row["evaluateName"]) for row in rows] == trace.leaves
    (frame, *_) = variables.frames(Sources({}))
    assert len(frame["name"]) < 50
    assert "…" in "\n".join(Wording(trace).stop())


def test_lists_whose_short_names_are_alike_keep_their_names():
    """No two rows look the same; a name that is the only one of its kind is cut."""
    names = ["a_rather_long_name_1_of_a_list_of_leaves", "a_rather_long_name_2_of_a_list_of_leaves", "another" * 6]
    trace = debug.trace(am.sum(Value(1.0, name=f"{name}[{i}]") for i in range(8) for name in names))
    variables = Variables(Wording(trace))
    rows = opened(variables, variables.scopes(), "Leaves")
    assert [row["evaluateName"] for row in rows] == names
    assert [row["name"] for row in rows] == [*names[:2], "anotheranotheran…ranotheranother"]


# -- the page of the graph ---------------------------------------------------------------------------------------------


def test_the_page_is_sent_once_and_again_if_the_steps_change(softmax):
    """Later only where we are; after a change of a gradient it is another page."""
    graph = Graph()
    first = graph.page(softmax, None, False)()
    assert (first["step"], "Content-Security-Policy" in first["html"]) == (softmax.start, True)
    softmax.seek(14)
    assert graph.page(softmax, first["page"], False)() == {"page": first["page"], "step": 14}
    softmax.what_if(softmax.nodes("a[1]")[0], 3.0)
    changed = graph.page(softmax, first["page"], False)()
    assert changed["page"] != first["page"]
    assert changed["html"] != first["html"]


def test_what_fails_while_it_is_drawn_is_an_answer():
    """Whatever it is, nothing waits forever."""
    ours, theirs = socket.socketpair()
    channel, peer = SocketChannel(ours), SocketChannel(theirs)
    assert channel.answer_later({"seq": 1, "command": "page"}, lambda: 1 // 0) is PENDING
    answer = next(iter(peer))
    assert (answer["success"], "ZeroDivisionError" in answer["message"]) == (False, True)
    for end in (channel, peer):
        end.close()


def test_a_graph_that_takes_long_to_draw_is_not_drawn(client, program):  # noqa: F811
    """The panel says what to do instead."""
    client.launch(
        program("import autograd_mini as am\nx = am.Value(0.5)\nfor _ in range(30_000): x = x + 1.0\nx.backward()\n")
    )
    client.event("stopped")
    assert "Type graph into the debug console" in client.refused("page")


def test_who_moves_on_while_the_page_is_drawn_gets_all_answers(client, program):  # noqa: F811
    """The page comes when it is there; nothing waits for it."""
    client.launch(program(CHAIN))
    client.event("stopped")
    number = client.send("page", dark=True)
    client.go("next")
    answers = [message for message in client.seen if message.get("request_seq") == number]
    answer = answers[0] if answers else client.until(lambda message: message.get("request_seq") == number)
    assert answer["body"]["html"].startswith("<!doctype html>")
    client.ask("terminate")
    client.event("terminated")
    assert client.ask("page")["body"] == {"page": 0}
    assert client.ask("inlineValues", source={"path": "x"})["body"] == {"values": []}


HOST = """
window.posted = [];
window.acquireVsCodeApi = () => ({ postMessage: (step) => window.posted.push(step) });
"""


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing")
def test_the_page_follows_the_editor_and_the_editor_the_page(softmax, chromium, tmp_path):  # noqa: F811
    """Each way without an echo; a step inside a folded call opens it; the theme is the editor's."""
    for is_dark in (True, False):
        path = tmp_path / f"{is_dark}.html"
        path.write_text(Graph().page(softmax, None, is_dark)()["html"], encoding="utf-8")
        page = chromium.new_page(color_scheme="light" if is_dark else "dark")
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))  # noqa: B023  # of this page
        page.add_init_script(HOST)
        page.goto(path.as_uri())
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour))) < 300) is is_dark
        for step, shown in [
            (13, "step 13 of 25"),
            (21, "steps 15–21 of 25"),
            (16, "step 16 of 25"),
            (0, "step 0 of 25"),
        ]:
            page.evaluate("(step) => window.postMessage(step)", step)
            page.wait_for_function("(text) => document.getElementById('count').textContent === text", arg=shown)
        assert page.evaluate("posted") == []
        page.keyboard.press("ArrowRight")
        page.evaluate("document.querySelector('#slider').value = 14")
        page.evaluate("document.querySelector('#slider').dispatchEvent(new Event('input'))")
        assert page.evaluate("posted") == [1, 14]
        assert complaints == []
        page.close()


# -- the extension -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing")
def test_the_extension_keeps_the_graph_in_step():
    """It opens at a stop, follows, leads without an echo, closes with the session; closed by hand it stays closed."""
    script = [
        "start", "stopped", "stopped", ["page", 14], "stopped", "stopped", "stop", "start", "stopped", "dispose",
        "stopped", "command", "theme", "stop",
    ]  # fmt: skip
    assert in_host(EXTENSION, {"script": script}) == [
        "inline values on", "panel opened", "page known=undefined dark=true", "html page 1", "post 1",
        "page known=1 dark=true", "post 2", "goto 14", "page known=1 dark=true", "post 4",
        "panel closed", "inline values off",
        "inline values on", "panel opened", "page known=undefined dark=true", "html page 1", "post 5", "panel closed",
        "panel opened", "page known=undefined dark=true", "html page 1", "post 6",
        "page known=undefined dark=false", "html page 1", "post 6", "panel closed", "inline values off",
    ]  # fmt: skip
