"""The `minivae` command: finds the subcommand, and turns every error into one sentence.

A subcommand is a file in `minivae/cli/commands/`, whose first line says what it is for. It has two
functions: `configure(parser)` defines its options, `run(options)` does the work and returns the
exit code. Only the one that is asked for is imported, so that `minivae --help` answers at once.

Exit codes: 0 done, 1 a check failed, 2 wrong input or a file that cannot be read or written, 130
interrupted by Ctrl-C, 141 the reader of the output went away, 143 ended by SIGTERM.
"""

import argparse
import difflib
import importlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from ..errors import OptionError
from ..interrupts import terminable
from .failures import said
from .voice import Voice, clean

ORDER = (
    "train sample reconstruct explore evaluate anomaly augment compare "  # noqa: SIM905
    "step read tutorials bench data check exercises".split()
)
"""The subcommands in the order of the help; one that is not named here comes last."""

ABOUT = re.compile(r'"""`minivae (?P<name>\w+)`: (?P<what>.*?)\."""')


def find_commands() -> dict[str, str]:
    """Name of each subcommand, and what it is for: the first line of each file in `commands/`."""
    found = {}
    for file in Path(__file__).with_name("commands").glob("[!_]*.py"):
        with open(file, encoding="utf-8") as lines:
            about = ABOUT.match(lines.readline())
        if about is None or about["name"] != file.stem:
            raise OptionError(
                f"{file} does not begin with its command; make its first line the docstring "
                f'"""`minivae {file.stem}`: what it is for.""".'
            )
        found[file.stem] = about["what"]
    return {
        name: found[name] for name in sorted(found, key=lambda name: [*ORDER, name].index(name))
    }


COMMANDS = find_commands()

EPILOG = """\
examples:
  minivae train                        a VAE on 5,000 digits, in less than a minute
  minivae train --latent 2             ... with a latent space that can be drawn
  minivae sample                       new digits from the newest run
  minivae evaluate --importance-samples 100
  minivae COMMAND --help               the options of a command, with examples
"""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the options are listed; exit with 2."""
        self.exit(2, f"minivae: {clean(message)}; `{self.prog} --help` lists what there is.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit code, see the module's docstring.

    Raises
    ------
    SystemExit
        After `--help` and `--version` (code 0), and for arguments that cannot be parsed (code 2).
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a letter shows "?"
    # The message is printed after the `except` clause: when the exception is gone, so is the
    # progress bar that it held on to.
    try:
        try:
            with terminable():
                return _run(argv)
        finally:
            if sys.stdout is not None:  # it is None where standard output is closed
                sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return 141
    except (KeyboardInterrupt, Exception) as error:
        known = said(error)
        if known is None:
            raise
        if isinstance(error, OSError):
            _discard_output()
        status, message = known
    print(f"minivae: {clean(message)}", file=sys.stderr)
    return status


def program() -> int:
    """Run the command as a program of its own: once it is done, Ctrl-C cuts nothing any more."""
    try:
        return main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(argv: list[str]) -> int:
    """Parse the arguments and run the subcommand."""
    parser = Parser(
        prog="minivae",
        description="A hand-written variational autoencoder to read, step through and check.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"minivae {_version()}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    chosen = argv[0] if argv else ""
    completing = "_ARGCOMPLETE" in os.environ  # the shell asks what could come next
    subparser = parser
    for name, what in COMMANDS.items():
        added = subparsers.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen or completing:
            subparser, command = added, importlib.import_module(f".commands.{name}", __package__)
            command.configure(subparser)
    if completing:
        _complete(parser)
    if not chosen:
        parser.error("a command is missing")
    if not chosen.startswith("-") and chosen not in COMMANDS:
        parser.error(f"there is no command {chosen!r}{_hint(chosen, COMMANDS)}")
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        flag = next((word for word in unknown if word.startswith("-")), unknown[0])
        name = flag.partition("=")[0]
        if not name.startswith("-"):
            subparser.error(f"there is one argument too many, {name!r}")
        subparser.error(f"there is no option {name!r}{_hint(name, _options_of(subparser))}")
    options.voice = Voice(
        quiet=getattr(options, "quiet", False), as_json=getattr(options, "json", False)
    )
    with _no_empty_folder("runs"):
        status = command.run(options)
    options.voice.end()
    return status


@contextmanager
def _no_empty_folder(name: str) -> Iterator[None]:
    """Take back a folder that was made for what then failed, if nothing is in it."""
    made = not os.path.exists(name)
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                os.rmdir(name)
        raise


def _complete(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what could come next, and end; without argcomplete, tell it nothing."""
    try:
        import argcomplete
    except ImportError:
        sys.exit(1)
    argcomplete.autocomplete(parser)


def _options_of(parser: argparse.ArgumentParser) -> list[str]:
    """Names of a parser's options, as its usage line shows them."""
    return re.findall(r"--[a-z-]+", parser.format_usage())


def _hint(word: str, known: Sequence[str]) -> str:
    """Name what the user may have meant, if something is close."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _version() -> str:
    from .. import __version__

    return __version__


def _discard_output() -> None:
    """Send what is still in standard output's buffer nowhere, or Python complains at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
