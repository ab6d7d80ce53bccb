"""Large graphs: which nodes share a box, what it says, how to look inside, and that the picture stays readable."""

from __future__ import annotations

import math
import random
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import autograd_mini as am
from autograd_mini import ArgumentError, OperandError, Value
from autograd_mini.core.sweep import topological_order
from autograd_mini.drawing import draw
from autograd_mini.drawing.style import FAINT
from tests.drawing.graphs import GRAPHS
from tests.drawing.test_drawing import Seen
from visualizations.transformer import step


def network(samples: int = 1, sizes=(12, 8, 4), seed: int = 3) -> Value:
    """The mean cross-entropy of a network for some samples, after backward()."""
    model, numbers = am.nn.MLP(4, list(sizes), activation="relu", seed=seed), random.Random(seed)
    losses = []
    for i in range(samples):
        inputs = (
            [Value(numbers.uniform(-1.0, 1.0), name=f"x{k}") for k in range(4)] if samples == 1 else [0.5, i, -i, 2]
        )
        losses.append(am.cross_entropy(model(inputs), i % sizes[-1]))
    loss = am.mean(losses) if samples > 1 else losses[0]
    loss.backward()
    return loss


def titles(drawing) -> list[str]:
    """What the boxes are called, in their order."""
    return [texts[0] for key, texts in Seen(drawing).texts.items() if re.fullmatch(r"n\d+", key)]


def scopes(drawing) -> list[str]:
    return [texts[0] for key, texts in Seen(drawing).texts.items() if re.fullmatch(r"s\d+", key)]


def test_one_box_a_neuron():
    """A small network shows a box per neuron with its output, its largest gradient and what is inside."""
    loss = network()
    order = topological_order(loss, everything=True)
    drawing = draw(loss)
    seen = Seen(drawing)
    neurons = [f"Neuron{i}" for i in (*range(12), *range(8), *range(4))]
    assert titles(drawing) == ["x0", "x1", "x2", "x3", *neurons, "loss"]
    assert scopes(drawing) == ["Layer0", "Layer1", "Layer2"]
    assert (drawing.nodes, drawing.boxes) == (len(order), 29)
    first = next(texts for texts in seen.texts.values() if texts[:1] == ["Neuron0"])
    inside = [node for node in order if node.scope and node.scope.path[:2] == ("Layer0", "Neuron0")]
    output = next(node for node in inside if node.op == "where")
    leaves = [x for x in inside[0].operands if x.name is None] + [inside[1].operands[1]]
    largest = max((node.grad for node in inside + leaves), key=abs)
    assert first == ["Neuron0", "out", f"{output.data:.4g}", "max|g|", f"{largest:.4g}", "3 operations, 5 leaves"]
    tooltip = next(text for text in seen.tooltips.values() if text.startswith("Neuron0\n"))
    assert "dot × 1, add × 1, where × 1" in tooltip
    assert f"output {output.data!r}" in tooltip
    assert f"largest gradient {largest!r}" in tooltip
    assert 'focus="Layer0/Neuron0"' in tooltip


def test_neurons_stand_in_their_order():
    """Neurons of a layer stand in the order of their numbers in each direction; a row wider than a page is wrapped."""
    for direction in ("LR", "TB", "RL", "BT"):
        svg = draw(network(), direction=direction).svg
        found = re.findall(r'x="(-?[\d.]+)" y="(-?[\d.]+)"[^>]*>Neuron(\d+)<', svg)[:12]
        along = [float(y) if direction in ("LR", "RL") else (float(y), float(x)) for x, y, _ in found]
        assert [int(i) for _, _, i in found] == list(range(12))
        assert along == sorted(along)
        assert len({y for _, y, _ in found}) == (12 if direction in ("LR", "RL") else 3)


def test_samples_share_their_boxes():
    """A hundred samples through one network share its boxes, which say × 100."""
    drawing = draw(network(samples=100))
    assert [title for title in titles(drawing) if "Neuron" in title] == [
        f"Neuron{i} × 100" for i in (*range(12), *range(8), *range(4))
    ]
    assert "cross_entropy × 100" in titles(drawing)
    assert scopes(drawing) == ["Layer0 × 100", "Layer1 × 100", "Layer2 × 100"]
    assert "× 100" in [texts[0] for key, texts in Seen(drawing).texts.items() if key[0] == "e" and texts]


def test_too_many_neurons_become_layers():
    """A wider network is drawn as one box per layer, with the number of arrows between them."""
    drawing = draw(network(sizes=(64, 64, 4)))
    assert titles(drawing) == ["x0 … x3", "Layer0", "Layer1", "Layer2", "cross_entropy"]
    arrows = {Seen(drawing).texts[f"e{i}"][0] for i in range(drawing.edges)}
    assert {"× 256", "× 4,096"} <= arrows


def test_depth():
    """`depth` says how many levels of scopes are open, also in graphs that would not collapse."""
    loss = network()
    top = ["Layer0", "Layer1", "Layer2", "loss = cross_entropy", "x0", "x1", "x2", "x3"]
    assert sorted(titles(draw(loss, depth=0))) == top
    assert titles(draw(loss, depth=1)).count("Neuron0") == 3
    assert scopes(draw(loss, depth=1)) == ["Layer0", "Layer1", "Layer2", "cross_entropy"]
    small = am.softmax([Value(1.0, name="a"), Value(2.0, name="b")])[0]
    assert sorted(titles(draw(small, depth=0))) == ["a", "b", "small = softmax"]
    assert repr(draw(small, depth=0)) == f"Drawing({len(topological_order(small))} nodes in 3 boxes, 2 edges)"


def test_loops_are_not_merged_where_there_is_room():
    """Three calls of a function are three boxes, two hundred are one with × 200."""
    x = Value(0.5, name="x")
    total = am.sum([am.tanh(x * i) for i in range(3)])
    assert titles(draw(total, depth=0)).count("tanh") == 3
    total = am.sum([am.tanh(x * i) for i in range(200)])
    assert titles(draw(total, depth=0)).count("tanh × 200") == 1


@pytest.mark.parametrize("focus", ["Layer1/Neuron3", "/Layer1/Neuron3", "Layer1/Neuron3/", "scope"])
def test_focus_on_a_scope(focus):
    """`focus` takes a path or a Scope, opens it, and leaves its surroundings as boxes."""
    loss = network()
    scope = next(
        node.scope
        for node in topological_order(loss, everything=True)
        if node.scope and node.scope.path == ("Layer1", "Neuron3")
    )
    drawing = draw(loss, focus=scope if focus == "scope" else focus)
    seen = Seen(drawing)
    assert scopes(drawing) == ["Layer1", "Neuron3"]
    around = [texts[:2] for key, texts in seen.texts.items() if key[0] == "n" and len(texts) == 2]
    assert around == [["Layer0", "36 operations"], ["Layer2", "8 operations"]]
    assert {"12 leaves", "leaf", "relu"} <= set(titles(drawing))
    assert not [title for title in titles(drawing) if title.startswith("Neuron")]
    assert {"× 12", "× 4"} <= {texts[0] for key, texts in seen.texts.items() if key[0] == "e" and texts}


def test_focus_by_the_end_of_a_path_and_on_one_pass_of_a_loop():
    """The end of a path means all passes of a loop; a Scope means that pass alone."""
    loss = network(samples=100)
    assert scopes(draw(loss, focus="Layer1/Neuron3")) == ["Layer1 × 100", "Neuron3 × 100"]
    assert scopes(draw(loss, focus="Neuron11")) == ["Layer0 × 100", "Neuron11 × 100"]
    order = topological_order(loss, everything=True)
    neuron = next(node.scope for node in order if node.op == "dot" and node.scope.path == ("Layer1", "Neuron3"))
    drawing = draw(loss, focus=neuron)
    assert [name for name in scopes(drawing) if "×" not in name] == [neuron.parent.name, "Neuron3"]


def test_focus_on_a_node():
    """`focus` on a node opens the scopes around it, and refuses a node of another graph."""
    loss = network()
    node = next(node for node in topological_order(loss) if node.op == "log1p" or node is loss)
    drawing = draw(loss, focus=node)
    assert drawing.boxes < 60
    assert "cross_entropy" in scopes(drawing)
    leaf = next(node for node in topological_order(loss) if node.op is None)
    assert draw(loss, focus=leaf).boxes < 100
    with pytest.raises(ArgumentError, match="not in the graph"):
        draw(loss, focus=Value(1.0))


def test_expand():
    """`expand` opens the named scopes and keeps the rest of the picture."""
    drawing = draw(network(), expand="Layer2/Neuron3")
    assert titles(drawing).count("Neuron3") == 2
    assert {"·", "+"} <= set(titles(drawing))
    assert scopes(drawing) == ["Layer0", "Layer1", "Layer2", "Neuron3"]
    drawing = draw(network(), depth=0, expand=["Layer2", "cross_entropy"])
    assert "cross_entropy" in scopes(drawing)
    assert "exp" in titles(drawing)


def test_a_scope_that_is_not_there():
    """An unknown scope is refused with similar names, or with the remark that the graph has none."""
    with pytest.raises(ArgumentError, match=r"no scope 'Layer1/Neuron33'(?s:.*)Layer1/Neuron3"):
        draw(network(), focus="Layer1/Neuron33")
    with pytest.raises(ArgumentError, match=r"(?s)no scope 'Layer1'.*It has no scopes\."):
        draw(Value(1.0) * 2.0, focus="Layer1")
    with pytest.raises(ArgumentError, match="no scope"):
        draw(network(), expand=network().scope)
    for wrong in (3, 2.0, b"x", ["x"]):
        with pytest.raises(OperandError, match="is not a scope"):
            draw(network(), focus=wrong)


def test_leaves_used_in_one_scope_only_belong_to_it():
    """Parameters of one scope are counted in its box; shared leaves stand outside."""
    shared, weights = Value(2.0, name="shared"), [Value(float(i)) for i in range(60)]
    parts = []
    for i in range(3):
        with am.scope(f"part {i}"):
            parts.append(am.sum([shared * w for w in weights[20 * i : 20 * i + 20]]))
    total = am.sum([*parts, 1e-3 * am.sum([w * w for w in weights])])
    drawing = draw(total)
    seen = Seen(drawing)
    assert [texts[-1] for texts in seen.texts.values() if texts and texts[0].startswith("part")] == [
        "21 operations, 20 leaves"
    ] * 3
    assert "shared" in titles(drawing)
    assert "square × 60" in titles(drawing)
    assert [texts[0] for key, texts in seen.texts.items() if key[0] == "e" and texts].count("× 120") == 1  # w * w


def plain(samples: int) -> Value:
    """A network without scopes, as beginners write it."""
    choose = random.Random(0)
    hidden = [[Value(choose.gauss(0, 1)) for _ in range(4)] for _ in range(8)]
    last = [Value(choose.gauss(0, 1)) for _ in range(8)]
    loss = Value(0.0)
    for _ in range(samples):
        x = [choose.random() for _ in range(4)]
        h = [1.0 / (1.0 + (-sum(w * xi for w, xi in zip(row, x, strict=True))).exp()) for row in hidden]
        y = sum(w * a for w, a in zip(last, h, strict=True))
        loss = loss + (y - 1.0) ** 2
    loss.backward()
    return loss


def test_without_scopes_samples_and_neurons_are_found():
    """Without scopes, parts of the same shape are boxes: samples, which use the same leaves, and neurons in them."""
    drawing = draw(plain(20))
    assert [title for title in titles(drawing) if "quotient" in title] == [f"quotient {i} × 20" for i in range(8)]
    assert scopes(drawing) == ["square × 20"]
    assert drawing.boxes < 20
    opened = draw(plain(20), expand="quotient 3")
    assert "quotient 3 × 20" in scopes(opened)
    assert {"exp × 20", "quotient × 20", "sum × 20"} <= set(titles(opened))


def test_parts_found_are_those_of_the_program():
    """In layers from primitives, whatever branches tanh takes, each neuron is one box for all four samples."""
    drawing = draw(GRAPHS["deep_primitives"]())
    assert [title for title in titles(drawing) if title.startswith("tanh")] == [
        *[f"tanh {i} × 4" for i in range(8)], "tanh × 4",
    ]  # fmt: skip
    assert scopes(drawing) == ["square × 4"]
    for name in ("square", "tanh 2", "sum"):
        assert draw(GRAPHS["deep_primitives"](), expand=name).boxes > drawing.boxes - 2


def unrolled(steps: int, units: int = 3, samples: int = 1) -> Value:
    """A recurrent network in loops alone, with a loss at each step."""
    choose = random.Random(0)
    inner = [[Value(choose.gauss(0, 0.5)) for _ in range(units)] for _ in range(units)]
    outer, bias = ([Value(choose.gauss(0, 0.5)) for _ in range(units)] for _ in range(2))
    losses = []
    for sample in range(samples):
        h = [Value(0.0) for _ in range(units)]
        loss = Value(0.0)
        for t in range(steps):
            x = math.sin(t + sample)
            h = [am.tanh(sum(w * a for w, a in zip(inner[i], h, strict=True)) + bias[i] * x) for i in range(units)]
            loss = loss + (sum(w * a for w, a in zip(outer, h, strict=True)) - x) ** 2
        losses.append(loss)
    total = sum(losses, start=Value(0.0)) if samples > 1 else losses[0]
    total.backward()
    return total


def test_a_loop_without_scopes_is_drawn_step_by_step():
    """A recurrent network unrolled by a Python loop is a column of its steps, in the order of time."""
    drawing = draw(unrolled(8))
    assert [title for title in titles(drawing) if "step" in title] == [f"step {t}" for t in range(8)]
    assert drawing.boxes < 12
    assert "rankdir=TB" in drawing.dot
    opened = draw(unrolled(8), expand="step 3")
    assert "step 3" in scopes(opened)
    assert {"tanh 0", "tanh 1", "tanh 2"} <= {*scopes(opened)}


def test_each_step_of_a_loop_does_the_same():
    """The steps partition the loop by time: every operation is in the step whose state it follows from."""
    from autograd_mini.drawing.structure import Structure

    root = unrolled(8)
    order = tuple(topological_order(root, everything=True))
    structure = Structure(order)
    step = {node: structure.scopes[node].path[0] for node in order if node.op and structure.scopes[node]}
    assert len(step) == sum(node.op is not None for node in order)
    counts = [sum(found == f"step {t}" for node, found in step.items() if node.op == "mul" and node.scope is None)
              for t in range(8)]  # fmt: skip
    assert counts == [3 * 3 + 3 + 3] * 8
    for node in step:
        before = [int(step[x].split()[1]) for x in node.operands if x in step]
        assert all(int(step[node].split()[1]) - t in (0, 1) for t in before)


def test_samples_of_a_loop_share_its_steps():
    """A batch of sequences: each step is drawn once for all samples."""
    drawing = draw(unrolled(5, samples=4))
    assert [title for title in titles(drawing) if "step" in title] == [f"step {t} × 4" for t in range(5)]


def test_many_steps_are_one_part_with_a_way_back():
    """More than 24 steps are drawn once, opened, with the arrow that leads from one step to the next."""
    a = Value(2.0, name="a")
    x: Value = Value(1.0, name="x")
    for _ in range(30):
        x = x - (x * x - a) / (2.0 * x)
    drawing = draw(x)
    assert scopes(drawing) == ["step × 30"]
    assert titles(drawing).count("difference × 30") == 2
    assert drawing.boxes < 10
    k, x, v = Value(0.5, name="k"), Value(1.0, name="x0"), Value(0.0, name="v0")
    for _ in range(60):
        v = v + -k * x * 0.1
        x = x + v * 0.1
    assert scopes(draw(x)) == ["step × 60"]  # k is used as -k, made anew in each step


@pytest.mark.parametrize("seed", range(10))
def test_random_graphs_without_scopes_stay_readable(seed):
    """Random graphs of thousands of nodes give at most 150 boxes, and count every node."""
    choose = random.Random(seed)
    nodes = [Value(choose.random()) for _ in range(5)]
    for _ in range(3000):
        a, b = choose.choice(nodes[-50:]), choose.choice(nodes[-50:])
        with am.scope(f"{choose.choice('abc')}{choose.randrange(99)}"):
            nodes.append(choose.choice([a + b, a * b, am.sin(a), am.maximum(a, b), 1.0 / (2.0 + a * a)]))
    total = am.sum(nodes[-50:])
    drawing = draw(total)
    assert 2 <= drawing.boxes <= 150
    assert drawing.nodes == len(topological_order(total, everything=True))
    assert drawing.svg


def test_recurrent_networks_are_drawn_with_their_cycle():
    """A recurrent cell is one group × 300 with a way back to itself, and Graphviz draws it."""
    h, w = Value(0.1, name="h"), Value(0.5, name="w")
    for _ in range(300):
        with am.scope("cell"):
            h = am.tanh(w * h + 0.1)
    drawing = draw(h)
    assert drawing.boxes < 20
    assert "cell × 300" in scopes(drawing)
    ends = {(a.partition(":")[0], b.partition(":")[0]) for a, b in re.findall(r"^(\S+) -> (\S+)", drawing.dot, re.M)}
    reached, before = {"n0"}, set()
    while reached != before:
        before = reached
        reached = reached | {b for a, b in ends if a in reached}
    assert any(b == "n0" for a, b in ends if a in reached) or len(ends) >= drawing.boxes  # there is a way back
    assert drawing.svg


def test_long_loops_of_numbered_scopes_are_folded_in_time():
    """A weight with an arrow to each of a hundred steps would keep Graphviz busy for minutes: the steps become one."""
    w, u, h = Value(0.9, name="w"), Value(0.5, name="u"), Value(0.0, name="h0")
    for t in range(100):
        with am.scope(f"cell {t}"):
            h = am.tanh(w * h + u * math.sin(t))
    drawing = draw(h)
    assert scopes(drawing) == ["cell … × 100"]
    assert drawing.boxes < 10


def test_scopes_that_need_one_another():
    """Two scopes that feed each other in turns collapse and are drawn."""
    x = Value(1.0, name="x")
    for i in range(40):
        with am.scope("a"):
            x = am.sin(x) + am.cos(x)
        with am.scope("b"):
            x = am.exp(-x * x)
        x = x + i
    drawing = draw(x)
    assert drawing.boxes <= 150
    assert drawing.svg


def test_names_that_differ_in_digits_or_altogether():
    """Scopes whose names differ in a number join as `sample …`; other names stay few as well."""

    def total(name) -> Value:
        parts = []
        for i in range(400):
            with am.scope(name(i)):
                parts.append(am.sin(Value(float(i))))
        return am.sum(parts)

    drawing = draw(total(lambda i: f"sample {i}"))
    assert "sample … × 400" in titles(drawing)
    assert not drawing.scopes  # nothing of that name can be opened
    assert draw(total(lambda i: "".join(chr(97 + int(d)) for d in str(i)))).boxes < 10


def test_gradients_of_groups():
    """A group shows nan if anything in it is nan, and `no backward yet` before any."""
    loss = network(samples=10)
    clean = draw(loss).dot
    assert "no backward yet" not in clean
    leaf = next(node for node in topological_order(loss) if node.op is None)
    leaf.grad = math.nan
    assert "nan" in [text for texts in Seen(draw(loss)).texts.values() for text in texts]
    fresh = network(samples=10)
    for node in topological_order(fresh, everything=True):
        node.grad = None
    assert "no backward yet" in [text for texts in Seen(draw(fresh)).texts.values() for text in texts]


def test_arrows_that_carry_nothing_are_faint():
    """Between groups, arrows behind an untaken branch are faint before and after backward."""
    x = Value(1.0, name="x")
    with am.scope("taken"):
        taken = am.sin(x) * 2.0
    with am.scope("dropped"):
        dropped = am.cos(x) * 2.0
    with am.scope("choice"):
        result = am.where(x > 0.0, taken, dropped) * 1.0
    for swept in (False, True):
        if swept:
            result.backward()
        drawing = draw(result, depth=0)
        seen = Seen(drawing)
        place = {texts[0]: key for key, texts in seen.texts.items() if key[0] == "n"}
        lines = re.findall(r"^(\w+)\S* -> (\w+)\S* \[id=(e\d+)(.*)\]", drawing.dot, re.M)
        faint = {(a, b): FAINT in style for a, b, _, style in lines}
        assert faint[place["taken"], place["choice"]] is False
        assert faint[place["dropped"], place["choice"]] is True
        assert faint[place["x"], place["dropped"]] is True


def test_a_transformer_of_57_000_nodes():
    """A training step of a transformer fits into 30 boxes and 100 kB, named after its parts."""
    loss = step()
    drawing = draw(loss)
    assert drawing.nodes == len(topological_order(loss, everything=True)) == 57_102
    assert drawing.boxes <= 30
    assert {"head0 × 7", "perceptron × 7", "cross_entropy × 7", "loss"} <= set(titles(drawing))
    assert len(drawing.svg) < 100_000
    assert draw(loss, focus="head0").boxes < 60


SCRIPT = """
import sys
from tests.drawing.test_boxes import network
import autograd_mini as am
loss = network(samples=20)
for options in ({}, {"focus": "Layer1"}, {"depth": 0}, {"expand": "Layer2"}):
    drawing = am.draw(loss, title="t", **options)
    sys.stdout.buffer.write((drawing.dot + drawing.svg).encode())
"""


def test_the_same_graph_gives_the_same_bytes():
    """Collapsed pictures are the same bytes for every hash seed."""
    outputs = [
        subprocess.run([sys.executable, "-c", SCRIPT], env=_seeded(seed), capture_output=True, check=True).stdout
        for seed in "12"
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"</svg>") == 4


def _seeded(seed):
    import os

    return os.environ | {"PYTHONHASHSEED": seed}


@pytest.mark.parametrize(
    "name", ["<b>&", "\\N", 'a"b|c:d', "two\nlines", "漢字", "שלום", "x" * 10_000, "</a>", "a/b", "0", "", " "]
)
def test_hostile_names_of_scopes(name):
    """Scopes with markup, quotes, line ends or long names are drawn, harmless, and can be focused on."""
    parts = []
    for i in range(60):
        with am.scope(name):
            parts.append(am.sin(Value(float(i)) * 2.0) * 2.0)
    total = am.sum(parts)
    drawing = draw(total)
    shown = name.replace("\n", "↵")
    assert any(title.startswith(shown.strip()[:16]) for title in titles(drawing) + scopes(drawing))
    everything = [element.get("id") for element in ElementTree.fromstring(drawing.svg).iter() if element.get("id")]
    assert len(everything) == len(set(everything))
    assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawing.svg).iter()} <= {
        "svg", "g", "title", "polygon", "path", "text", "polyline",
    }  # fmt: skip
    assert draw(total, focus=name).boxes >= 1


# -- the middle of backward() ------------------------------------------------------------------------------------------


def test_after_each_step():
    """`after=n` shows the gradients of that step: `not yet`, `so far`, done; the graph stays unwritten."""
    a = Value(3.0, name="a")
    b = a + a
    b.name = "b"
    c = b * a
    c.name = "c"
    expected = [
        {"c = ×": "1", "b = +": "not yet", "a": "not yet"},
        {"c = ×": "1", "b = +": "3", "a": "6 so far"},
        {"c = ×": "1", "b = +": "3", "a": "12"},
        {"c = ×": "1", "b = +": "3", "a": "12"},
    ]
    for after, numbers in enumerate(expected):
        seen = Seen(draw(c, after=after))
        found = {}
        for key, texts in seen.texts.items():
            if key[0] == "n":
                cells = texts[:-1] if texts[-1] == "so far" else texts
                name = " ".join(cells[:-2])
                found[name] = " ".join(texts[len(cells) - 1 :])
        assert found == numbers
    assert a.grad == 0.0  # looked at, not written


def test_after_in_a_collapsed_picture():
    """`after` works in groups, reaches the last step, and refuses one more."""
    loss = network(samples=20)
    steps = len(topological_order(loss))
    texts = [text for texts in Seen(draw(loss, after=1)).texts.values() for text in texts]
    assert "not yet" in texts
    assert draw(loss, after=steps, title="t").dot.count("not yet") == 0
    with pytest.raises(ArgumentError, match="cannot stop after"):
        draw(loss, after=steps + 1)


# -- names from variables ----------------------------------------------------------------------------------------------


def test_values_are_called_like_their_variables():
    """Nodes take the names of the variables assigned to in their scope; parts of an expression have none."""
    x, y = Value(2.0), Value(3.0)
    with am.provenance():
        product = x * y
        first = second = x + y
        (walrus := x - y)
        listed = [x / y]
        left, right = x * x, am.exp(y)
        total = sum([x, y, x])
        total += product
        called = am.tanh(x)
        nested = am.exp(x * y)

        def function(u):
            inside = u * u
            return inside + 1.0

        result = function(x)
    names = {
        "product": product, "first": second, "walrus": walrus, "total": total, "called": called, "nested": nested,
        "inside": result.operands[0], "left": left, "right": right,
    }  # fmt: skip
    from autograd_mini.notation.names import Names

    for name, node in names.items():
        assert Names(list(topological_order(node))).name(node) == name
        assert node.name is None
    assert Names(list(topological_order(listed[0]))).name(listed[0]) == "listed[0]"
    for node in (nested.operands[0], result):
        assert Names(list(topological_order(node))).name(node) == ""
    assert first is second
    assert Names(list(topological_order(total))).name(total.operands[0].operands[0]) == ""  # a step of the sum
    product.name = "given"
    assert Names([x, y, product]).name(product) == "given"


def test_leaves_are_called_by_their_variables():
    """A leaf has the name of its variable, or of its place in a list; one that no variable leads to stays a leaf."""
    with am.provenance():
        width, height = Value(2.0), Value(5.0)
        others = [Value(3.0), Value(4.0)]
        area = width * height * others[0] + others[1] * Value(6.0)
    text = am.draw(area, legend=False).dot
    assert "<B>width</B>" in text
    assert "<B>height</B>" in text
    assert "<B>others[0]</B>" in text
    assert text.count(">leaf<") == 1
    assert "Value(3.0)" not in text
    assert width.origin.expression == "Value(2.0)"
    assert width.name is None


def test_depth_collapses_passes_that_share_parameters():
    """Layers that run twenty times are boxes "× 20" at depth 0, and not hundreds of parameters beside sixty boxes."""
    model = am.nn.MLP(2, [16, 16, 1], seed=0)
    loss = am.mean([model([0.1 * i, 1.0]) ** 2 for i in range(20)])
    loss.backward()
    drawing = draw(loss, depth=0)
    assert "nodes in" in repr(drawing)
    assert int(re.search(r"in (\d+) boxes", repr(drawing))[1]) < 30
    assert "Layer0 × 20" in drawing.dot


def test_a_relu_is_called_so():
    """A relu is called relu: its node is a `where`, which means nothing to a user who wrote relu."""
    text = draw(am.relu(Value(-2.0)), legend=False).dot
    assert ">relu<" in text
    assert "where" not in text


def test_what_is_in_a_box_has_its_colour():
    """Scopes, operations and leaves are told apart by the background of their names, as the legend says."""
    tints = dict(re.findall(r'BGCOLOR="(#\w+)"><FONT[^>]*><B>(scope|leaf)', draw(network()).dot))
    assert set(tints.values()) == {"scope", "leaf"}
    scope, leaves = (next(tint for tint, what in tints.items() if what == word) for word in ("scope", "leaf"))
    drawn = dict(re.findall(r'BGCOLOR="(#\w+)"><B>(Neuron0|x0)<', draw(network(), legend=False).dot))
    assert drawn == {scope: "Neuron0", leaves: "x0"}
    x = Value(2.0, name="x")
    total = am.sum([x * i for i in range(200)])
    for graph, pattern in ((x * 2.0, "<B>graph</B> = □ × 2"), (total, "<B>product × 200")):
        (computed,) = re.findall(rf'BGCOLOR="(#\w+)">{pattern}', draw(graph, legend=False).dot)
        assert computed not in tints
        assert f'BGCOLOR="{leaves}"><B>x</B>' in draw(graph, legend=False).dot
