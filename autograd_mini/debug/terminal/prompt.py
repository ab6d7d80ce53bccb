"""A prompt: reads lines, finds the command that each one means, helps, completes; colours, and a history of its own.

Through a pipe there is no prompt, no colour and no history. Not here: what the commands do (that is `commands`).
Read next: `debug.terminal.turns`.
"""

from __future__ import annotations

import cmd
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

from autograd_mini.debug.wording import Paint, plain, printable
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown
from autograd_mini.output.streams import reason, wrapped, write

_COLOURS = {"header": "1", "mark": "1;36", "result": "32", "faint": "2", "error": "31"}
_REMEMBERED = 1000  # lines of the history


class Command(NamedTuple):
    """A command, its short names, and what may follow it; a row such as "break b: place" says all three."""

    name: str
    shorts: list[str]
    follows: str

    @classmethod
    def read(cls, row: str) -> Command:
        """The command of a row."""
        names, _, follows = row.partition(":")
        name, *shorts = names.split()
        return cls(name, shorts, follows.strip())


class Prompt(cmd.Cmd):
    """Does what lines say: each command of the table is a method `do_…`, whose docstring is its help."""

    table: ClassVar[Mapping[str, str]] = {}  # rows with commas between them, by what the commands are for

    def __init__(
        self, commands: Sequence[str] = (), stdin: IO[str] | None = None, stdout: IO[str] | None = None
    ) -> None:
        super().__init__("tab", stdin, stdout)
        if self.stdin is None:
            raise ArgumentError("Standard input is closed, and commands are read from there.")
        self.use_rawinput = self.stdin.isatty() and self.stdout is not None and self.stdout.isatty()
        self.prompt = "(backprop) " if self.use_rawinput else ""
        self.cmdqueue = list(commands)
        self.paint = painter(self.stdout)
        self.quits = self.ran_out = False
        self.topics = {topic: [Command.read(row) for row in rows.split(",")] for topic, rows in self.table.items()}
        self.commands = {command.name: command for commands in self.topics.values() for command in commands}

    @property
    def columns(self) -> int:
        """The width of the screen; 0 where there is none."""
        return shutil.get_terminal_size().columns if self.use_rawinput else 0

    def say(self, *lines: str) -> None:
        """Print lines, broken between words on a screen."""
        write(self.stdout, "".join(f"{part}\n" for line in lines for part in wrapped(line, self.columns)))

    def converse(self) -> bool:
        """Do what is read until a command ends it; whether the program is to go on."""
        self.quits = False
        with line_editing() if self.use_rawinput else nullcontext():
            while True:
                try:
                    self.cmdloop()
                    return not self.quits
                except KeyboardInterrupt:
                    if not self.prompt:
                        raise
                    self.say("")  # another prompt
                except UnicodeDecodeError as error:
                    self._complain(f"this cannot be read as text: {error}")

    # -- a line --------------------------------------------------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Do what a line says; an error never ends the session."""
        line, _, more = line.partition(";;")
        if more:
            self.cmdqueue.insert(0, more.strip())
        try:
            return bool(super().onecmd(line))
        except KeyboardInterrupt:
            self._complain("interrupted")
        except BrokenPipeError:
            raise
        except AutogradError as error:
            self._complain(sentences(error))
        except OSError as error:
            self._complain(reason(error))
        except Exception as error:  # the user's place in time is worth more than a clean end
            self._complain(f"{type(error).__name__}: {error}")
        return False

    def parseline(self, line: str) -> tuple[str | None, str | None, str]:
        """The command, spelled out, and the rest; a line such as `x.grad` is an expression and has no command."""
        line = line.strip()
        if re.match(r"\w+[.\[#(]", line):
            return None, None, line
        word, rest, line = super().parseline(line)
        return self._command(word) if word else word, rest, line

    def _command(self, word: str) -> str:
        """The command that has this name or short name, or is the only one that begins so; else the word itself."""
        begun = self.beginning(word)
        known = [command.name for command in self.commands.values() if word in (command.name, *command.shorts)] or begun
        return known[0] if len(known) == 1 else word

    def beginning(self, word: str) -> list[str]:
        """The commands that begin with a word."""
        return [name for name in self.commands if name.startswith(word)]

    def _complain(self, text: str) -> None:
        self.say(self.paint("error", f"*** {printable(text)}"))

    def do_quit(self, _: str) -> bool:
        """End the session, and under `autograd-mini debug` the program; what called loss.debug() goes on."""
        self.quits = True
        return True

    def do_EOF(self, _: str) -> bool:
        """End the session, at the end of what there is to read."""
        if self.prompt:
            self.say("")
        else:
            self.ran_out = True
        return self.do_quit("")

    # -- help and completion -------------------------------------------------------------------------------------------

    def do_help(self, text: str) -> None:
        """List the commands; help break says more about break."""
        if text:
            command = self.commands.get(self._command(text))
            if command is None:
                raise ArgumentError(f"There is no command {shown(text)}.")
            names = f"{command.name} ({', '.join(command.shorts)})" if command.shorts else command.name
            first, *rest = self._help(command).rstrip().splitlines()
            self.say(self.paint("header", names), f"   {first}", *[f"   {line[8:]}".rstrip() for line in rest])
            return
        for topic, commands in self.topics.items():
            self.say(self.paint("header", topic))
            for command in commands:
                about = re.split("[:;.]", self._help(command))[0]  # without the examples
                line = f"  {command.name:9} {''.join(command.shorts[:1]):2}  {about}"
                self.say(*wrapped(line, self.columns, below=16))
        self.say(
            "A stop shows what has just happened. An empty line repeats the last command. Commands can be shortened; "
            "anything else is an expression."
        )

    def _help(self, command: Command) -> str:
        return getattr(self, f"do_{command.name}").__doc__ or ""

    def completenames(self, text: str, *_: Any) -> list[str]:
        """The commands that begin with a text, as `cmd` completes them."""
        return [f"{name} " for name in self.beginning(text)]


# -- a terminal --------------------------------------------------------------------------------------------------------


def painter(output: IO[str] | None) -> Paint:
    """Colours where they are seen and welcome: on a terminal, without NO_COLOR in the environment."""
    if output is None or not output.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return plain
    return lambda role, text: f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if text else text


def history_file() -> Path:
    """Where the history is kept: in the folder that the XDG specification has for state."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autograd-mini" / "history"


@contextmanager
def line_editing() -> Iterator[None]:
    """Give a debugger the keyboard: its own history and completion; those of the program come back afterwards."""
    try:
        import readline
    except ImportError:  # as on Windows: the terminal edits lines by itself
        yield
        return
    delimiters = readline.get_completer_delims()
    former = [readline.get_history_item(place) for place in range(1, readline.get_current_history_length() + 1)]
    readline.clear_history()
    readline.set_completer_delims(" \t\n,;(")  # a node may be called mul#7, a scope Layer0/Neuron1
    if "libedit" in (readline.__doc__ or ""):  # which has its own language for keys
        readline.parse_and_bind("bind ^I rl_complete")
    # Without a history that can be read or written, the session works all the same.
    with suppress(OSError, RuntimeError):
        readline.read_history_file(history_file())
    try:
        yield
    finally:
        with suppress(OSError, RuntimeError):
            history_file().parent.mkdir(parents=True, exist_ok=True)
            readline.set_history_length(_REMEMBERED)
            readline.write_history_file(history_file())
        readline.clear_history()
        for line in former:
            readline.add_history(line)
        readline.set_completer_delims(delimiters)
