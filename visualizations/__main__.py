"""Draw all pictures of this folder again: `python -m visualizations`. README.md shows them with captions.

Not here: the networks (`training`, `transformer`). Read next: README.md.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import autograd_mini as am
from autograd_mini.debug.lessons import Lesson
from visualizations.training import Training, train_iris, train_moons
from visualizations.transformer import step

HERE = Path(__file__).parent

CAPTIONS = {
    "neuron": "A neuron, `tanh(x1*w1 + x2*w2 + b)`, after `backward()`. In each box: name and operation, value, "
    "gradient. On each arrow: the local derivative. A gradient is the sum, over all arrows that leave the box, of the "
    "local derivative times the gradient at the arrow's head. Drawn by `examples/first_five_minutes.py`.",
    "softmax": "Softmax, then cross-entropy, of three logits. The code contains no derivative of softmax, yet the "
    "gradient of z is a - t: 0.659 - 1, 0.2424 and 0.09857. Drawn by `examples/softmax_derivative.py`.",
    "fold": "Softmax folded, as pictures show calls until `expand=` opens them: one box, with the derivative of each "
    "result by each logit on the arrows, and their closed form below.",
    "found": "A network 3-4-4-1 written with loops and operators, four samples, no scopes: parts of the same shape "
    "that use the same leaves are drawn as one part that runs four times, and each neuron is a box.",
    "sigmoid": "The logistic function, composed from primitives. The gradient of x is a (1 - a), and no step on the "
    "way loses digits.",
    "tanh": "The hyperbolic tangent, the same way: the gradient of x is 1 - a².",
    "order": "Why backpropagation needs the right order: `b = a + a; c = b + b`. On the left, b hands on its gradient "
    "each time something arrives: 1, then 2, so a gets 6. On the right it waits for both, so a gets 4.",
    "iris": "A 4-8-3 network that tells three species of iris apart, in its last training step. The 24 flowers of the "
    "batch take the same path, so they share their boxes.",
    "moons": "micrograd's network for the two moons, 2-16-16-1: about 11,000 nodes. Neurons with `out 0` are dead: "
    "their relu is 0 for all hundred points, so no gradient gets through it.",
    "transformer": "One training step of a transformer that spells letter by letter: 57,102 nodes. `draw(loss, "
    'focus="head0")` opens a box.',
    "training": "The loss of the two networks, step by step.",
    "boundary": "The boundary that the network for the moons draws.",
}
PHOTOGRAPHS = {
    "stepping": "The page that steps through backpropagation, on its way back through a softmax. It was written by "
    "`examples/step_through.py` and photographed in Chromium.",
    "lesson": "The lesson that `autograd-mini lesson softmax` writes, where softmax has handed on to the scores. The "
    "numbers in its text come from the run.",
    "run": "A training run, recorded by `examples/training_run.py`: at step 200 the learning rate becomes far too "
    "large, the gradients explode, and all units die. A click on a step leads to its backward pass.",
}


def pictures() -> dict[str, Callable[[], object]]:
    """Return how to draw each file of this folder, by its name without ending."""
    trained: dict[str, Training] = {}

    def training(name: str) -> Training:
        if name not in trained:
            trained[name] = train_iris() if name == "iris" else train_moons()
        return trained[name]

    return {
        "neuron": lambda: _run("first_five_minutes"),
        "softmax": lambda: _run("softmax_derivative"),
        "fold": lambda: am.draw(_folded(), title="softmax is one box").save(HERE / "fold.svg"),
        "found": lambda: am.draw(_from_primitives(), title="samples and neurons, found").save(HERE / "found.svg"),
        "sigmoid": lambda: _activation(am.sigmoid, "a = sigmoid(x): its gradient is a (1 - a)"),
        "tanh": lambda: _activation(am.tanh, "a = tanh(x): its gradient is 1 - a²"),
        "order": lambda: (HERE / "order.svg").write_bytes(_order().encode()),
        "iris": lambda: am.draw(training("iris").loss, title="iris: 4-8-3, 24 flowers").save(HERE / "iris.svg"),
        "moons": lambda: am.draw(training("moons").loss, title="moons: 2-16-16-1, 100 points").save(HERE / "moons.svg"),
        "transformer": lambda: am.draw(
            step(), title="a transformer of 57,102 nodes, one training step", direction="TB"
        ).save(HERE / "transformer.svg"),
        "training": lambda: _curves({name: training(name).losses for name in ("iris", "moons")}),
        "boundary": lambda: _boundary(training("moons")),
    }


def _run(example: str) -> None:
    """Run an example here, where it saves its picture."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.chdir(HERE):
        runpy.run_path(str(HERE.parent / "examples" / f"{example}.py"), run_name="__main__")


def _activation(function: Callable, title: str) -> None:
    x = am.Value(1.5, name="x")  # closer to 0 the functions switch to forms whose second derivatives keep their digits
    with am.provenance():
        a = function(x)
    a.name = "a"
    a.backward()
    am.draw(a, expand=function.__name__, title=title).save(HERE / f"{function.__name__}.svg")


def _folded() -> am.Value:
    z = [am.Value(number, name=f"z{i}") for i, number in enumerate((2.0, 1.0, 0.1))]
    a = am.softmax(z)
    for i, probability in enumerate(a):
        probability.name = f"a{i}"
    loss = -am.dot([0.2, 0.5, 0.3], [am.log(p) for p in a])
    loss.name = "loss"
    loss.backward()
    return loss


def _from_primitives() -> am.Value:
    choose = random.Random(1)

    def layer(ins: int, outs: int) -> list[list[am.Value]]:
        return [[am.Value(choose.uniform(-1.0, 1.0)) for _ in range(ins + 1)] for _ in range(outs)]

    layers, outputs = [layer(3, 4), layer(4, 4), layer(4, 1)], []
    for x in ([2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]):
        for neurons in layers:
            x = [am.tanh(sum((w * v for w, v in zip(ws, x, strict=True)), b)) for *ws, b in neurons]
        outputs.append(x[0])
    loss = sum((y - t) ** 2 for y, t in zip(outputs, (1.0, -1.0, -1.0, 1.0), strict=True))
    loss.name = "loss"
    loss.backward()
    return loss


def _order() -> str:
    def graph() -> am.Value:
        a = am.Value(3.0, name="a")
        b = a + a
        b.name = "b"
        c = b + b
        c.name = "c"
        c.backward()
        return c

    wrong, right = graph(), graph()
    b = wrong.operands[0]
    b.operands[0].grad = sum(2.0 * so_far for so_far in (1.0, 2.0))  # b.grad after each of the two arrows
    return _beside(
        am.draw(wrong, title="wrong: b does not wait", legend=False).svg,
        am.draw(right, title="right: b waits for both arrows", legend=False).svg,
    )


def _beside(*pictures: str) -> str:
    """Join several SVGs from left to right."""
    sizes = [tuple(map(int, re.search(r'width="(\d+)pt" height="(\d+)pt"', svg).groups())) for svg in pictures]
    width, height = sum(w for w, _ in sizes) + 40 * (len(sizes) - 1), max(h for _, h in sizes)
    inner, x = "", 0
    for svg, (w, h) in zip(pictures, sizes, strict=True):
        inner += re.sub(r'width="\d+pt" height="\d+pt"', f'x="{x}" y="0" width="{w}" height="{h}"', svg, count=1)
        x += w + 40
    return (
        f'<svg width="{width}pt" height="{height}pt" viewBox="0 0 {width} {height}" '
        f'xmlns="http://www.w3.org/2000/svg">\n<rect width="100%" height="100%" fill="white"/>\n{inner}</svg>\n'
    )


def _plot():
    """Set up matplotlib so that the same numbers give the same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "autograd_mini", "svg.fonttype": "none", "font.family": "sans-serif"})
    from matplotlib import pyplot

    return pyplot


def _save(plot, name: str) -> None:
    plot.savefig(HERE / f"{name}.svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plot.close()


def _curves(losses: dict[str, list[float]]) -> None:
    plot = _plot()
    plot.figure(figsize=(6.4, 3.6))
    for (name, numbers), colour, style in zip(losses.items(), ("#4393c3", "#d6604d"), ("-", "--"), strict=True):
        plot.semilogy(numbers, style, color=colour)
        plot.annotate(f" {name}", (len(numbers) - 1, numbers[-1]), color=colour, va="center")
    plot.xlabel("step")
    plot.ylabel("loss")
    plot.gca().spines[["top", "right"]].set_visible(False)
    _save(plot, "training")


def _boundary(moons: Training) -> None:
    plot = _plot()
    xs = [-1.6 + 4.2 * i / 84 for i in range(85)]
    ys = [-1.2 + 2.9 * i / 58 for i in range(59)]
    scores = [[moons.model([x, y]).data for x in xs] for y in ys]
    plot.figure(figsize=(6.4, 4.4))
    plot.contourf(xs, ys, scores, levels=[-1e9, 0.0, 1e9], colors=["#d6604d", "#4393c3"], alpha=0.35)
    plot.contour(xs, ys, scores, levels=[-1.0, 0.0, 1.0], colors="#404040", linewidths=[0.6, 1.4, 0.6])
    for label, marker, colour in ((-1, "o", "#d6604d"), (1, "^", "#4393c3")):
        chosen = [point for point, sign in zip(moons.points, moons.labels, strict=True) if sign == label]
        plot.scatter(*zip(*chosen, strict=True), c=colour, marker=marker, edgecolors="black", linewidths=0.7)
    plot.gca().set_aspect("equal")
    _save(plot, "boundary")


def photograph(names: list[str]) -> None:
    """Photograph in a browser pages of examples, and a lesson."""
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), sync_playwright() as playwright:
        for example in ("step_through", "training_run"):
            subprocess.run(
                [sys.executable, HERE.parent / "examples" / f"{example}.py"], stdout=subprocess.PIPE, check=True
            )
        addresses = {
            "stepping": "backprop.html#step=18", "lesson": f"{Lesson('softmax').save('lesson.html')}#step=24",
            "run": "training.html#training=200",
        }  # fmt: skip
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for name in names:
            page = chromium.new_page(viewport={"width": 1280, "height": 760}, reduced_motion="reduce")
            file, _, step = addresses[name].partition("#")
            page.goto(f"{(Path(folder) / file).as_uri()}#{step}")
            page.screenshot(path=HERE / f"{name}.png")
            print(f"drawn: {name}.png")
        chromium.close()


def readme() -> str:
    """Return the list of pictures with their captions."""
    shown = [f"## {name}\n\n![{name}]({name}.svg)\n\n{caption}\n" for name, caption in CAPTIONS.items()]
    shown += [f"## {name}\n\n![{name}]({name}.png)\n\n{caption}\n" for name, caption in PHOTOGRAPHS.items()]
    return "# Pictures\n\nDrawn by `python -m visualizations`; a test draws them again and compares.\n\n" + "\n".join(
        shown
    )


def main(names: list[str]) -> None:
    """Draw the pictures with these names, or all."""
    for name, draw in pictures().items():
        if not names or name in names:
            draw()
            print(f"drawn: {name}.svg")
    if photographs := [name for name in PHOTOGRAPHS if not names or name in names]:
        photograph(photographs)
    (HERE / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
