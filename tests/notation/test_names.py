"""What nodes are called: one naming for pictures, pages, terminals, editors; never what the user did not write."""

from __future__ import annotations

import ast
import linecache
import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

import autograd_mini as am
from autograd_mini import Value, debug, nn, optim
from autograd_mini.core.row import TABLE
from autograd_mini.core.sweep import topological_order
from autograd_mini.debug.dap.views import Variables
from autograd_mini.debug.timeline.travel import Trace
from autograd_mini.debug.wording import Wording
from autograd_mini.notation.names import Names
from autograd_mini.program.source import cell, located

PROGRAM = """
import autograd_mini as am
from autograd_mini import nn, optim

@am.composite
def softmax(z):
    e = [am.exp(v) for v in z]
    S = am.sum(e)
    return [v / S for v in e]

x, w = am.Value(2.0), am.Value(0.5)
h = am.Value(0.1)
for i in range(3):
    h = am.tanh(w * x + h)
hs, k = [], h
for i in range(2):
    k = am.sigmoid(k * 2.0)
    hs.append(k)
model = nn.MLP(2, [3, 1], seed=0)
descent = optim.SGD(model.parameters(), lr=0.1)
for layer in model.layers:
    for p in layer.parameters():
        p.grad = 0.0
a = softmax([h * 1.0, x * x])
m = model([a[0], a[1]])
loss = am.relu(-x) + m * m + sum(hs) + am.tanh(x) + am.cross_entropy([x, w], 0) - am.log(a[1])
"""


@pytest.fixture
def program(tmp_path):
    """The variables of the program above, run under provenance with calls."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    variables = {"__file__": str(file)}
    with am.provenance(calls=True):
        exec(compile(PROGRAM, str(file), "exec"), variables)
    return variables


def labels(variables, root):
    names = Names(tuple(topological_order(root, everything=True)), (variables,))
    return {node: names.label(node) for node in names.order}


def test_variables_then_expressions_then_operations(program):
    """Results of compositions by the user's call; elements with their index; passes of a loop by their number."""
    found = labels(program, program["loss"])
    said = {*found.values()}
    assert len(said) == len(found)  # clear which is meant
    assert {
        "x", "w", "h", "h[0]", "h[1]", "hs[0]", "k", "e[0]", "e[1]", "S", "a[0]", "a[1]", "m", "loss", "sum(hs)",
        "m * m", "x * x", "h * 1.0", "-x", "am.relu(-x)", "am.tanh(x)", "am.cross_entropy([x, w], 0)", "am.log(a[1])",
        "model.layers[0].neurons[2].w[1]", "model.layers[1].neurons[0].b",
    } <= said  # fmt: skip
    assert found[program["h"]] == "h"
    assert found[program["h"].operands[0]] != "h"
    products = [name for node, name in found.items() if node.op == "mul" and "w * x" in name]
    assert len(products) == 3
    assert all(re.fullmatch(r"\(w \* x\)#\d+", name) for name in products)


def test_never_by_what_the_user_did_not_write(program):
    """No variable of this package, no way through an object of it, no variable of a loop where there is an index."""
    trace = debug.trace(program["loss"])
    explanation, drawing = am.explain(program["loss"]), am.draw(program["loss"])
    kept = {**program, "trace": trace, "explanation": explanation, "drawing": drawing, "names": trace.names}
    for name in labels(kept, program["loss"]).values():
        root = re.match(r"\w*", name)[0]
        assert root not in ("trace", "explanation", "drawing", "names", "descent", "layer", "p", "tail"), name
    inner = [node for node in trace.journal.order if node.scope and node.scope.path == ("cross_entropy",)]
    assert {re.sub(r"#\d+$", "", trace.label(node)) for node in inner} <= {
        *TABLE, "am.cross_entropy([x, w], 0)"
    }  # fmt: skip


def test_one_naming_in_every_window(program):
    """The picture, the page, the terminal and the editor call a node alike."""
    loss = program["loss"]
    trace = Trace(loss, 1.0, (program,))
    expected = labels(program, loss)
    assert {node: trace.label(node) for node in trace.journal.order} == expected
    wording = Wording(trace)
    for node, name in expected.items():
        symbol = wording.symbol(node)
        assert symbol in (name, f"({name})")
        assert Variables(wording).node("x", node)["value"].startswith((symbol, "x")) or name == "x"
    page = debug.page(trace).html
    for name in ("e[0]", "am.relu(-x)", "m * m", "h[1]"):
        assert f'"name":"{name}"' in page
        assert trace.nodes(name)[0] in expected


def test_what_is_typed_may_be_any_name_of_a_node(program):
    """Its label, its number, its expression, or a variable that holds it, whatever it is called."""
    trace = Trace(program["loss"], 1.0, (program,))
    last = program["model"].layers[1].neurons[0].b
    assert trace.nodes("p") == trace.nodes("model.layers[1].neurons[0].b") == [last]
    assert trace.evaluate("p") is last
    assert len(trace.nodes("w * x")) == 3
    for node in trace.journal.order:
        assert trace.nodes(trace.label(node)) == [node]
        assert trace.evaluate(trace.now.written(node)) is node


def test_without_provenance_the_operation_is_what_the_user_called():
    """Without places a node is called by the function the user called and its number, not by the primitive inside."""
    for make, name in ((am.tanh, "tanh"), (am.relu, "relu"), (am.sigmoid, "sigmoid"), (am.exp, "exp")):
        node = make(Value(1.0))
        found = Names(tuple(topological_order(node))).label(node)
        assert found == f"{name}#{len(topological_order(node)) - 1}"


def test_names_of_another_pass_are_not_claimed():
    """A list that a later pass of a loop has replaced: its elements have numbers, for the index means others now."""
    zs = [Value(1.0), Value(2.0)]
    with am.provenance():
        for _ in range(2):
            zs = [z * 2.0 for z in zs]
        total = am.sum(zs)
    names = labels({"zs": zs, "total": total}, total)
    assert [names[z] for z in zs] == ["zs[0]", "zs[1]"]
    former = [names[z.operands[0]] for z in zs]
    assert all(re.fullmatch(r"(zs\[\d\]|\(?z \* 2\.0\)?)#\d+", name) for name in former), former


def test_an_operator_in_a_loop_makes_results_not_steps():
    """Of sum(xs) only the last sum is the result; in h = h * w every product is one."""
    with am.provenance():
        h = w = Value(2.0)
        for _ in range(3):
            h = h * w
        total = sum([h, w, h])
    names = labels({"h": h, "w": w, "total": total}, total)
    assert names[h] == "h"
    assert sorted(name for name in names.values() if name.startswith("h[")) == ["h[0]", "h[1]"]
    assert re.fullmatch(r"add#\d+", names[total.operands[0]])


def test_long_expressions_lose_their_middle():
    """Labels have at most 40 characters, an ellipsis where they were cut, and stay different."""
    x = Value(2.0, name="x")
    with am.provenance():
        nodes = [am.exp(x * 1.0 + x * 2.0 + x * 3.0) * 1.0, am.exp(x * 1.0 + x * 2.5 + x * 3.0) * 1.0]
        root = nodes[0] + nodes[1]
    found = labels({}, root)
    assert all(len(name) <= 40 for name in found.values())
    assert len({*found.values()}) == len(found)
    assert any("…" in name for name in found.values())


def test_variables_of_loops_give_way_to_elements():
    """In functions too, where the loop is compiled; a model's parts come before those of an optimiser."""
    model = nn.MLP(1, [2, 1], seed=0)
    descent = optim.SGD(model.parameters(), lr=0.1)
    inputs = [Value(1.0), Value(2.0)]
    for v in inputs:
        y = model([v])
    found = {debug.trace(y).label(leaf) for leaf in debug.trace(y).leaves}
    assert "inputs[1]" in found
    assert "v" not in found
    assert "model.layers[0].neurons[0].w[0]" in found
    assert descent is not None


def test_variables_are_known_in_warm_code_too():
    """The interpreter runs a call differently once it has run it often; the name of its result stays known."""
    w, results = Value(0.5), []
    with am.provenance():
        for i in range(40):
            y = sum((w * i for _ in range(2)), w)
            results.append(y)
    names = Names(tuple(topological_order(am.sum(results), everything=True)))
    assert {names.name(result) for result in results} == {"y"}


# -- notebooks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel(monkeypatch):
    """What IPython knows of its cells, in a process of its own file names."""
    file = "/tmp/ipykernel_123/456789.py"
    shell = SimpleNamespace(compile=SimpleNamespace(_filename_map={file: 6}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return file


def run_as(file, source, variables):
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), variables)


def test_a_cell_of_a_notebook_has_its_number(kernel):
    """Not the name of a temporary file; in places, errors, explanations, kinks, and the page."""
    variables = {"am": am, "Value": Value, "x": Value(0.0)}
    with am.provenance(calls=True), am.kinks() as kinks:
        run_as(kernel, "# a cell\ny = am.sqrt(x)\n", variables)
    node = variables["y"]
    assert str(node.origin) == "cell [6], line 2 in <module>: am.sqrt(x)"
    trace = Trace(node, 1.0, (variables,))
    trace.seek(trace.start)
    assert Wording(trace).stop()[1] == "> cell [6], line 2"
    assert "  cell [6], line 2" in "\n".join(Wording(trace).table([node]))
    assert "(cell [6], line 2: am.sqrt(x))" in str(am.explain(node))
    assert "at cell [6], line 2" in str(kinks)
    assert '"name":"cell [6]"' in debug.page(trace).html
    with pytest.raises(am.OperandError, match=r"where: cell \[6\], line 1"):
        run_as(kernel, "Value('a')", variables)


def test_cells_of_which_no_number_is_known():
    """Cells of notebooks are recognized by their file names; ordinary files are not cells."""
    assert cell("<ipython-input-12-0123456789ab>") == "cell [12]"
    assert cell("/tmp/ipykernel_9/1.py") == "notebook cell"
    assert cell("/tmp/marimo_9/__marimo__cell_Hbol_.py") == "notebook cell"
    assert cell("/home/somebody/ipykernel.py") == cell("model.py") == ""
    assert located("model.py", 3) == "model.py:3"


@pytest.mark.parametrize("shift", [4, -4])
def test_columns_that_a_notebook_shifts_are_shifted_back(shift):
    """A span counts only where something of the program is: marimo moves the columns of a cell inside of a function."""
    source = "def cell():\n    x = Value(2.0)\n    y = x * am.exp(x) + 1.0\n    return y\n"
    file = f"<shifted {shift}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            node.col_offset, node.end_col_offset = node.col_offset + shift, node.end_col_offset + shift
            if node.col_offset < 0:
                node.col_offset = 0
    variables = {"am": am, "Value": Value}
    exec(compile(tree, file, "exec"), variables)
    with am.provenance():
        y = variables["cell"]()
    assert y.origin.expression == "x * am.exp(x) + 1.0"
    assert y.operands[0].origin.expression == "x * am.exp(x)"
    assert y.operands[0].operands[1].origin.expression == "am.exp(x)"


def test_the_picture_of_a_program_knows_its_variables(tmp_path):
    """`autograd-mini draw`: as the debugger does, although the program has ended."""
    (tmp_path / "net.py").write_text(
        "import autograd_mini as am\nmodel = am.nn.MLP(1, [1], seed=0)\nxs = [am.Value(2.0)]\n"
        "for x in xs:\n    loss = model([x]) ** 2\nloss.backward()\n"
    )
    subprocess.run(
        [sys.executable, "-m", "autograd_mini", "draw", "net.py", "-o", "net.dot"], cwd=tmp_path, check=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(am.__file__).parent.parent)},
    )  # fmt: skip
    names = set(re.findall("<B>([^<]*)</B>", (tmp_path / "net.dot").read_text(encoding="utf-8")))
    assert {"xs[0]", "loss", "model.layers[0].neurons[0].b"} <= names


def test_the_picture_of_a_program_knows_the_variables_of_its_functions(tmp_path):
    """As they were when `backward()` was called, although the functions have returned."""
    (tmp_path / "net.py").write_text(
        "import autograd_mini as am\nclass Model:\n    def __init__(self):\n"
        "        self.b, self.ws = am.Value(1.0), [am.Value(2.0)]\n"
        "def main():\n    model = Model()\n    loss = model.b + model.ws[0] * 3.0\n    loss.backward()\nmain()\n"
    )
    subprocess.run(
        [sys.executable, "-m", "autograd_mini", "draw", "net.py", "-o", "net.dot"], cwd=tmp_path, check=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(am.__file__).parent.parent)},
    )  # fmt: skip
    names = set(re.findall("<B>([^<]*)</B>", (tmp_path / "net.dot").read_text(encoding="utf-8")))
    assert {"model.ws[0]", "model.b", "loss"} <= names


def test_an_expression_of_several_lines_is_read_without_comments(tmp_path):
    """It is named and understood as if it stood on one line, without comments."""
    file = tmp_path / "lines.py"
    file.write_text(
        "import autograd_mini as am\na, b = am.Value(2.0), am.Value(3.0)\nwith am.provenance():\n"
        "    s = sum(  # of '(both)'\n        w * 2  # doubled\n\n        for w in [a, b]\n    )\n"
        "    y = (a +  # first\n         # a line\n         b) \\\n        * am.exp(\n            a\n        ) * s\n"
        "    z = [\n        a\n        - b\n    ][0] + am.maximum('# no comment'  # one\n        .count('#'), a)\n"
    )
    variables = {}
    exec(compile(file.read_text(), str(file), "exec"), variables)
    s, y, z = (variables[name] for name in "syz")
    assert s.origin.expression == "sum(w * 2 for w in [a, b])"
    assert y.origin.expression == "(a + b) * am.exp(a) * s"
    assert y.operands[0].operands[0].origin.expression == "a + b"
    assert z.operands[1].origin.expression == "am.maximum('# no comment' .count('#'), a)"
    file.write_text("# edited\n" * 4 + '\n#\n"""\n\n' + "#\n" * 20)  # since the program began
    linecache.checkcache(str(file))
    for v in (s, y, z):
        assert "#" not in v.origin.expression
        assert "Derivatives of" in str(am.explain(v))


def test_slots_and_queues_are_looked_into():
    """As for the parameters of a module: what holds a node is how the program can write it."""

    class Slotted:
        __slots__ = ("__weakref__", "empty", "w")

        def __init__(self):
            self.w = Value(1.0)

    cell, queue = Slotted(), deque([Value(2.0)])
    names = Names(topological_order(y := cell.w * queue[0]), [{"cell": cell, "queue": queue}])
    assert [names.label(v) for v in y.operands] == ["cell.w", "queue[0]"]


def test_a_comprehension_is_no_function(tmp_path):
    """Nor is one inside of another: what is said is the function around them."""
    file = tmp_path / "nested.py"
    file.write_text(
        "import autograd_mini as am\nx = am.Value(2.0)\n"
        "def f():\n    return [sum(x * i for i in range(2)) for _ in '1']\n"
        "with am.provenance():\n    ys = [sum(x * i for i in range(2)) for _ in '1'] + f()\n"
        "    ys += [(lambda: x * 2.0)() for _ in '1']\n"
    )
    variables = {}
    exec(compile(file.read_text(), str(file), "exec"), variables)
    products = [y.operands[1].origin.function for y in variables["ys"][:2]]
    assert [*products, variables["ys"][2].origin.function] == ["<module>", "f", "<lambda>"]


def test_an_index_is_never_guessed():
    """Of a list that was sorted, or that has constants in it, no place is known from the program's text."""

    def sorted_list(zs):
        e = [am.exp(z) for z in zs]
        e.sort(key=lambda v: -v.data)
        return am.sum(e)

    def mixed(zs):
        e = [am.exp(z) for z in (1.0, *zs)]
        return am.sum(e)

    def kept(zs):
        e = [am.exp(z) for z in zs]
        return am.sum(e)

    zs = [Value(1.0), Value(2.0), Value(3.0)]
    for make, expected in ((sorted_list, set()), (mixed, set()), (kept, {"e[0]", "e[1]", "e[2]"})):
        with am.provenance():
            total = make(zs)
        found = labels({}, total)
        assert {name for name in found.values() if name.startswith("e[")} == expected
        for node, name in found.items():
            if name in expected:
                assert node.operands[0] is zs[int(name[2])]


def test_every_pass_of_a_loop_has_the_name_of_its_result():
    """Calls of a function at one place are told apart, though the place is the same."""

    @am.composite
    def doubled(x):
        return x * 2.0

    x, kept = Value(1.0), []
    with am.provenance():
        for _ in range(2):
            y = doubled(x)
            kept.append(y)
        total = kept[0] * kept[1]
    names = Names(tuple(topological_order(total)))
    assert [names.name(node) for node in kept] == ["y", "y"]
