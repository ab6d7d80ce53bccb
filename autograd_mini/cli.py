"""The command `autograd-mini`: the arguments of its subcommands, and errors in the user's data as one sentence.

Not here: the work of the commands. Read next: the tests.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_mini import debug, symbolic
from autograd_mini.compile.languages import DERIVATIVES, LANGUAGES, SUFFIXES
from autograd_mini.drawing import DIRECTIONS, KINDS, draw
from autograd_mini.errors import ArgumentError, AutogradError, TraceError, sentences
from autograd_mini.output import files
from autograd_mini.output.streams import STANDARD_OUTPUT, abandon, complain, prepare, reason, say, write
from autograd_mini.program.owner import version
from autograd_mini.script import SharedInputError, function_called, graph_of, path_and_name
from autograd_mini.symbolic.lessons import LESSONS

if TYPE_CHECKING:
    from autograd_mini.check.foreign.answers import Source


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status.

    It is 0 for success, 1 for an error in data or environment, 2 for bad usage, 130 after Ctrl-C, and 141 if the reader
    of the output has gone. Commands that judge end with 0 for right, 1 for wrong, and 2 for any error.
    """
    prepare()
    status = _status_of(lambda: _run(list(sys.argv[1:] if arguments is None else arguments)))
    return _status_of(lambda: write(sys.stdout, "") if sys.stdout is not None else None) or status


def _status_of(work: Callable[[], int | None], failure: int = 1) -> int:
    """Do some work and return its exit status, or print its error as a sentence and return the status for it."""
    try:
        return work() or 0
    except SystemExit as end:  # from argparse
        return int(end.code or 0)
    except AutogradError as error:
        lines = [line for line in str(error).splitlines() if not line.startswith("  where:")]  # it is in here
        complain("\n".join(lines))
        return 2 if isinstance(error, SharedInputError) else failure
    except OSError as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:  # the reader has gone, as in `| head`
            abandon(sys.stdout)
            return 141
        if error.filename == STANDARD_OUTPUT:
            abandon(sys.stdout)
        if error.filename is None and isinstance(error, FileNotFoundError):  # os.getcwd() does not name the folder
            error.filename = "the current folder"
        complain(reason(error))
        return failure
    except KeyboardInterrupt:
        complain("interrupted")
        return 130


def _run(arguments: list[str]) -> int | None:
    rest: list[str] = []
    if arguments[:1] == ["draw"] and "--" in arguments:
        place = arguments.index("--")
        arguments, rest = arguments[:place], arguments[place + 1 :]
    parser = _parser()
    try:
        options, unknown = parser.parse_known_args(arguments)
    except SystemExit as end:
        if not end.code:
            write(sys.stdout, "")  # argparse says nothing when it cannot print its help
        raise
    work = _COMMANDS[options.chosen]
    if unknown:
        advice = "; the program's arguments go after --" * (work is _draw)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{advice}")
    options.arguments = getattr(options, "arguments", rest)
    judges = _check, _check_engine, _grade, _vectors  # 1 means that a number is wrong
    return _status_of(lambda: work(options), 2 if work in judges else 1)


# -- arguments ---------------------------------------------------------------------------------------------------------


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number in a range."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if number < 0:
            raise argparse.ArgumentTypeError(f"{number} is negative")
        if not least <= number <= (most or number):
            raise argparse.ArgumentTypeError(f"{number} is not {f'between {least} and {most}' if most else 'positive'}")
        return number

    return parse


def _svg(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() != ".svg" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of an .svg file in a folder that exists")
    return path


# What several commands take.
_AT: dict[str, Any] = {"type": _whole(1), "metavar": "N", "help": "stop at the N-th call of backward() only"}
_MODULE: dict[str, Any] = {"action": "store_true", "help": "the program is a module, as for python -m"}
_PICTURE: dict[str, Any] = {"type": Path, "metavar": "FILE", "help": "the picture (default: %(default)s)"}
_REST: dict[str, Any] = {"nargs": argparse.REMAINDER, "metavar": "...", "help": "the program's arguments"}
_SLIDES = "write slides for a class instead, one per step; a .pdf file always has slides"


def _parser() -> argparse.ArgumentParser:
    about = "Scalar automatic differentiation that you can see through."
    parser = argparse.ArgumentParser(prog="autograd-mini", description=about)
    parser.add_argument("--version", action="version", version=f"%(prog)s {version()}")
    commands = parser.add_subparsers(title="commands", required=True, dest="chosen", metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="train a softmax classifier and check its derivatives against the closed forms",
        description="Train a softmax classifier, built from primitive operations, on the iris flowers or on your own "
        "CSV file. Show for one sample that the derivatives that fall out are a - t and a_i(δ_ij - a_j), and draw "
        "the graph of its loss.",
    )
    demo.add_argument("--data", type=Path, metavar="FILE.csv", help="your own data: numeric columns, label last")
    demo.add_argument("--steps", type=_whole(1), default=400, metavar="N", help="training steps (default: 400)")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the split and the weights (default: 0)")
    demo.add_argument("-o", "--output", default=Path("loss.svg"), **_PICTURE)

    prove = commands.add_parser(
        "prove",
        help="prove a well-known derivative, step by step",
        description="Prove a well-known derivative for all inputs: the composition from primitive operations, the "
        "chain rule backwards through it, the closed form that it collapses to. Without a name, list all names. "
        "The exit status is 0 if the closed form is proved.",
    )
    prove.add_argument("name", nargs="?", choices=LESSONS, metavar="NAME", help="the derivative to prove")
    logits = "how many logits, 2 to 12 (default: 3)"  # longer proofs work but are unreadable
    prove.add_argument("--classes", type=_whole(2, 12), default=3, metavar="N", help=logits)

    picture = commands.add_parser(
        "draw",
        help="run a program and draw its graph",
        description="Run a Python program and draw the graph behind the value on which it last called backward(), or "
        "behind a global variable. Graphs of more than 150 nodes are drawn by scopes, such as neurons and layers.",
        usage="%(prog)s [options] [-m] SCRIPT.py[:NAME] [options] [-- ARGUMENTS OF THE PROGRAM]",
    )
    picture.add_argument("-m", dest="module", **_MODULE)
    picture.add_argument("program", metavar="SCRIPT.py[:NAME]", help="the program, and the variable to draw")
    picture.add_argument("-o", "--output", default=Path("graph.svg"), **_PICTURE)
    picture.add_argument("--depth", type=_whole(0), metavar="N", help="the number of levels of scopes to show open")
    picture.add_argument("--focus", metavar="SCOPE", help='the scope to draw, such as "Layer1/Neuron3"')
    picture.add_argument("--title", metavar="TEXT", help="the text above the picture")
    picture.add_argument("--direction", choices=DIRECTIONS, help="direction of the arrows (default: what fits a page)")

    engine = commands.add_parser(
        "check-engine",
        help="judge the Value class of your own engine, and name its mistake",
        description="Build small graphs with a Value class of your own, compare its numbers and gradients, and name "
        "the mistake with the smallest graph that shows it. The class runs in a process of its own, with your rights. "
        "The exit status is 0 if it is right, 1 if it is wrong, and 2 if the command cannot tell.",
    )
    engine.add_argument("target", metavar="FILE.py:CLASS", help="the class; or MODULE:CLASS")
    engine.add_argument("-o", "--output", type=_svg, metavar="FILE.svg", help="draw the smallest graph that went wrong")
    engine.add_argument("--seconds", type=_whole(1), default=60, metavar="N", help="stop it after N s (default: 60)")

    debug = commands.add_parser(
        "debug",
        help="run a program and step through its backward(), forwards and backwards in time",
        description="Run a Python program. Stop whenever it calls backward(), and go through the chain rule step by "
        "step, on the lines of the program. The commands are pdb's; help lists them. They come from standard input. At "
        "a terminal the program can read it too, in turns; if it is a pipe, the program needs --input. If the commands "
        "end before the program does, the exit status is 1; after q it is 0.",
    )
    debug.add_argument("--at", **_AT)
    page = "write an HTML page that steps through it instead of taking commands here"
    debug.add_argument("--page", type=Path, metavar="FILE.html", help=page)
    debug.add_argument("--slides", action="store_true", help=_SLIDES)
    debug.add_argument("--quiz", action="store_true", help="ask for each contribution before it is shown")
    source = "the program's standard input; with -, the program gets what is piped in, and you type the commands"
    debug.add_argument("--input", metavar="FILE", help=source)
    debug.add_argument("-m", dest="module", **_MODULE)
    program = "the program, and the variable to differentiate"
    debug.add_argument("program", metavar="SCRIPT.py[:NAME]", help=program)
    debug.add_argument("arguments", **_REST)

    flight = commands.add_parser("flight", help="open the record of a training run, even if it was killed")
    flight.add_argument("file", type=Path, metavar="FILE", help="what am.record(model, path=FILE) wrote")
    flight.add_argument("-o", "--output", type=Path, metavar="FILE.html", help="write a page of it instead of a table")

    lesson = commands.add_parser(
        "lesson",
        help="write a page that answers a question about backpropagation, step by step",
        description="Write a lesson: a short program, its backward() step by step, and text beside the steps; as a "
        "page, or as slides for a class. Without a name, list all lessons.",
    )
    lesson.add_argument("name", nargs="?", metavar="NAME", help="the lesson")
    lesson.add_argument("-o", "--output", type=Path, metavar="FILE", help="a page or a .pdf (default: NAME.html)")
    lesson.add_argument("--slides", action="store_true", help=_SLIDES)

    vectors = commands.add_parser(
        "vectors",
        help="write inputs that expose mistakes, with the right answers, as data or as a test in Java, C or JavaScript",
        description="Write test vectors of functions of this package: inputs in the tails, at kinks and ties, with the "
        "right values and derivatives; or a test in your language, in which you call your own functions.",
    )
    vectors.add_argument("tasks", nargs="+", metavar="TASK", help="a function, such as tanh, softmax, cross_entropy")
    languages = ("json", "csv", "java", "c", "js", "python")
    vectors.add_argument("--format", default="csv", choices=languages, help="data, or a test (default: csv)")
    vectors.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file (default: standard output)")

    check = commands.add_parser(
        "check",
        help="judge what your own code in any language computes, and name the mistake",
        description="Judge values and derivatives that your own program has computed, and name the mistake; or, with a "
        "script that does the same computation with Values, find the first intermediate number that is wrong. The exit "
        "status is 0 if all is right, 1 if something is wrong, 2 if it cannot tell.",
    )
    what = "a function, such as softmax; or your script with the same computation, and the variable to differentiate"
    check.add_argument("task", metavar="TASK|SCRIPT.py[:NAME]", help=what)
    numbers = check.add_mutually_exclusive_group(required=True)
    numbers.add_argument("--csv", metavar="FILE", help="numbers that your program printed; -: standard input")
    run = 'your program, such as "java Main": it reads one input per line and answers each with one line'
    numbers.add_argument("--run", dest="command", metavar="COMMAND", help=run)
    check.add_argument("--seconds", type=_whole(1), default=10, metavar="N", help="its time limit (default: 10)")
    check.add_argument("--trace", action="store_true", help="the program prints lines: name value gradient")
    page = "write the page that steps through the computation, open at the first number that is wrong"
    check.add_argument("--debug", type=Path, nargs="?", const=Path("backprop.html"), metavar="FILE.html", help=page)

    emitter = commands.add_parser(
        "emit",
        help="write a function of yours and its derivatives as source code in Java, C, JavaScript or Python",
        description="Write the value and the derivatives of a function as source code that depends on nothing, with "
        "the names and expressions of the function, and loops for its lists. The program runs once.",
        epilog="Example: autograd-mini emit loss.py:loss --example '[0.0, 0.0, 0.0]' 1.0 -o Loss.java",
    )
    emitter.add_argument("function", metavar="SCRIPT.py:FUNCTION", help="the function")
    example = "an argument such as '[0.0, 0.0]' for each parameter; only the structure matters (default: numbers)"
    emitter.add_argument("--example", nargs="+", metavar="ARGUMENT", help=example)
    emitter.add_argument("--language", choices=LANGUAGES, help="default: by the ending of the file, else python")
    emitter.add_argument("--derivative", choices=DERIVATIVES, default="gradient", help="default: value and gradient")
    emitter.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file (default: standard output)")
    emitter.add_argument("--test", action="store_true", help="write a test in the same language beside the file")

    grade = commands.add_parser(
        "grade",
        help="grade a folder of submissions, and group them by mistake",
        description="Grade submissions: each file or folder in FOLDER runs on a copy, in processes of its own, with "
        "limits of time, memory and output. This is not a sandbox: grade only code that you would run. The exit status "
        "is 0 if all have all points, 1 if points are missing, and 2 if nothing could be graded.",
    )
    grade.add_argument("folder", type=Path, metavar="FOLDER", help="the submissions: files, or one folder for each")
    tasks = "a function such as tanh, engine, or a file that lists several: see the README of autograd_mini/check"
    grade.add_argument("--task", required=True, metavar="TASK|TASKS.toml", help=tasks)
    forms = ("text", "json", "csv", "gradescope", "prairielearn")
    grade.add_argument("--format", default="text", choices=forms, help="of the grades (default: text)")
    grade.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="where to write them, with pictures")

    dap = commands.add_parser(
        "dap",
        help="step through backprop in an editor (VS Code, Neovim, Emacs, Helix)",
        description="Speak the Debug Adapter Protocol with an editor that starts this command, over standard input and "
        "output, or on a port of this machine. With --port you can name a program for editors to attach to.",
        epilog="On a port, launch and attach need the printed token, because any user of this machine can connect. "
        "Set AUTOGRAD_MINI_DAP_TOKEN to choose the token; then it is not printed. A launch configuration takes "
        '"program", "args", "cwd", "env", "python", "at", "stopOnEntry" and "console". With "console": '
        '"integratedTerminal" or "externalTerminal" the program can read input.',
    )
    dap.add_argument("--port", type=_whole(0), metavar="N", help="listen on 127.0.0.1 (0: on any free port)")
    dap.add_argument("--at", **_AT)
    dap.add_argument("--install-vscode", action="store_true", help="install the VS Code extension and exit")
    dap.add_argument("--extensions-dir", type=Path, metavar="DIR", help="where to install (default: each editor found)")
    dap.add_argument("program", nargs="?", metavar="SCRIPT.py[:NAME]", help="with --port: what editors attach to")
    dap.add_argument("arguments", **_REST)

    commands.add_parser(
        "doctor",
        help="say what is installed, what is fast and what is missing; for bug reports",
        description="Print the versions of this package and of what it uses, whether the compiled engine is used and "
        "if not, why, and what is missing. Copy the text into a bug report.",
    )
    return parser


# -- commands ----------------------------------------------------------------------------------------------------------


def _picture(path: Path) -> Path:
    """Check before the work begins that the picture can be saved at a path, and return it."""
    if not path.parent.is_dir():
        raise ArgumentError(f"There is no folder {str(path.parent)!r}.", "Create it, or choose another with -o.")
    if path.suffix.lower() not in KINDS:
        raise ArgumentError(f"No picture can be saved as {str(path)!r}.", f"End the name in {', '.join(KINDS)}.")
    return path


def _demo(options: argparse.Namespace) -> None:
    from autograd_mini.demo import data, job

    output = _picture(options.output)
    samples = data.iris() if options.data is None else data.read_csv(options.data)
    job.run(samples, str(options.data or "iris"), options.steps, options.seed, output, say)


def _prove(options: argparse.Namespace) -> int:
    if options.name is None:
        width = max(map(len, LESSONS))
        say("\n".join(f"{name:{width}}  {lesson.about}" for name, lesson in LESSONS.items()))
        return 0
    text, proved = symbolic.explain_proof(options.name, options.classes)
    say(text)
    return 0 if proved else 1


def _check_engine(options: argparse.Namespace) -> int:
    from autograd_mini.check.foreign.child import examined
    from autograd_mini.check.foreign.programs import Limits
    from autograd_mini.check.verdicts import on_screen

    result = examined(options.target, Limits(options.seconds))
    say(on_screen(result.text))
    if options.output is not None and result.svg:
        files.write(options.output, result.svg)
        say(str(options.output))
    return result.verdict.status


def _draw(options: argparse.Namespace) -> None:
    output = _picture(options.output).absolute()  # the program may change the directory
    root = graph_of(options.program, options.arguments, options.module)
    drawing = draw(root, depth=options.depth, focus=options.focus, title=options.title, direction=options.direction)
    say(f"{repr(drawing)[8:-1]}: {drawing.save(output)}")


def _debug(options: argparse.Namespace) -> None:
    from autograd_mini.debug import pages, terminal
    from autograd_mini.debug.terminal import Turns

    if options.page is not None:
        with Turns(options.input, commands=False).program():
            written = pages.page_of_program(
                options.program, options.arguments, options.page, options.at or 1, options.module, options.quiz,
                options.slides,
            )  # fmt: skip
        say(str(written))
    elif options.slides:
        raise ArgumentError("--slides needs a file.", "Name it: --page deck.html --slides, or --page deck.pdf.")
    else:
        terminal.debug(options.program, options.arguments, options.at, options.module, options.input, options.quiz)


def _flight(options: argparse.Namespace) -> None:
    flight = debug.Flight.load(options.file)
    say(str(flight if options.output is None else flight.page(options.output)))


def _lesson(options: argparse.Namespace) -> None:
    from autograd_mini.debug.lessons import all_lessons, lesson_named

    say(all_lessons() if options.name is None else str(lesson_named(options.name).save(options.output, options.slides)))


def _vectors(options: argparse.Namespace) -> None:
    from autograd_mini.check.foreign import vectors
    from autograd_mini.check.tasks import task_named

    text = vectors.written([task_named(name) for name in options.tasks], options.format, str(options.output or ""))
    if options.output is None:
        write(sys.stdout, text)
    else:
        say(str(files.write(options.output, text)))


def _check(options: argparse.Namespace) -> int:
    from autograd_mini.check import verdicts
    from autograd_mini.check.foreign import alignment, answers
    from autograd_mini.check.foreign.programs import Limits
    from autograd_mini.check.tasks import task_named

    try:
        source = answers.Source(options.csv, _words(options.command or ""), Limits(options.seconds))
        if options.trace or alignment.is_script(options.task):
            return _check_trace(options, source)
        found = source.answers(task_named(options.task))
    except AutogradError as error:
        complain(sentences(error))
        return verdicts.UNKNOWN
    say(str(found))
    return found.status


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ArgumentError(f"{command} cannot be a command: {error}.") from None


def _check_trace(options: argparse.Namespace, source: Source) -> int:
    from autograd_mini.check.foreign.alignment import check_trace
    from autograd_mini.debug.pages import checked_path

    target = None if options.debug is None else checked_path(options.debug).absolute()
    found = check_trace(options.task, source.text())
    say(str(found))
    if target is not None and found.node is not None:
        trace = debug.Trace(found.root, 1.0, found.spaces)
        journal = trace.journal
        trace.seek(journal.arrivals(found.node)[-1] if found.backward else journal.numbers[found.node])
        say(f"Step through it: {debug.page(trace, target)}")
    return found.status


def _emit(options: argparse.Namespace) -> int:
    from autograd_mini.compile.languages.emitted import emit_example

    if options.test and options.output is None:
        raise ArgumentError("--test writes a second file beside the first one.", "Name the first one with -o.")
    language = options.language or SUFFIXES.get(options.output.suffix if options.output else "", "python")
    f, name = function_called(options.function)
    try:
        code = emit_example(f, options.example, language, options.derivative, name, options.test)
    except TraceError as error:
        complain(str(error))  # with the line of the function
        return 1
    if options.output is None:
        write(sys.stdout, str(code))
    else:
        say(str(code.save(options.output)))
    return 0


def _grade(options: argparse.Namespace) -> int:
    from autograd_mini.check import grading

    tasks, limits = grading.assignments(options.task)
    grades = grading.grade(options.folder, tasks, limits, pictures=options.output is not None)
    if options.output is None:
        say(grading.written(grades, options.format))
    else:
        say("\n".join(map(str, grading.save(grades, options.format, options.output))))
    return 0 if all(entry.points == entry.most for entry in grades) else 1


def _dap(options: argparse.Namespace) -> None:
    from autograd_mini.debug.dap import serve_port, serve_streams
    from autograd_mini.debug.dap.install import install

    if options.install_vscode:
        for folder in install(options.extensions_dir):
            print(f"installed: {folder}")
        print('Restart the editor; open a Python file, press F5, choose "Step through backprop".')
        return
    given = {} if options.at is None else {"at": options.at}
    if options.program:
        if options.port is None:
            raise ArgumentError("Without --port, the editor names the program.", "Add --port N to name it here.")
        path_and_name(options.program)
        given |= {"program": str(Path(options.program).absolute()), "args": options.arguments}
    if options.port is not None:
        serve_port(options.port, given)
    else:
        serve_streams(given)


def _doctor(options: argparse.Namespace) -> None:
    from autograd_mini.doctor import report

    say(report())


_COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "demo": _demo, "prove": _prove, "draw": _draw, "check-engine": _check_engine, "debug": _debug, "flight": _flight,
    "lesson": _lesson, "vectors": _vectors, "check": _check, "emit": _emit, "grade": _grade, "dap": _dap,
    "doctor": _doctor,
}  # fmt: skip
