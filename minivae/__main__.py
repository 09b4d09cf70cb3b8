"""`python -m minivae` is the `minivae` command."""

import sys

from .cli.main import program

sys.exit(program())
