"""The page below a cell, in JupyterLab and in marimo, in a browser, where both are installed.

They are large, so the tests do not need them: `pip install jupyterlab marimo` adds these tests; CI does it. With
AUTOGRAD_MINI_SCREENSHOTS, a folder, pictures stay there to look at. Colab was not tried.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

pytestmark = [pytest.mark.peer("jupyterlab"), pytest.mark.peer("marimo")]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START = "import autograd_mini as am\nx = am.Value(2.0)\nw, v = am.Value(0.5), am.Value(-1.0)"
CELL = "z = [w * x, v * x]\na = am.softmax(z)\nloss = -am.log(a[1])\nloss.backward()"
MARIMO = """\
import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    {start}
    return am, v, w, x


@app.cell
def _(am, v, w, x):
    with am.backprop() as shown:
        {cell}
    return (shown,)
"""
THEMES = {"light": False, "dark": True}
WIDTHS = 1400, 1700, 1000
MOST_SECONDS = 120


@contextmanager
def serving(command, folder, pattern):
    """A server that runs in a folder; the address that it prints."""
    environment = os.environ | {"HOME": str(folder), "JUPYTER_PLATFORM_DIRS": "1"}
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "XDG_CONFIG_HOME"):
        environment[name] = str(folder / "home")
    server = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        found = next(filter(None, (re.search(pattern, line) for line in server.stdout)))
        reader = threading.Thread(target=server.stdout.read, daemon=True)  # a full pipe would stop it
        reader.start()
        yield found[0]
    finally:
        server.terminate()
        server.wait(MOST_SECONDS)
        reader.join(MOST_SECONDS)
        server.stdout.close()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def visiting(chromium, address):
    context = chromium.new_context(color_scheme="null", viewport={"width": WIDTHS[0], "height": 1000})
    context.set_default_timeout(1000 * MOST_SECONDS)
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


def check(page, is_dark, cell):
    """The page steps, follows the theme and scrolls in none of its parents; its source is the cell's."""
    frame = page.locator("iframe[srcdoc]").content_frame
    frame.locator("#backward").click()
    for _ in range(2):
        frame.locator("button[data-do=next]").click()
    assert frame.locator("#count").text_content() == "step 14 of 25"
    assert frame.locator("#words").text_content().startswith("am.log(a[1]) hands −21.09 on to a[1]")
    assert frame.locator(".file h3").text_content() == cell
    assert frame.locator("mark.here").all_text_contents() == ["am.log(a[1])"]
    measured = (
        "[matchMedia('(prefers-color-scheme: dark)').matches, document.documentElement.scrollHeight <= innerHeight,"
        " document.documentElement.scrollWidth <= innerWidth, innerHeight]"
    )
    output = "(e) => { e = e.closest('.output-area, .jp-OutputArea-output'); return e.scrollHeight - e.clientHeight }"
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1000})
        end = time.monotonic() + MOST_SECONDS
        while True:  # the notebook sets the new width when it likes
            *fits, height = frame.locator("html").evaluate(f"() => {measured}")
            fits += [800 < height < 1200, page.locator("iframe[srcdoc]").evaluate(output) <= 1]
            if fits == [is_dark, True, True, True, True]:
                break
            assert time.monotonic() < end, (width, fits, height)
            time.sleep(0.1)
        if folder := os.environ.get("AUTOGRAD_MINI_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{cell}-{is_dark}-{width}.png")


@pytest.mark.parametrize("theme", THEMES)
def test_jupyterlab(tmp_path, chromium, theme):
    """`%%backprop` shows the page below the cell, at any width, in both themes."""
    sources = START.replace("\n", "\n%load_ext autograd_mini\n", 1), f"%%backprop\n{CELL}"
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for i, s in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "backprop.ipynb").write_text(json.dumps(notebook))
    settings = tmp_path / "home" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": f"JupyterLab {theme.title()}"}))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    server = ["jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root", "--IdentityProvider.token=x"]
    with (
        serving(server, tmp_path, r"http://(127\.0\.0\.1|localhost):\d+") as address,
        visiting(chromium, f"{address}/lab/tree/backprop.ipynb?token=x") as page,
    ):
        page.wait_for_selector("text=Python 3 (ipykernel)")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        check(page, THEMES[theme], "cell [2]")


@pytest.mark.parametrize("theme", THEMES)
def test_marimo(tmp_path, chromium, theme):
    """`with am.backprop():` shows the page below the cell, at any width, in both themes."""
    start, cell = START.replace("\n", "\n    "), CELL.replace("\n", "\n        ")
    (tmp_path / "backprop.py").write_text(MARIMO.format(start=start, cell=cell))
    settings = tmp_path / "home" / "marimo"
    settings.mkdir(parents=True)
    (settings / "marimo.toml").write_text(f'[display]\ntheme = "{theme}"\n[runtime]\nauto_instantiate = true\n')
    server = ["marimo", "edit", "--headless", "--no-token", "--host=127.0.0.1", "--skip-update-check", "backprop.py"]
    with (
        serving(server, tmp_path, r"http://(127\.0\.0\.1|localhost):\d+") as address,
        visiting(chromium, address) as page,
    ):
        check(page, THEMES[theme], "notebook cell")
