"""A prompt: it reads lines, finds their commands, helps and completes, with colours and a history of its own.

A pipe gets no prompt, no colour and no history. Not here: the commands themselves (`commands`).
Read next: `debug.pages`.
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

from autograd_mini.debug.wording import Paint, plain
from autograd_mini.errors import ArgumentError, AutogradError, sentences, shown
from autograd_mini.output.streams import printable, reason, wrapped, write

_COLOURS = {"header": "1", "mark": "1;36", "result": "32", "faint": "2", "error": "31"}
_REMEMBERED = 1000  # lines of the history


class Command(NamedTuple):
    """A command, its short names, and what may follow it; a row such as "break b: place" gives all three."""

    name: str
    shorts: list[str]
    follows: str

    @classmethod
    def read(cls, row: str) -> Command:
        """Return the command of a row."""
        names, _, follows = row.partition(":")
        name, *shorts = names.split()
        return cls(name, shorts, follows.strip())


class Prompt(cmd.Cmd):
    """Runs commands from lines; each command of the table is a method `do_…`, whose docstring is its help."""

    table: ClassVar[Mapping[str, str]] = {}  # rows separated by commas, by the purpose of the commands

    def __init__(
        self, commands: Sequence[str] = (), stdin: IO[str] | None = None, stdout: IO[str] | None = None
    ) -> None:
        super().__init__("tab", stdin, stdout)
        if self.stdin is None:
            raise ArgumentError("Standard input is closed, but commands come from there.")
        self.use_rawinput = self.stdin.isatty() and self.stdout is not None and self.stdout.isatty()
        self.prompt = "(backprop) " if self.use_rawinput else ""
        self.cmdqueue = list(commands)
        self.paint = painter(self.stdout)
        self.quits = self.ran_out = False
        self.topics = {topic: [Command.read(row) for row in rows.split(",")] for topic, rows in self.table.items()}
        self.commands = {command.name: command for commands in self.topics.values() for command in commands}

    @property
    def columns(self) -> int:
        """The width of the screen; 0 if there is none."""
        return shutil.get_terminal_size().columns if self.use_rawinput else 0

    def say(self, *lines: str) -> None:
        """Print lines, wrapped between words on a screen."""
        write(self.stdout, "".join(f"{part}\n" for line in lines for part in wrapped(line, self.columns)))

    def converse(self) -> bool:
        """Run commands until one ends the session; return True if the program should continue."""
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
        """Run the command of a line; an error never ends the session."""
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
        except Exception as error:  # keeping the user's place in time matters more than a clean end
            self._complain(f"{type(error).__name__}: {error}")
        return False

    def parseline(self, line: str) -> tuple[str | None, str | None, str]:
        """Return the command in full and the rest; a line such as `x.grad` is an expression without a command."""
        line = line.strip()
        if re.match(r"\w+[.\[#(]", line):
            return None, None, line
        word, rest, line = super().parseline(line)
        return self._command(word) if word else word, rest, line

    def _command(self, word: str) -> str:
        """Return the command with this name, short name or unique beginning; else the word itself."""
        begun = self.beginning(word)
        known = [command.name for command in self.commands.values() if word in (command.name, *command.shorts)] or begun
        return known[0] if len(known) == 1 else word

    def beginning(self, word: str) -> list[str]:
        """Return the commands that begin with a word."""
        return [name for name in self.commands if name.startswith(word)]

    def _complain(self, text: str) -> None:
        self.say(self.paint("error", f"*** {printable(text)}"))

    def do_quit(self, _: str) -> bool:
        """End the session, and under `autograd-mini debug` the program; after loss.debug() the program continues."""
        self.quits = True
        return True

    def do_EOF(self, _: str) -> bool:
        """End the session at the end of the input."""
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
        """Complete the commands that begin with a text."""
        return [f"{name} " for name in self.beginning(text)]


# -- a terminal --------------------------------------------------------------------------------------------------------


def painter(output: IO[str] | None) -> Paint:
    """Return colours if they are visible and wanted: on a terminal, without NO_COLOR in the environment."""
    if output is None or not output.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return plain
    return lambda role, text: f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if text else text


def history_file() -> Path:
    """Return the file of the history, in the folder that the XDG specification has for state."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autograd-mini" / "history"


@contextmanager
def line_editing() -> Iterator[None]:
    """Give the keyboard to a debugger, with its own history and completion, and restore the program's afterwards."""
    try:
        import readline
    except ImportError:  # on Windows the terminal itself edits lines
        yield
        return
    delimiters = readline.get_completer_delims()
    former = [readline.get_history_item(place) for place in range(1, readline.get_current_history_length() + 1)]
    readline.clear_history()
    readline.set_completer_delims(" \t\n,;(")  # a node may be called mul#7, a scope Layer0/Neuron1
    if "libedit" in (readline.__doc__ or ""):  # libedit has its own syntax for keys
        readline.parse_and_bind("bind ^I rl_complete")
    # The session works even if the history cannot be read or written.
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
