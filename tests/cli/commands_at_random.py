"""Commands made at random of what the parsers know: `python tests/cli/commands_at_random.py 2000`.

Each has a subcommand, some of its options, and values that are sensible, absurd or hostile.
"""

import argparse
import contextlib
import importlib
import io
import os
import random
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from minivae.cli.main import COMMANDS, main
from minivae.engine import backend

SENSIBLE = """
0 1 2 3 -1 -7 1.5 nan inf -inf 1e30 1e400 99999999999999999999 0x10 1_000 True None digits8 run
run/checkpoint.npz rows.csv rows.npz text a.png out.png out.npz out.csv folder no/such /dev/null .
relu gaussian bernoulli vae gan numpy cuda auto label x constant -- = a=b 0,1 1:2
"""
VALUES = [*SENSIBLE.split(), "", " ", "a\x1b[31mb", "a\nb", "\u202eabc", "'; rm -rf", "é"]
"""What is written where an option wants a value."""

SECONDS = 1.0
"""How long a command may take; a training that goes on is interrupted, as by Ctrl-C."""

CODES = {0, 1, 2, 3, 4, 130, 143}
"""Exit codes that are documented; 130 and 143 are those of an interrupted command."""


def prepare(folder):
    """A folder with a run, tables and files to name, in which the commands work."""
    os.chdir(folder)
    rng = np.random.default_rng(0)
    x = rng.random((40, 4))
    np.savez("rows.npz", x=x, y=np.arange(40) % 2)
    lines = [",".join(map(str, row)) + f",{'ab'[i % 2]}" for i, row in enumerate(x.round(3))]
    Path("rows.csv").write_text("\n".join(["p,q,r,s,label", *lines]) + "\n")
    Path("a.png").write_bytes(b"no picture")
    Path("folder").mkdir()
    small = ["--limit", "40", "--hidden", "5", "--latent", "2", "--epochs", "1", "--quiet"]
    assert main(["train", "digits8", *small, "--out", "run"]) == 0
    Path("runs").mkdir(exist_ok=True)


def parser_of(name):
    """The parser of one subcommand, and of its own subcommands."""
    parser = argparse.ArgumentParser(prog=name)
    importlib.import_module(f"minivae.cli.commands.{name}").configure(parser)
    return parser


def draw(chance, name):
    """Arguments of one command."""
    words, parser = [name], parser_of(name)
    while parser is not None:
        actions, parser = parser._actions, None
        for action in actions:
            if isinstance(action, argparse._SubParsersAction):
                if chance.random() < 0.9:
                    sub = chance.choice(list(action.choices))
                    words, parser = [*words, sub], action.choices[sub]
                continue
            if isinstance(action, argparse._HelpAction):
                continue
            wanted = 0.7 if not action.option_strings else 0.08
            if chance.random() > wanted:
                continue
            known = [str(c) for c in action.choices or () if c != "numba"]
            count = {None: 1, "*": chance.randrange(3), "+": 1 + chance.randrange(2), "?": 1}.get(
                action.nargs, action.nargs if isinstance(action.nargs, int) else 1
            )
            values = [chance.choice([*known, *VALUES] if known else VALUES) for _ in range(count)]
            words += [*action.option_strings[:1], *values]
    return words


@contextlib.contextmanager
def without_network():
    def refuse(*_, **__):
        raise OSError(101, "Network is unreachable")

    kept, socket.socket.connect = socket.socket.connect, refuse
    try:
        yield
    finally:
        socket.socket.connect = kept


def outcome(words):
    """What is wrong with a command's end; "" if nothing is, and its exit code."""

    def ring(*_):
        raise KeyboardInterrupt

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    code = None
    try:
        with (
            without_network(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(action="ignore"),
            np.errstate(all="ignore"),
        ):
            code = main(words)
    except SystemExit as end:
        code = end.code or 0
    except KeyboardInterrupt:
        code = 130  # it came before or after the command itself
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})", code
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    said = err.getvalue()
    if code not in CODES:
        return f"exit code {code}", code
    if code != 130 and "Traceback" in out.getvalue() + said:
        return "a traceback was printed", code
    if code == 2 and not ("--json" in words and out.getvalue().startswith("{")):
        last = said.rstrip("\n").rpartition("\n")[2]
        if not said.strip() or not (last.startswith("minivae: ") or "minivae: " in said):
            return f"no sentence on standard error: {said!r}", code
    hostile = [c for c in out.getvalue() + said if not c.isprintable() and c not in "\n\r\t"]
    if hostile:
        return f"control characters {set(hostile)}", code
    return "", code


def at_random(n, seed):
    """(words, what is wrong, exit code) of n commands."""
    chance = random.Random(seed)
    # One starts a server, the other compiles, and an interruption in that is a matter of its own.
    names = [name for name in COMMANDS if name not in ("tutorials", "bench")]
    for _ in range(n):
        words = draw(chance, chance.choice(names))
        yield (words, *outcome(words))


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("agg")
    os.environ["MINIVAE_DATA"] = tempfile.mkdtemp()
    backend.default_backend = lambda: "numpy"
    prepare(tempfile.mkdtemp())
    codes, wrong = Counter(), 0
    for words, bad, code in at_random(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, 0):
        codes[code] += 1
        if bad:
            wrong += 1
            print("minivae", *map(repr, words), "->", bad, flush=True)
    print("exit codes", dict(codes))
    print(f"commands at random | {codes.total()} | {wrong}")
