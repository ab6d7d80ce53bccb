"""What is built: wheels with and without the compiled engine, the source distribution, an editable installation.

Built with hatchling itself, from a copy of the checkout: pip does the same, with more waiting.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import checkout
from tests.effort import effort

SOURCE = "autograd_mini/core/_native.c"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
COMPILED = f"autograd_mini/core/_native{SUFFIX}"
OF_ANOTHER = "autograd_mini/core/_native.another.so"
NO_COMPILER = {"CC": "/not/there/cc", "CXX": "/not/there/c++"}
WHICH = "import autograd_mini as am; from autograd_mini.core import accelerator as a; "
WHICH += "print(am.engine.implementation, a.why_not, sep='|', end='')"

compiles = pytest.mark.skipif(
    shutil.which((os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]) is None
    or not Path(sysconfig.get_path("include"), "Python.h").exists()
    or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="there is no C compiler, or this Python has no headers or no lock",
)


def copy_of_the_checkout(folder):
    """The files of the checkout, and one that an editable installation has left."""
    checkout.copy(folder)
    (folder / OF_ANOTHER).write_text("of another Python")
    return folder


def files_of(folder):
    """The paths in a folder, as archives write them."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {OF_ANOTHER}


def run(code, folder, python=sys.executable, **environment):
    """A program in a fresh process, with a folder as the current one."""
    clean = {name: value for name, value in os.environ.items() if name != "AUTOGRAD_MINI_PURE"}
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env={**clean, "PYTHONPATH": str(folder), **environment},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def build(kind, source, folder, **environment):
    """Build a "wheel" or an "sdist" from a source; return its path and what was printed."""
    done = run(f"import hatchling.build as b; print(b.build_{kind}({str(folder)!r}))", source, **environment)
    return folder / done.stdout.splitlines()[-1], done.stdout + done.stderr


def install_editable(source, **environment):
    """Do in a source what `pip install -e` does there."""
    line = "build -t wheel:editable --hooks-only"
    run(
        f"import sys; from hatchling.cli import hatchling; sys.argv[1:] = {line.split()}; hatchling()",
        source,
        **environment,
    )


def names(archive):
    """The files in a wheel or an sdist, without the folder of the sdist and the metadata of the wheel."""
    if archive.suffix == ".gz":
        with tarfile.open(archive) as opened:
            return {name.partition("/")[2] for name in opened.getnames()}
    return {name for name in zipfile.ZipFile(archive).namelist() if ".dist-info/" not in name}


def unpacked(wheel, folder):
    """A folder in which the package of a wheel lies."""
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, which a test may read."""
    return copy_of_the_checkout(tmp_path_factory.mktemp("source") / "checkout")


@pytest.fixture(scope="module")
def sdist(source, tmp_path_factory):
    """The source distribution."""
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))[0]


@pytest.fixture(scope="module")
def native(sdist, tmp_path_factory):
    """The wheel that is built from the source distribution with a compiler, as pip and `python -m build` do."""
    with tarfile.open(sdist) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # younger than Python 3.11.0
        opened.extractall(tmp_path_factory.mktemp("unpacked"))
        (top,) = {name.partition("/")[0] for name in opened.getnames()}
    folder = tmp_path_factory.getbasetemp() / "unpacked0" / top
    return build("wheel", folder, tmp_path_factory.mktemp("native"))[0]


@pytest.fixture(scope="module")
def pure(source, tmp_path_factory):
    """The wheel that is built from the checkout where there is no compiler, and what was printed."""
    return build("wheel", source, tmp_path_factory.mktemp("pure"), **NO_COMPILER)


# -- contents ----------------------------------------------------------------------------------------------------------


def test_the_source_distribution_holds_the_checkout(source, sdist):
    """It has each file except the compiled one, and nothing else but its metadata."""
    assert names(sdist) == files_of(source) | {"PKG-INFO"}


@compiles
def test_the_compiled_wheel_is_for_this_platform(source, native):
    """Everything of the package, with a module in place of the C text; its tag names Python and platform."""
    package = {name for name in files_of(source) if name.startswith("autograd_mini/")}
    assert names(native) == package - {SOURCE} | {COMPILED}
    assert f"-cp3{sys.version_info.minor}-cp3{sys.version_info.minor}-" in native.name
    assert not native.name.endswith("-any.whl")
    assert "autograd_mini/py.typed" in package
    assert {Path(name).suffix for name in package} >= {".pyi", ".css", ".js", ".html", ".csv", ".json", ".md"}


def test_the_pure_wheel_is_for_all_platforms(source, pure):
    """The same without the module."""
    wheel, _ = pure
    assert names(wheel) == {name for name in files_of(source) if name.startswith("autograd_mini/")} - {SOURCE}
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as opened:
        (metadata,) = [name for name in opened.namelist() if name.endswith(".dist-info/WHEEL")]
        assert "Root-Is-Purelib: true" in opened.read(metadata).decode()


def test_what_is_written_from_templates_works_from_a_wheel(source, pure, tmp_path):
    """Every template is there, among them the one in C: the installed package writes a test in each language."""
    templates = {name for name in files_of(source) if "/templates/" in name}
    assert any(name.endswith(".c") for name in templates)
    assert templates <= names(pure[0])
    code = "from autograd_mini.cli import main\n"
    code += "print([main(['vectors', 'tanh', '--format', form, '-o', 'Test.' + form]) for form in {}])"
    forms = sorted(name.rpartition(".")[2] for name in templates if "/check/" in name)
    done = run(code.format(forms), unpacked(pure[0], tmp_path))
    assert done.stdout.splitlines()[-1] == str([0] * len(forms))


@compiles
def test_each_wheel_says_which_engine_it_has(native, pure, tmp_path):
    """Installed beside each other's Python, one computes in C, one in Python, and AUTOGRAD_MINI_PURE=1 chooses."""
    fast, slow = unpacked(native, tmp_path / "fast"), unpacked(pure[0], tmp_path / "slow")
    assert run(WHICH, fast).stdout == "native|"
    assert run(WHICH, fast, AUTOGRAD_MINI_PURE="1").stdout == "python|AUTOGRAD_MINI_PURE is set"
    assert run(WHICH, fast, AUTOGRAD_MINI_PURE="0").stdout == "native|"
    assert run(WHICH, slow).stdout == "python|it was not compiled"


# -- compilers that do not work, and compilers that do too much --------------------------------------------------------


def test_without_a_compiler_one_line_says_so(pure):
    """Nothing else is printed, and pip hides even that; no line of it is a warning or an error."""
    wheel, said = pure
    (line,) = set(said.splitlines()) - {wheel.name}
    assert line.startswith("_native.c is not compiled (")
    assert "/not/there/cc" in line
    assert "warning" not in line.lower()
    assert "error" not in line.lower()


OBSTACLES = [
    ("a compiler that fails", {"CC": "./fails"}),
    ("the switch", {"AUTOGRAD_MINI_PURE": "1"}),
    ("headers that are missing", {"CFLAGS": "-nostdinc"}),
    ("a linker that fails", {"LDFLAGS": "-lnot_there"}),
]


@pytest.mark.parametrize("environment", dict(OBSTACLES[: effort(2, 9)]).values(), ids=dict(OBSTACLES[: effort(2, 9)]))
def test_what_keeps_it_from_being_compiled_does_not_stop_the_build(source, tmp_path, environment):
    """The wheel is the pure one."""
    if environment.get("CC"):
        if os.name == "nt":
            pytest.skip("the failing compiler is a shell script")
        failing = tmp_path / "fails"
        failing.write_text("#!/bin/sh\necho 'fatal error: Python.h: No such file or directory' >&2\nexit 1\n")
        failing.chmod(0o755)
        environment = {"CC": str(failing)}
    wheel, said = build("wheel", source, tmp_path, **environment)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "_native.c is not compiled (" in said
    assert "Traceback" not in said


@compiles
@pytest.mark.skipif(os.name == "nt", reason="these are flags of other compilers")
def test_no_flag_of_the_environment_changes_a_number(source, tmp_path):
    """-ffast-math would contract, reorder, and at the linker turn off subnormals in the whole process."""
    fast = "-Ofast -ffast-math -funsafe-math-optimizations"
    wheel, _ = build("wheel", source, tmp_path, CFLAGS=fast, LDFLAGS=fast)
    assert not wheel.name.endswith("-any.whl")
    program = "import autograd_mini.core._native; tiny = 5e-324; print(tiny * float('1'))"
    assert run(program, unpacked(wheel, tmp_path / "fast")).stdout == "5e-324\n"


# -- an editable installation ------------------------------------------------------------------------------------------


@compiles
def test_an_editable_installation_never_runs_what_was_compiled_from_another_source(tmp_path):
    """After `git pull` the Python text runs until C is compiled again, or for good if that fails."""
    source = copy_of_the_checkout(tmp_path / "checkout")
    install_editable(source)
    assert (source / COMPILED).exists()
    assert run(WHICH, source).stdout == "native|"
    with open(source / SOURCE, "a", encoding="utf-8") as file:
        file.write("/* pulled */\n")
    assert run(WHICH, source).stdout == "python|it was compiled from another version of _native.c"
    install_editable(source)
    assert run(WHICH, source).stdout == "native|"
    install_editable(source, **NO_COMPILER)
    assert not (source / COMPILED).exists()
    assert run(WHICH, source).stdout == "python|it was not compiled"


# -- other interpreters ------------------------------------------------------------------------------------------------


@compiles
def test_a_subinterpreter_gets_the_python_text(native, tmp_path):
    """The compiled module keeps one state, the main interpreter's."""
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    program = f"import {name} as i; i.run_string(i.create(), {WHICH!r})"
    said = run(program, unpacked(native, tmp_path / "fast")).stdout
    assert said.startswith("python|")


def runs(python):
    """Whether there is a Python of that name; shims may stand for some that are not."""
    path = shutil.which(python)
    return path is not None and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0


@pytest.mark.parametrize("which", ["without the lock", "of another kind"])
def test_pythons_that_it_is_not_written_for_get_the_python_text(source, which, monkeypatch, tmp_path):
    """Free-threaded CPython, and what is not CPython: no compiler is asked."""
    specification = importlib.util.spec_from_file_location("native", source / ".packaging" / "native.py")
    hook = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(hook)
    if which == "without the lock":
        monkeypatch.setattr(sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else SUFFIX)
    else:
        monkeypatch.setattr(sys, "implementation", SimpleNamespace(name="pypy"))
    monkeypatch.delenv("AUTOGRAD_MINI_PURE", raising=False)
    with pytest.raises(RuntimeError, match="it is written for CPython with its lock"):
        hook._compiled(source / SOURCE, str(tmp_path))


@compiles
def test_other_pythons_compile_it_too(source, tmp_path):
    """With what pip installs for the build."""
    names = [f"python3.{minor}" for minor in range(11, 16) if minor != sys.version_info.minor]
    for python in filter(runs, names[: effort(0, 9)]):
        folder = tmp_path / python
        pip(["wheel", "-w", str(folder)], source, shutil.which(python))
        (wheel,) = folder.glob("*.whl")
        assert f"-cp3{python.rpartition('.')[2]}-" in wheel.name
        assert run(WHICH, unpacked(wheel, folder), shutil.which(python)).stdout == "native|"


def pip(arguments, source, python=sys.executable, **environment):
    """Run pip on a checkout, with what it downloads to build; return what it prints."""
    command = f"import subprocess, sys; subprocess.run([sys.executable, '-m', 'pip', *{arguments}, "
    done = run(command + "'-q', '--no-deps', '.'], check=True)", source, python, **environment)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if "is ignored: it is neither" not in line]  # of a configuration with local indexes


def test_pip_is_as_quiet_without_a_compiler_as_with(source, tmp_path):
    """`pip install .` prints nothing of it, whatever was built."""
    for which, environment in [("python", NO_COMPILER), ("native", {})][: effort(0, 2)]:
        assert pip(["install", "--target", str(tmp_path / which)], source, **environment) == []
        assert run(WHICH, tmp_path / which).stdout.startswith(f"{which}|")
