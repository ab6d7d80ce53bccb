"""The shape of the package: import arrows, public names, docstrings with doctests, what importing costs."""

from __future__ import annotations

import ast
import doctest
import graphlib
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import autograd_mini as am
from tests import sizes, stubs

PACKAGE = Path(am.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted(
    name.removesuffix(".__init__")
    for name in (".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py"))
)

# The rooms, folders and modules at the top, in the order of their arrows: each may import from those before it.
ROOMS = [
    "output", "program", "errors", "core", "watch", "engine", "transforms", "functions", "optim", "nn", "micrograd",
    "notation", "symbolic", "explanation", "compile", "drawing", "script", "check", "debug", "doctor", "demo", "cli",
    "autograd_mini", "__main__",
]  # fmt: skip
ALLOWED_ELSEWHERE = {  # third-party imports, each in one place
    "graphviz": "drawing", "tqdm": "output", "sympy": "symbolic", "mpmath": "symbolic", "scipy": "transforms",
    "torch": "check", "numpy": "compile", "IPython": "debug", "marimo": "debug",
}  # fmt: skip


def short(name):
    return name.removeprefix("autograd_mini.")


def source(module):
    """The file of a module of the package."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(module):
    """(module, is it at the top level of the file) for each import in a file, those inside functions too."""
    tree = ast.parse(source(module).read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in MODULES else node.module), id(node) in top


ARROWS = {module: {name for name, _ in imports(module) if name in MODULES} for module in MODULES}


def room(module):
    return short(module).partition(".")[0]


def test_arrows_between_rooms_point_one_way():
    """A room imports from rooms before it in the list alone; the figures are printed with `pytest -s`."""
    assert {room(module) for module in MODULES} == set(ROOMS)
    between = {(room(module), room(name)) for module, names in ARROWS.items() for name in names}
    between = {(one, other) for one, other in between if one != other}
    backwards = [f"{one} imports {other}" for one, other in between if ROOMS.index(other) > ROOMS.index(one)]
    assert backwards == []
    print(
        f"\n{len(MODULES)} modules, {sum(map(len, ARROWS.values()))} arrows between them; "
        f"{len(ROOMS)} rooms, {len(between)} arrows between them"
    )


def test_modules_form_no_circle():
    """The modules of a room do not import each other in a circle."""
    try:
        tuple(graphlib.TopologicalSorter(ARROWS).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(map(short, error.args[1])))


def test_no_module_bears_the_name_of_a_function():
    """Importing a submodule would replace the function in its package; no room has a name of `autograd_mini` either."""
    modules = {name for name in am.__all__ if inspect.ismodule(getattr(am, name))}
    for module in MODULES:
        package, _, name = module.rpartition(".")
        public = {*am.__all__, *getattr(sys.modules.get(package), "__all__", ())} - modules
        assert name not in public, f"{module} has the name of something public"


@pytest.mark.parametrize("module", MODULES, ids=short)
def test_third_parties_are_imported_in_one_place(module):
    """The standard library is free; anything else belongs to one room, and is imported where it is used."""
    for name, at_top in imports(module):
        root = name.partition(".")[0]
        if root not in ("autograd_mini", *sys.stdlib_module_names):
            assert ALLOWED_ELSEWHERE.get(root) == room(module), f"{module} imports {name}"
            # The first use of a name of `symbolic` imports its parts, and they import SymPy.
            # The NumPy backend is imported when it is chosen.
            lazy = short(module).startswith(("symbolic.", "compile.backends."))
            assert not at_top or lazy, f"{module} imports {name} at once"


def test_no_module_is_longer_than_500_lines():
    """A module that is longer holds two ideas."""
    assert {module: count for module, count in sizes.lines().items() if count > sizes.LONGEST} == {}


@pytest.mark.parametrize("rooms", sizes.BUDGETS)
def test_no_room_grows_unnoticed(rooms):
    """A room stays within its lines of today; raise them in `tests.sizes` if a feature is worth it."""
    count, today = sizes.total(rooms.split()), sizes.BUDGETS[rooms].today
    assert count <= today, (
        f"{rooms}: {count} lines, and {today} are allowed; python -m tests.sizes shows where they are"
    )


def test_every_room_has_a_budget():
    """The table of sizes covers each line of the package once."""
    assert sorted(" ".join(sizes.BUDGETS).split()) == sorted({name.partition(".")[0] for name in sizes.lines()})
    assert sum(sizes.total(rooms.split()) for rooms in sizes.BUDGETS) == sum(sizes.lines().values())


def test_the_core_is_read_in_an_evening():
    """The table, the node, the sweep, `Value` and what is composed of operations: at most 2,500 lines."""
    assert sizes.total(sizes.EVENING) <= sizes.EVENING_LINES


def test_importing_needs_the_standard_library_alone():
    """`import autograd_mini` loads nothing but itself and the standard library."""
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


def test_modules_are_read_one_after_the_other():
    """Each names the next one, from `autograd_mini` on: no loop, none left out, and the last one names the tests."""
    found = ["autograd_mini"]
    while True:
        doc = importlib.import_module(found[-1]).__doc__ or ""
        named = re.findall(r"Read next: (?:`([\w.]+)`|the tests)\.", doc)
        assert len(named) == 1, f"{short(found[-1])} should end its docstring with: Read next: `MODULE`."
        if not named[0]:
            break
        following = f"autograd_mini.{named[0]}"
        assert following in MODULES, f"{short(found[-1])} names {named[0]}, which is not a module"
        assert following not in found, f"{short(found[-1])} leads back to {named[0]}"
        found.append(following)
    left_out = {module for module in MODULES if not module.endswith("__main__")} - set(found)
    assert left_out == set(), f"nothing leads to {', '.join(sorted(map(short, left_out)))}"


@pytest.mark.parametrize("file", sorted(TESTS.rglob("test_*.py")), ids=lambda file: str(file.relative_to(TESTS)))
def test_a_test_says_what_must_hold(file):
    """The docstring of a test is a sentence of the specification."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    silent = [test.name for test in functions if not (ast.get_docstring(test) or "").rstrip().endswith((".", ":"))]
    assert functions
    assert silent == []


@pytest.mark.parametrize("file", stubs.FILES)
def test_stubs_are_what_the_generator_gives(file):
    """Type checkers see every public name and every method: run `python -m tests.stubs` after adding one."""
    assert (PACKAGE / file).read_text() == stubs.FILES[file](), "run: python -m tests.stubs"
