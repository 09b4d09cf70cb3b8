"""What encoders and decoders are made of: networks, each by its name.

A named network is a class that builds both for data of any shape, out of its options. By being
defined it enters `NETWORKS`, and `minivae train --network NAME` finds it: another kind of network
is one new file. `mlp.py` is one. In its place a model takes any layers (`halves.py`).
"""

from typing import Any, ClassVar

from ..engine.door import door
from ..engine.layer import Layer
from ..errors import OptionError, UndefinedError
from .registry import NETWORKS, Option, enter, settle

DEFAULT = "mlp"
"""Name of the network that is taken if no other is asked for."""


@door
class Network:
    """Base of the named networks: how a trunk and a decoder are built for data of a shape."""

    name: ClassVar[str] = ""
    """What it is called in a configuration, and after `--network`."""

    options: ClassVar[dict[str, Option]] = {}
    """What it takes; each is a keyword of the models, and a flag of `minivae train`."""

    shaped: ClassVar[bool] = False
    """Whether it takes data in their shape, (B, *shape), an image without channels as (B, H, W, 1);
    else it takes rows, (B, D)."""

    examples: ClassVar[tuple[dict[str, Any], ...]] = ()
    """Options of small models, `n_pixels` among them, that the checks are made on."""

    tiny: ClassVar[dict[str, Any]] = {}
    """Options of a model that is small enough to follow a step of it with pencil and paper,
    `n_pixels` among them; `minivae step` takes it where there is one."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        door(cls)
        enter(cls, "name", NETWORKS)

    def __init__(self, **given: Any) -> None:
        settle(self, given)

    def trunk(self, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Build the layers from data to features.

        Parameters
        ----------
        shape : tuple of int
            Shape of one datum; (D,) unless the network is `shaped`. What comes beside an image,
            such as a label, is one more channel for each number.
        **how
            `rng`, which draws the weights, `dtype` and `backend`.

        Returns
        -------
        list of Layer
            None at all for features that are the data. Their `output_shape` is asked for.
        """
        raise UndefinedError(f"{type(self).__name__} must define trunk; write it.")

    def decoder(self, n_in: int, shape: tuple[int, ...], n_out: int, **how: Any) -> Layer:
        """Build the layer from latents (B, n_in) to `n_out` numbers for each datum of `shape`.

        They may have any shape. Laid in a row, the numbers of a value lie side by side in the order
        of the values, as the last axis of an image has them.
        """
        raise UndefinedError(f"{type(self).__name__} must define decoder; write it.")

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Rows and columns of places that features of data of `shape` keep; None if they do not.

        A network that keeps them defines `to_places` and `from_places`.
        """
        return None

    def to_places(self, width: int, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Build the layers from data to `width` numbers for each place, (B, h, w, width)."""
        raise UndefinedError(f"{type(self).__name__} must define to_places; write it.")

    def from_places(self, n_in: int, shape: tuple[int, ...], n_out: int, **how: Any) -> Layer:
        """Build the layer from rows (B, n_in), the places' numbers, to `n_out` for each datum."""
        raise UndefinedError(f"{type(self).__name__} must define from_places; write it.")

    def between(self, n_in: int, n_out: int) -> str:
        """Say in few words what leads from `n_in` to `n_out` numbers, for a model's `repr`."""
        return f"{n_in}-{self.name}-{n_out}"


@door
def find_network(name: str) -> type[Network]:
    """Return the network of that name.

    Raises
    ------
    OptionError
        If there is none.
    """
    if name not in NETWORKS:
        raise OptionError(f"network={name!r} was given; choose one of: {', '.join(NETWORKS)}.")
    return NETWORKS[name]
