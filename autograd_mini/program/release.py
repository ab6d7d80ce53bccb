"""The version, from one source: the metadata of the installed package, or what they are made of in a checkout.

Not here: the version. Read next: `cli`, which prints it.
"""

from __future__ import annotations

from pathlib import Path


def version() -> str:
    """The version of this package; "unknown" where it is not installed and stands beside no `pyproject.toml`.

    >>> version().count(".")
    2
    """
    from importlib.metadata import PackageNotFoundError, version  # takes longer to import than it is worth elsewhere

    try:
        return version("autograd-mini")
    except PackageNotFoundError:
        import tomllib

        try:
            text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
            return str(tomllib.loads(text)["project"]["version"])
        except (OSError, KeyError, ValueError):
            return "unknown"
