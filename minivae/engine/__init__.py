"""What an operation stands on: backends, parameters, layers, cases, initial weights, noise.

Nothing here knows what is computed with it: operations, models and their training are elsewhere.
The forms for one kind of machine are apart, in `cpu/` and `gpu/`.
"""

from .gpu import device  # noqa: F401 (makes the backend "cuda" known)
