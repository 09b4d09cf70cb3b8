"""Bars that show how far something is; in a notebook too, and there without a red box.

tqdm draws them. Its widget needs ipywidgets; where that is missing, a notebook gets the plain bar
on standard output, since it frames in red whatever comes on standard error.
"""

import sys
from importlib.util import find_spec
from typing import Any


def bar(*args: Any, **how: Any) -> Any:
    """Wrap an iterable as `tqdm.tqdm` does, with the same arguments."""
    from tqdm import tqdm  # here, since a program without bars does not need it

    if in_notebook():
        if find_spec("ipywidgets") is not None:
            from tqdm.notebook import tqdm
        else:
            how.setdefault("file", sys.stdout)
    return tqdm(*args, **how)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this program."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")
