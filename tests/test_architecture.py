"""The shape of the package: import arrows, public names, docstrings with doctests, what importing costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from tests import stubs

PACKAGE = Path(am.__file__).parent
MODULES = sorted(
    name.removesuffix(".__init__")
    for name in (".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py"))
)

# What each module may import from the package. Arrows point one way: a module never imports a later one.
LAYERS = [
    ["program.source", "output.files", "output.screen", "output.streams"], ["program.owner"],
    ["errors", "program.assignments", "program.stack"], ["core.ieee", "core.arrays", "program.scopes"],
    ["core.row", "core.attached", "watch"], ["core.rules", "core.custom"], ["core.table", "watch.origins"],
    ["core.methods", "watch.finiteness", "watch.boundaries"], ["core.node"],
    ["core.traced", "core.copies"], ["core.sweep"], ["engine", "notation.text"],
    ["core.dual", "transforms.trees", "notation.namespaces", "notation.spelling"],
    ["transforms.sparsity", "transforms.detached"], ["transforms.curvature"],
    ["functions.composed"], ["functions.sums", "functions.switches"], ["functions.activations"], ["functions.logits"], ["functions.losses"],
    ["functions", "transforms.recorded"], ["transforms.derivatives"], ["notation.names", "notation.snapshot"],
    ["symbolic.table"], ["symbolic.search"], ["symbolic.normal"], ["symbolic.formulas"],
    ["symbolic.assumptions"], ["symbolic.lessons", "symbolic.proof"],
    ["symbolic.derivation"], ["symbolic"],
    ["optim.states"], ["nn.module"], ["nn.binding"],
    ["nn", "optim", "demo.data"], ["micrograd.engine"], ["micrograd.nn"],
    ["micrograd"], ["explanation.words", "explanation.digits"], ["explanation.graph"],
    ["explanation.causes", "explanation.stable"], ["explanation.advice"], ["explanation.report"], ["explanation"],
    ["drawing.render", "drawing.document", "drawing.gradients", "drawing.parts"],
    ["drawing.boxes", "drawing.page"], ["drawing.picture"], ["drawing"], ["demo.job", "script"],
    ["debug.timeline.journal", "debug.timeline.index"], ["debug.timeline.expressions"],
    ["debug.timeline.breakpoints", "debug.timeline.timeline"], ["debug.timeline.travel"],
    ["debug.program", "debug.disorder", "debug.timeline.differences", "debug.wording"],
    ["debug.pages.listing"], ["debug.pages.mathml"], ["debug.pages.scenes"], ["debug.pages.stage"], ["debug.pages"],
    ["debug.terminal.prompt", "debug.terminal.turns"], ["debug.terminal.commands"], ["debug.terminal"],
    ["debug.dap.protocol", "debug.dap.sources"], ["debug.dap.install", "debug.dap.variables", "debug.dap.stops"],
    ["debug.dap.session"], ["debug.dap.debuggee"], ["debug.dap.launch", "debug.dap.__main__"], ["debug.dap.adapter"],
    ["debug.dap"],
    ["core", "program", "output", "transforms", "notation", "demo", "debug.timeline"],
    ["debug"], ["cli"], ["__init__", "__main__"],
]  # fmt: skip
ALLOWED_ELSEWHERE = {  # third-party imports, each in one place
    "graphviz": "drawing", "tqdm": "demo", "sympy": "symbolic", "mpmath": "symbolic", "scipy": "transforms",
}  # fmt: skip


def imports(path):
    """(module, is it at the top level of the file) for each import in a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            base = node.module
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), id(node) in top


def short(name):
    return name.removeprefix("autograd_mini.")


def layer(name):
    name = "__init__" if name == "autograd_mini" else short(name)
    found = [i for i, names in enumerate(LAYERS) if name in names]
    assert found, f"{name} has no place in LAYERS"
    return found[0]


@pytest.mark.parametrize("module", MODULES, ids=short)
def test_arrows_point_one_way(module):
    """Imports go to earlier layers only; the standard library is free; a third party appears in one place."""
    source = importlib.util.find_spec(module).origin
    for name, at_top in imports(Path(source)):
        root = name.partition(".")[0]
        if root == "autograd_mini":
            assert layer(name) < layer(module), f"{module} imports {name}"
        elif root not in sys.stdlib_module_names:
            place = short(module).partition(".")[0]
            assert ALLOWED_ELSEWHERE.get(root) == place, f"{module} imports {name}"
            # The first use of a name of `symbolic` imports its parts, and they import SymPy.
            assert not at_top or short(module).startswith("symbolic."), f"{module} imports {name} at once"


def test_importing_needs_the_standard_library_alone():
    """`import autograd_mini` loads nothing from outside of it."""
    program = "import sys; before = set(sys.modules); import autograd_mini; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    roots = {name.partition(".")[0] for name in loaded}
    assert roots - set(sys.stdlib_module_names) == {"autograd_mini"}


def test_public_names():
    """`__all__` is sorted and complete; every name of it says what it is."""
    assert am.__all__ == sorted(am.__all__)
    assert len(set(am.__all__)) == len(am.__all__)
    public = {name for name in vars(am) if not name.startswith("_")}
    submodules = {m.name for m in pkgutil.iter_modules(am.__path__)}
    assert public - submodules <= set(am.__all__)
    assert dir(am) == sorted([*am.__all__, "__version__"])
    assert all(getattr(am, name) is getattr(am, name) for name in am.__all__)
    with pytest.raises(AttributeError, match="exq"):
        _ = am.exq
    assert {"nn", "optim"} <= set(am.__all__)


@pytest.mark.parametrize("name", [n for n in am.__all__ if not inspect.ismodule(getattr(am, n)) and n != "ZERO"])
def test_public_docstrings(name):
    """A sentence; arguments, results and errors of functions; an example."""
    thing = getattr(am, name)
    doc = inspect.getdoc(thing)
    assert doc, name
    assert doc.splitlines()[0].rstrip().endswith((".", ":")), name
    if not (inspect.isclass(thing) and issubclass(thing, Exception)):
        assert ">>>" in doc, name
    if inspect.isfunction(thing) and inspect.signature(thing).parameters:
        assert "Args:" in doc, name


@pytest.mark.parametrize("module", [m for m in MODULES if not m.endswith("__main__")], ids=short)
def test_doctests(module):
    """Every example in a docstring prints what it says."""
    imported = importlib.import_module(module)
    for test in doctest.DocTestFinder().find(imported):
        results = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test)
        assert results.failed == 0


def test_every_module_opens_with_what_it_is():
    """Three lines: what it is, what it is not, what to read next."""
    for module in MODULES:
        if not module.endswith("__main__"):
            doc = importlib.import_module(module).__doc__ or ""
            assert "Read next" in doc, module


@pytest.mark.parametrize("file", stubs.FILES)
def test_stubs_are_what_the_generator_gives(file):
    """Type checkers see every public name and every method: run `python -m tests.stubs` after adding one."""
    assert (PACKAGE / file).read_text() == stubs.FILES[file](), "run: python -m tests.stubs"


def test_type_checkers_see_the_names(tmp_path):
    """mypy, strict, knows functions, methods and submodules, and finds a name that is not there."""
    api = pytest.importorskip("mypy.api")
    program = tmp_path / "program.py"
    program.write_text(
        "import autograd_mini as am\n"
        "v = am.Value(2.0)\n"
        "y = am.exp(v) + v.exp() + am.tanh(v) + v.arcsin() + am.debug.CRITICAL\n"
        "print(y, am.__all__, am.softmax([v, 1.0]), am.nn.MLP)\n"
        "am.exq(v)\n"
        "v.exq()\n"
    )
    said, _, _ = api.run(["--strict", f"--cache-dir={tmp_path}", "--config-file=", str(program)])
    found = [line.partition(": error: ")[2] for line in said.splitlines() if ": error: " in line]
    assert [("exq" in error) for error in found] == [False, True, True], said
