"""The `minivae` command: `main.py` finds the subcommand, one file each in `commands/`.

Beside them is what several commands share: options, outputs, pictures.
Nothing is computed here: what a command does is parsed, called and printed.
"""

from .main import main

__all__ = ["main"]
