"""How long the package is: `python -m tests.sizes` prints the lines of each module and room, and their budgets.

Lines are those of the files, with docstrings, comments and blank lines. Generated stubs and JavaScript do not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "autograd_mini"
LONGEST = 500  # no module may be longer
EVENING = (
    "core.table",
    "core.node",
    "core.cell",
    "core.sweep",
    "engine",
    "functions",
)  # the reading that README recommends
EVENING_LINES = 2_500


class Budget(NamedTuple):
    """For rooms that share one: what they may have today, so that a test notices growth, and the aim of the design."""

    today: int
    aim: int | None


BUDGETS = {
    "core": Budget(3_595, 1_900),
    "engine": Budget(270, 350),
    "functions": Budget(840, 850),
    "transforms": Budget(1_347, 900),
    "program watch": Budget(1_472, 900),
    "notation": Budget(1_220, 500),
    "symbolic": Budget(1_650, 1_450),
    "explanation": Budget(1_405, 1_150),
    "compile": Budget(5_605, 3_500),
    "drawing": Budget(3_025, 1_700),
    "check": Budget(5_540, 1_800),
    "debug": Budget(11_560, 5_300),
    "nn optim micrograd demo doctor cli": Budget(2_840, 1_200),
    "errors output script __init__ __main__": Budget(600, None),
}
PACKAGE_AIM = 15_500


def lines() -> dict[str, int]:
    """The number of lines of each module; a folder's `__init__` stands under the name of the folder."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = len(path.read_text(encoding="utf-8").splitlines())
    return found


def total(names: list[str] | tuple[str, ...]) -> int:
    """The lines of these rooms and modules together."""
    return sum(count for module, count in lines().items() if any(f"{module}.".startswith(f"{n}.") for n in names))


def table() -> str:
    """One row per module, then one per budget; `over` marks those that are too long."""
    modules = lines()
    rows = [f"{'':46}{'lines':>7}{'today':>8}{'aim':>8}"]
    for names, budget in BUDGETS.items():
        rooms = names.split()
        for module, count in modules.items():
            if module.partition(".")[0] in rooms:
                rows.append(f"  {module:<44}{count:>7,}{'  over' if count > LONGEST else ''}")
        rows.append(_sum(", ".join(rooms), total(rooms), *budget))
    rows.append(_sum("the package", sum(modules.values()), sum(b.today for b in BUDGETS.values()), PACKAGE_AIM))
    rows.append(_sum("an evening's reading", total(EVENING), EVENING_LINES, None))
    return "\n".join(rows)


def _sum(name: str, count: int, today: int, aim: int | None) -> str:
    mark = "  over" if count > min(today, aim or today) else ""
    return f"= {name:<44}{count:>7,}{today:>8,}{f'{aim:,}' if aim else '':>8}{mark}"


if __name__ == "__main__":
    print(table())
