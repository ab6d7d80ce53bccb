"""`with am.backprop()`: the page of a `backward()` inside a block."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, OperandError, Value
from autograd_mini.program.stack import recording


def names(page):
    """What the page calls the nodes of its graph."""
    return {page.trace.label(node) for node in page.trace.journal.order}


def test_the_page_has_the_names_and_places_of_the_block(tmp_path):
    """As if it ran under `provenance(calls=True)`; the gradients are those of `backward()`."""
    w, x = Value(0.5), Value(2.0)

    def half(v):
        return v / 2.0

    with am.backprop() as shown:
        y = half(w * x)
        y.backward()
    trace = shown.page.trace
    assert names(shown.page) == {"w", "x", "w * x", "y"}
    assert [frame.site.expression for frame in trace.frames(y)][:2] == ["v / 2.0", "half(w * x)"]
    assert (w.grad, x.grad) == (1.0, 0.25)
    assert [trace.grad(leaf, len(trace) - 1) for leaf in (w, x)] == [1.0, 0.25]
    assert shown.save(tmp_path / "page.html").read_text(encoding="utf-8").count("half(w * x)") >= 1
    assert repr(shown) == f"backprop({shown.page!r})"


@pytest.mark.parametrize(("at", "product"), [(None, 6.0), (1, 2.0), (2, 4.0)])
def test_one_of_several_calls_is_chosen(at, product):
    """By its number, from 1; the last by default. The numbers and names are those of that call."""
    w, x = Value(1.0), Value(2.0)
    with am.backprop(at=at) as shown:
        for _ in range(3):
            y = w * x
            y.backward()
            w.data += 1.0
        y = w
    trace = shown.page.trace
    assert shown.calls == 3
    assert trace.value(trace.root) == product
    assert trace.value(w) == product / 2.0
    assert trace.label(trace.root) == "y"


def test_the_page_starts_where_its_kind_starts():
    """A page begins with the forward phase, a quiz with the sweep; the seed is that of the call."""
    x = Value(3.0)
    with am.backprop(quiz=True) as asked, am.backprop() as shown:
        (x * x).backward(2.0)
    assert asked.page.quiz
    assert (asked.page.trace.position, asked.page.trace.start) == (2, 2)
    assert (shown.page.trace.position, shown.page.trace.seed) == (0, 2.0)


def test_nested_blocks_see_their_own_calls():
    """The outer block counts the calls of the inner one too."""
    x = Value(3.0)
    with am.backprop() as outer:
        (x * x).backward()
        with am.backprop() as inner:
            am.exp(x).backward()
    assert (outer.calls, inner.calls) == (2, 1)
    assert inner.page.trace.root is outer.page.trace.root


def test_a_block_without_the_call_is_an_error():
    """The error says how many calls there are, or what to do."""

    def block(at, calls):
        with am.backprop(at):
            for _ in range(calls):
                (Value(3.0) * 2.0).backward()

    with pytest.raises(ArgumentError, match=r"The block never calls backward\(\)\.\n.*\n.*am\.debug\.page\(v\)"):
        block(None, 0)
    with pytest.raises(ArgumentError, match=r"The block calls backward\(\) 2 times\.\n.*\n.*from 1 to 2"):
        block(3, 2)
    with pytest.raises(ArgumentError, match=r"The block calls backward\(\) 1 time\.\n.*\n.*Pass 1, or nothing\."):
        block(2, 1)


@pytest.mark.parametrize(
    ("at", "error"), [("2", OperandError), (1.0, OperandError), (0, ArgumentError), (-1, ArgumentError)]
)
def test_calls_are_counted_from_1(at, error):
    """Anything but a number from 1 on is refused immediately."""
    with pytest.raises(error, match="counted from 1"):
        am.backprop(at=at)


def test_an_error_in_the_block_leaves_everything_as_it_was():
    """The error goes on, nothing is shown, recording is as before, and the page of the calls so far can be had."""
    before, x = recording(), Value(3.0)
    shown = am.backprop()

    def block():
        with shown:
            (x * x).backward()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert recording() is before
    assert (x * x).origin is None
    assert len(shown.page.trace) == 5


def test_a_block_may_be_used_again_but_not_inside_itself():
    """The block then starts again."""
    x, block = Value(3.0), am.backprop()
    for factor in (2.0, 5.0):
        with block as shown:
            (x * factor).backward()
            with pytest.raises(ArgumentError, match="open already"), block:
                pass
        assert (shown.calls, shown.page.trace.root.data) == (1, 3.0 * factor)


def test_other_threads_do_not_count():
    """Two threads cannot open the same block."""
    x, errors = Value(3.0), []

    def work(block):
        (x * 7.0).backward()
        try:
            block.__enter__()
        except ArgumentError as error:
            errors.append(error)

    with am.backprop() as shown:
        thread = threading.Thread(target=work, args=(shown,))
        thread.start()
        thread.join()
        (x * 2.0).backward()
    assert (shown.calls, shown.page.trace.root.data, len(errors)) == (1, 6.0, 1)


def test_tasks_that_start_inside_count():
    """They have the context of the block; others do not."""
    x = Value(3.0)

    async def call(factor):
        (x * factor).backward()

    async def main():
        with am.backprop() as shown:
            await asyncio.gather(call(2.0), call(5.0))
        await call(7.0)
        return shown

    shown = asyncio.run(main())
    assert (shown.calls, shown.page.trace.root.data) == (2, 15.0)


def test_a_generator_keeps_its_block_open_while_it_waits():
    """Like every `with`: so a context manager may be made of it; one that is thrown away ends without a page."""
    x = Value(3.0)

    @contextmanager
    def shown_twice():
        with am.backprop() as shown:
            yield shown

    with shown_twice() as shown:
        (x * 2.0).backward()
    assert shown.calls == 1
    waiting = shown_twice().gen
    block = next(waiting)
    del waiting
    gc.collect()
    (x * 5.0).backward()
    assert block.calls == 0
    assert (x * x).origin is None


def test_a_program_under_the_debugger_stops_as_before(tmp_path):
    """Both the block and the debugger see each `backward()`."""
    program = tmp_path / "program.py"
    program.write_text(
        "import autograd_mini as am\nx = am.Value(3.0)\nwith am.backprop() as shown:\n    (x * x).backward()\n"
        "print(shown.page)\n"
    )
    command = [sys.executable, "-m", "autograd_mini", "debug", str(program)]
    run = subprocess.run(command, input="c\nc\n", capture_output=True, text=True)
    assert "call 1 at" in run.stdout
    assert re.search(r"Page\(x \* x, 5 steps\)", run.stdout)
    assert run.returncode == 0
