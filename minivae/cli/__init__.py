"""The `minivae` command: `main.py` finds the subcommand, one file each in `commands/`.

Beside them is what several commands share: options, outputs, pictures.
What a command does is computed elsewhere; here it is parsed, called and printed.
"""

from .main import main

__all__ = ["main"]
