"""From one `backward()` to another at the prompt: earlier calls as they were, later ones as they come."""

from __future__ import annotations

import re

import pytest

from autograd_mini import Value, debug
from autograd_mini.debug.terminal import calls
from tests.debug.test_terminal import session  # noqa: F401  # a fixture

TRAINING = """
from autograd_mini import Value
w = Value(1.0)
for epoch in range(5):
    for x in (1.0, 2.0):
        loss = (w * x - 3.0) ** 2
        loss.backward()
        print("gradient", w.grad)
        w.data -= 0.1 * w.grad
        w.grad = 0.0
"""


def shown(done) -> list[int]:
    """The calls that were shown, in this order."""
    return [int(found) for found in re.findall(r"^backward\(\), call (\d+)", done.stdout, re.MULTILINE)]


@pytest.mark.parametrize(("commands", "numbers"), [
    (["call 3", "previous", "previous", "call 3", "q"], [1, 3, 2, 1, 3]),
    (["next call", "n call", "previous call", "prev 1", "call +4", "q"], [1, 2, 3, 2, 1, 5]),
    (["epoch 2", "call -4", "epoch 1", "epoch 3", "q"], [1, 5, 1, 3, 7]),
    (["call 4", "call 2", "c", "c", "c", "q"], [1, 4, 2, 3]),  # to the end of the sweep, then to the next call
    (["call 4", "call 2", "c", "c", "c", "c", "c", "c", "q"], [1, 4, 2, 3, 4, 5]),
    (["call 10", "previous 9", "call 7", "q"], [1, 10, 1, 7]),
])  # fmt: skip
def test_calls_are_visited_in_any_order(commands, numbers, session):  # noqa: F811
    """Back to kept ones, on to new ones; `c` at the end of an earlier sweep goes to the next call."""
    done = session(TRAINING, *commands)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown(done) == numbers


def test_an_earlier_call_is_as_it_was(session):  # noqa: F811
    """An earlier call keeps its numbers, although the program has since written to its leaf; the program runs once."""
    there = session(TRAINING, "p w", "jump end", "p w.grad", "q").stdout.splitlines()
    back = session(TRAINING, "call 6", "call 1", "p w", "jump end", "p w.grad", "q")
    lines = back.stdout.splitlines()
    assert lines[-1] == there[-1]
    assert "w = 1, grad not yet" in there
    assert "w = 1, grad not yet" in lines
    assert len(re.findall("^gradient ", back.stdout, re.MULTILINE)) == 5
    assert "holds" not in back.stdout.rpartition("call 1 of 6 so far")[2]


def test_the_place_in_a_call_is_kept(session):  # noqa: F811
    """Coming back leads to the step where you left."""
    done = session(TRAINING, "n", "n", "call 3", "call 1", "q")
    positions = re.findall(r"^step (\d+) of", done.stdout, re.MULTILINE)
    assert positions[2] == positions[-1] != positions[0]


def test_calls_that_never_come(session):  # noqa: F811
    """At the end, the last call is shown again, so that nothing is lost; then the commands end as usual."""
    done = session(TRAINING, "call 99", "previous", "epoch 77", "c", "c")
    assert done.stdout.count("program.py has ended after call 10, without call 99.") == 1
    assert "without epoch 77" in done.stdout
    assert shown(done) == [1, 10, 9, 10]
    assert done.stdout.endswith("program.py has ended.\n")
    assert done.returncode == 0


@pytest.mark.parametrize(("command", "message"), [
    ("call x", "'x' is not a call: write call 17"),
    ("call 0", "This is the first call."),
    ("previous", "This is the first call."),
    ("epoch two", "'two' is not an epoch: write epoch 17."),
])  # fmt: skip
def test_what_is_no_call(command, message, session):  # noqa: F811
    """The prompt says what to write, and stays."""
    done = session(TRAINING, command, "q")
    assert f"*** {message}" in done.stdout
    assert shown(done) == [1]


def test_epochs_need_a_variable(session):  # noqa: F811
    """Without one of this name, a number alone does not tell which call is meant."""
    done = session(TRAINING.replace("epoch", "round"), "epoch 2", "call", "q")
    assert "*** The program has no variable epoch." in done.stdout
    assert "This is call 1; calls 1 to 1 can be visited" in done.stdout


def test_old_graphs_make_room(session, monkeypatch, capsys):  # noqa: F811
    """Beyond a number of nodes, the oldest calls are gone, and the prompt says which are not."""
    monkeypatch.setattr(calls, "_MOST_NODES", 12)
    kept = calls.Calls()
    for number in range(1, 6):
        root = Value(1.0) * 2.0 + 1.0
        kept.add(calls.Call(number, root, 1.0, None))
    assert [visit.call.number for visit in kept.visits] == [2, 3, 4, 5]
    with pytest.raises(calls.ArgumentError, match=r"Call 1 is no longer kept; calls 2 to 5 can be visited"):
        kept.find(calls.Goal("call", 1))
    debug.shell(Value(1.0) * 2.0, commands=["call 2", "q"])
    assert "There is one backward() here." in capsys.readouterr().out


def test_from_call_to_call_in_a_quiz(session):  # noqa: F811
    """A quiz goes there too."""
    done = session(TRAINING, "call 3", "previous", "q", options=["--quiz"])
    assert shown(done) == [1, 3, 2]


BRANCHES = """
from autograd_mini import Value
w, b = Value(0.5), Value(0.0)
for step in range(4):
    y = w * 2.0 + b
    if y > 1.5:
        loss = (y - 1.0) ** 2
    else:
        loss = (y + 1.0) ** 2
    print("y", y.data)
    loss.backward()
    for leaf in (w, b):
        leaf.data -= 0.1 * leaf.grad
        leaf.grad = 0.0
"""


def test_a_number_set_in_an_earlier_call_belongs_to_that_call(session):  # noqa: F811
    """The program runs again with the number there, not in the call that it had reached, and later ones follow."""
    at_once = session(BRANCHES, "set w 2", "jump end", "c", "q").stdout.splitlines()
    later = session(BRANCHES, "call 3", "call 1", "set w 2", "jump end", "c", "q").stdout
    assert "is not here" not in later
    assert "w + 1.5 → loss + 5 (gradient said 12)" in later
    assert later.splitlines()[-9:] == at_once[-9:]
    assert later.count("y > 1.5 is True now") == 1  # and nothing about comparisons of later calls


def test_the_place_is_kept_where_gradients_or_numbers_were_set(session):  # noqa: F811
    """A set gradient is a step that the call does not have when it is shown again: the place is that without it."""
    whole = session(TRAINING, "jump end", "p w.grad", "q").stdout.splitlines()
    done = session(TRAINING, "n", "set loss 3", "jump end", "call 3", "call 1", "p w.grad", "q")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == whole[-1]


def test_what_has_happened_is_not_announced(session):  # noqa: F811
    """After the end of the program, its last gradients are in place: no backward() will add to them again."""
    done = session(TRAINING, "call 10", "call 99", "c", "q")
    assert "are the gradients of backward()" in done.stdout
    assert "holds" not in done.stdout


CHANGING = """
from autograd_mini import Value, relu
class Net: pass
w, net, cache, made = Value(1.0), Net(), {}, [None]
net.w = Value(0.5)
for epoch in range(5):
    cache.clear()
    h = w * (1.0 + epoch)
    cache["pre"] = h * net.w
    made[0] = relu(cache["pre"])
    net.out = made[0] - 3.0
    loss = net.out ** 2
    loss.backward()
    w.data -= 0.01 * w.grad
    w.grad = 0.0
"""


@pytest.mark.parametrize("way", [["call 4", "call 2"], ["call 2", "call 5", "call 2"], ["epoch 3", "previous 2"]])
def test_an_earlier_call_keeps_its_names(way, session):  # noqa: F811
    """Nodes keep the names of that moment, even in lists, dicts and objects that the program has changed since."""
    there = session(CHANGING, "call 2", "tree", "p epoch", "p h", "q").stdout
    back = session(CHANGING, *way, "tree", "p epoch", "p h", "q").stdout
    assert "net.out = made[0]" in there
    assert back.rpartition("node  ")[2] == there.rpartition("node  ")[2]


def test_what_variables_held_is_not_kept_alive():
    """Of the program's variables, only what names nodes of the graph is kept, and plain numbers."""
    x, other = Value(2.0), Value(3.0) * 2.0
    kept = calls.Calls()
    root = x * 2.0
    spaces = ({"x": x, "rows": [x, [1.0]], "other": other, "n": 3, "root": root},)
    space = kept.add(calls.Call(1, root, 1.0, None, None, spaces)).call.spaces[0]
    assert dict(space) == {"x": x, "rows": None, "other": None, "n": 3, "root": root}
