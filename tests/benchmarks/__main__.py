"""`python -m tests.benchmarks [E1 E2 ...] [--repeats N]`: a table of ours beside every peer that is installed.

Quote ratios taken in one run; a bare time says more about the machine.
To add a group of workloads, write a module with WORKLOADS and LIMITS, and add it to GROUPS; figures that do not depend
on the machine come from its COUNTS, a function that gives lines to print.
"""

from __future__ import annotations

import argparse
import math
import platform

from autograd_mini import engine
from tests.benchmarks import compiled, derivatives, eager, programs
from tests.benchmarks.harness import MISSING, Figures, measure, serve

GROUPS = (eager, programs, derivatives, compiled)
ROW = "{:13} {:22} {:>10} {:>10} {:9} {:>9} {:>12}"


def main() -> None:
    workloads = {workload.name: workload for group in GROUPS for workload in group.WORKLOADS}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="E1", help="which workloads; all of them by default")
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="how often each is timed (10)")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, peer = arguments.child
        return serve(workloads[name], peer)
    known = sorted({name.split()[0] for name in workloads})
    if unknown := set(arguments.names) - set(known):
        parser.error(f"there is no workload {min(unknown)}; choose from {', '.join(known)}")

    print(f"Python {platform.python_version()}, {arguments.repeats} repeats in turns, collector as Python has it")
    print(f'the engine of "ours": {engine.implementation}\n')
    print(ROW.format("workload", "peer", "min", "median", "", "/ ours", "bytes a node"))
    figures: Figures = {}
    for name, workload in workloads.items():
        if arguments.names and name.split()[0] not in arguments.names:
            continue
        unit = "ns a node" if workload.nodes else "ms a step"
        for peer, measured in measure(workload, arguments.repeats).items():
            if measured is None:
                print(ROW.format(name, peer, MISSING, "", "", "", ""))
                continue
            figures[name, peer] = measured
            ratio = measured.best / figures[name, workload.peers[0]].best
            peak = "-" if math.isnan(measured.peak) else f"{measured.peak:,.0f}"
            times = f"{measured.best:,.2f}", f"{measured.median:,.2f}"
            print(ROW.format(name, peer, *times, unit, f"{ratio:.3f}", peak), flush=True)

    print(f"\n{'limit':36} {'measured':>10} {'must':>10} {'aim':>10}")
    for limit in [limit for group in GROUPS for limit in group.LIMITS]:
        try:
            measured = limit.figure(figures)
        except KeyError:  # left out, or a peer is not installed
            continue
        verdict = "missed" if measured > limit.must else "reached" if measured > limit.aim else "aim reached"
        print(f"{limit.title:36} {_shown(measured):>10} {_shown(limit.must):>10} {_shown(limit.aim):>10}  {verdict}")
    for group in GROUPS:
        if hasattr(group, "COUNTS") and any(
            workload.name == name for workload in group.WORKLOADS for name, _ in figures
        ):
            print("", *group.COUNTS(), sep="\n")
    return None


def _shown(figure: float) -> str:
    return f"1 / {1 / figure:.1f}" if figure < 0.5 else f"{figure:,.2f}" if figure < 10 else f"{figure:,.0f}"


if __name__ == "__main__":
    main()
