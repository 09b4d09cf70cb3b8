"""`python -m minivae` is the `minivae` command."""

import sys

from .cli.main import main

sys.exit(main())
