"""The stack of scopes and watchers: an exit undoes its own entry and nothing else, in any order, from anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd_mini as am
from autograd_mini import Value
from autograd_mini.program.scopes import unobserved
from autograd_mini.program.stack import open_entries, recording
from autograd_mini.watch import observing


def is_checked():
    """Whether a nan raises, in recording."""
    try:
        am.log(Value(-1.0))
    except am.NonFiniteError:
        return True
    return False


def holder(*blocks):
    """A generator that holds blocks until it ends."""
    with contextlib.ExitStack() as stack:
        for block in blocks:
            stack.enter_context(block)
        yield


def held(*blocks):
    """A generator that has entered these blocks."""
    generator = holder(*blocks)
    next(generator)
    return generator


def outcome(function, *arguments):
    """The result of a function, or the error that it raises."""
    try:
        return function(*arguments)
    except BaseException as error:
        return error


def in_thread(function):
    """The same of a call in another thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(function)))
    thread.start()
    thread.join()
    return results[0]


END = {
    "runs out": lambda generator: next(generator, None),
    "is closed": lambda generator: generator.close(),
    "raises": lambda generator: outcome(generator.throw, KeyError),
    "in another thread": lambda generator: in_thread(lambda: next(generator, None)),
    "in a copy of the context": lambda generator: contextvars.copy_context().run(generator.close),
    "in an empty context": lambda generator: contextvars.Context().run(generator.close),
    "in another task": lambda generator: asyncio.run(_close(generator)),
}


async def _close(generator):
    generator.close()


@pytest.fixture(params=END)
def end(request):
    """One way in which a generator ends."""
    return END[request.param]


def test_a_generator_that_ends_inside_a_block_leaves_it_on(end):
    """Entered before the block, ended inside of it: the block goes on, its own entry is gone."""
    generator = held(am.scope("data"))
    with am.checked():
        assert (Value(1.0) + 1.0).scope.path == ("data",)
        end(generator)
        assert is_checked()
        assert (Value(1.0) + 1.0).scope is None
    assert not is_checked()
    generator = held(am.scope("data"))
    with am.provenance():
        end(generator)
        assert (Value(1.0) * 2.0).origin.expression == "Value(1.0) * 2.0"
    generator = held(am.scope("data"))
    with am.kinks() as report:
        end(generator)
        abs(Value(0.0))
        assert Value(0.0) >= 0.0
    assert len(report) == 2
    generator = held(am.scope("data"))
    with am.scope("mine"):
        before = Value(1.0) * 2.0
        end(generator)
        assert (Value(1.0) * 2.0).scope.path == ("mine",)
    assert before.scope.path == ("data", "mine")  # it was made when both held
    assert recording().observe is None
    assert (Value(1.0) * 2.0)._notes is None


def test_a_watcher_that_ends_is_off_where_it_was_entered(end):
    """Ended inside a scope, in whatever way: the context that entered it is no longer watched."""
    generator = held(am.checked(), am.kinks(), am.provenance())
    with am.scope("mine"):
        assert is_checked()
        end(generator)
        assert not is_checked()
        node = Value(1.0) + 1.0
        assert (node.scope.path, node.origin) == (("mine",), None)
    assert not is_checked()
    assert (Value(1.0) + 1.0)._notes is None


def test_a_foreign_context_is_unharmed():
    """A thread that ends a generator of another keeps what it watches itself."""
    generator = held(am.checked(), am.scope("data"))

    def end_it():
        with am.checked(), am.scope("own"):
            next(generator, None)
            node = Value(1.0) + 1.0
            return is_checked(), node.scope.path

    assert in_thread(end_it) == (True, ("own",))
    assert not is_checked()
    assert (Value(1.0) + 1.0).scope is None


def test_what_is_not_watched_inside_is_watched_again():
    """`unobserved` ends below and above watchers."""
    seen = []
    with observing(seen.append):
        generator = held(unobserved())
        Value(1.0)
        assert seen == []
        with observing(seen.append):
            Value(2.0)
            next(generator, None)
            Value(3.0)
    assert [node.data for node in seen] == [2.0, 3.0, 3.0]


def test_unobserved_in_two_contexts_ends_where_it_began():
    """Two contexts record unobserved; one of the two ends in the other context, and only that one."""
    contexts = contextvars.Context(), contextvars.Context()
    seen = []
    watchers = [context.run(held, observing(seen.append)) for context in contexts]
    generators = [context.run(lambda: held(unobserved())) for context in contexts]
    contexts[0].run(next, generators[1], None)
    for context in contexts:
        context.run(Value, 1.0)
    assert len(seen) == 1
    assert contexts[1].run(recording).observe is not None
    contexts[0].run(next, generators[0], None)
    contexts[0].run(Value, 2.0)
    assert [node.data for node in seen] == [1.0, 2.0]
    assert len(watchers) == 2


def test_a_call_that_leaves_a_generator_behind():
    """The scope of a composite ends with the call, also below the scope of a generator that it started."""

    @am.composite
    def start():
        generator = held(am.scope("data"))
        assert (Value(1.0) + 1.0).scope.path == ("start", "data")
        return generator

    generator = start()
    assert (Value(1.0) + 1.0).scope.path == ("data",)
    generator.close()
    assert (Value(1.0) + 1.0).scope is None


def test_collected_by_the_garbage_collector():
    """A generator in a cycle is closed at any moment, also while an entry is made."""
    thresholds = gc.get_threshold()
    gc.freeze()  # what other tests have left behind need not be looked through each time
    try:
        for threshold in range(1, 60):
            cycle = [held(am.scope("lost"), am.checked())]
            cycle.append(cycle)
            gc.collect(0)
            gc.set_threshold(threshold, 1, 1)
            del cycle
            with am.scope("mine"):
                for _ in range(10):
                    with am.scope("inner"):
                        pass
                gc.collect()
                assert (Value(1.0) + 1.0).scope.path == ("mine",)
                assert not is_checked()
            gc.set_threshold(*thresholds)
            assert (Value(1.0) + 1.0).scope is None
    finally:
        gc.set_threshold(*thresholds)


def test_tasks_inherit():
    """A task that was started inside goes on being watched, also after the block; what it enters is its own."""

    async def work(begin):
        found = [is_checked()]
        await begin.wait()
        with am.scope("task"):
            await asyncio.sleep(0)
            found.append((Value(1.0) + 1.0).scope.path)
        return [*found, is_checked()]

    async def main():
        begin = asyncio.Event()
        with am.checked(), am.scope("main"):
            inside = asyncio.create_task(work(begin))
            await asyncio.sleep(0)
        assert not is_checked()
        outside = asyncio.create_task(work(begin))
        with am.scope("later"):
            begin.set()
            assert await inside == [True, ("main", "task"), True]
            assert await outside == [False, ("task",), False]
            assert (Value(1.0) + 1.0).scope.path == ("later",)

    asyncio.run(main())
    context = contextvars.copy_context()
    with am.checked():
        inherited = contextvars.copy_context()
        assert in_thread(is_checked) is False  # as long as threads begin with an empty context
    assert in_thread(lambda: inherited.run(is_checked)) is True
    assert context.run(is_checked) is False


def test_asynchronous_generators():
    """One that is dropped in the middle is closed by a task of the event loop's; the block around it goes on."""

    async def numbers():
        with am.checked(), am.scope("numbers"):
            yield 1.0
            yield 2.0

    async def main():
        with am.scope("main"):
            async for _ in numbers():
                break
            gc.collect()
            for _ in range(3):
                await asyncio.sleep(0)
            assert not is_checked()
            assert (Value(1.0) + 1.0).scope.path == ("main",)

    asyncio.run(main())


def test_one_object_in_many_places():
    """A scope object entered again inside of itself and by threads at once: each exit finds its own entry."""
    part = am.scope("part")
    barrier = threading.Barrier(4)

    def work():
        for _ in range(50):
            with part, am.scope("between"), part:
                barrier.wait(10)
                if (Value(1.0) + 1.0).scope.path != ("part", "between", "part"):
                    return False
        return (Value(1.0) + 1.0).scope is None

    results = []
    threads = [threading.Thread(target=lambda: results.append(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
    assert not any(entry.block is part for entry in open_entries)
    generator = held(part)
    with am.scope("between"):
        in_thread(lambda: next(generator, None))
        assert (Value(1.0) + 1.0).scope.path == ("between",)


def test_one_object_that_is_left_elsewhere(end):
    """Entered twice in a generator, and once more above it: the generator ends its own two entries."""
    part = am.scope("part")
    generator = held(part, am.scope("between"), part)
    assert (Value(1.0) + 1.0).scope.path == ("part", "between", "part")
    end(generator)
    assert (Value(1.0) + 1.0).scope is None
    context = contextvars.Context()
    generator = context.run(held, part, am.scope("between"), part)
    with am.scope("mine"):
        end(generator)
        assert (Value(1.0) + 1.0).scope.path == ("mine",)
    assert context.run(lambda: Value(1.0) + 1.0).scope is None
    part.__exit__(None, None, None)  # nothing is left to undo
    assert (Value(1.0) + 1.0).scope is None


def test_nothing_is_kept():
    """Generators that end in other contexts, under a watcher: no entry of theirs is left."""
    with am.provenance():
        for _ in range(3):
            generator = held(am.scope("data"))
            in_thread(generator.close)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(200):
            generator = held(am.scope("data"))
            contextvars.Context().run(generator.close)
        gc.collect()
        assert len(gc.get_objects()) - before < 50


# -- any order ---------------------------------------------------------------------------------------------------------

KINDS = ("scope", "checked", "provenance", "kinks", "unobserved", "no_grad")
WATCHING = ("checked", "provenance", "kinks")


def hold(kind, number):
    """Hold one block until the end; what it yields is its entry in the model."""
    nothing = kind == "unobserved" and not recording().hooks.observers  # then `unobserved` has nothing to do
    with am.scope(f"s{number}") if kind == "scope" else unobserved() if kind == "unobserved" else getattr(am, kind)():
        yield ("nothing" if nothing else kind), number


def expected(stack):
    """What should hold in a context, of the entries that hold there, from the outermost on."""
    kinds = [kind for kind, _ in stack]
    heard = kinds[len(kinds) - kinds[::-1].index("unobserved") :] if "unobserved" in kinds else kinds
    return {
        "path": tuple(f"s{number}" for kind, number in stack if kind == "scope"),
        "origin": any(kind in WATCHING for kind in heard),
        "checked": "checked" in kinds,
        "raises": "checked" in heard,
        "reports": kinds.count("kinks"),
        "constant": "no_grad" in kinds,
    }


def found():
    """What holds."""
    node = Value(1.0) + 1.0
    return {
        "path": node.scope.path if node.scope else (),
        "origin": node.origin is not None,
        "checked": recording().hooks.checked is not None,
        "raises": is_checked(),
        "reports": len(recording().hooks.reports),
        "constant": node.partials[0] is am.ZERO,
    }


@settings(deadline=None)
@given(st.data())
def test_any_order_of_entries_and_exits(data):
    """Generators enter and leave blocks in any order, in any context, against a list of what should hold in each."""
    contexts = {name: contextvars.Context() for name in "abc"}
    stacks = {name: [] for name in contexts}
    generators = []  # with their entries
    for number in range(data.draw(st.integers(1, 30), "steps")):
        name = data.draw(st.sampled_from(sorted(contexts)), "context")
        context = contexts[name]
        if not generators or data.draw(st.booleans(), "enter"):
            generator = hold(data.draw(st.sampled_from(KINDS), "kind"), number)
            stacks[name].append(context.run(next, generator))
            generators.append((generator, stacks[name][-1]))
        else:
            generator, entry = generators.pop(data.draw(st.integers(0, len(generators) - 1), "which"))
            context = context.copy() if data.draw(st.booleans(), "in a copy") else context
            context.run(next, generator, None)
            for stack in stacks.values():
                if entry in stack:
                    stack.remove(entry)
        for name, context in contexts.items():
            assert context.run(found) == expected(stacks[name]), name
