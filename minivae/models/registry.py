"""The models and networks that there are, and what each takes: `MODELS`, `NETWORKS`, `Option`.

A class enters one of the two when it is defined. What it takes are `Option`s: each is a keyword, an
attribute, an entry of the configuration and a flag of `minivae train`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..ops import LIKELIHOOD_OPTIONS

MODELS: dict[str, Any] = {}
"""Every model's class by its kind; `declare.Declared` enters them."""

NETWORKS: dict[str, Any] = {}
"""Every named network's class by its name; `network.Network` enters them."""

COMMON = frozenset(
    "data header label ignore missing one_hot drop_constant drop_unlabelled limit "  # noqa: SIM905
    "model network latent likelihood binarize bias_from_data "
    "beta schedule warmup optimizer lr lr_schedule lr_warmup clip_norm weight_decay "
    "epochs batch shards patience seed dtype backend out resume quiet json".split()
).union(LIKELIHOOD_OPTIONS)
"""Options of `minivae train` that are there for every model, unless it refuses them."""

OF_A_CONSTRUCTOR = ("n_pixels", "rng", "encoder", "decoder", "likelihood_options", "labels")
"""What constructors of models take besides."""

TYPES = (int, float, str, bool)


@dataclass(frozen=True)
class Option:
    """Something that a model or network takes beside the common options; a flag of `minivae train`.

    Attributes
    ----------
    type : {int, float, str, bool}
        Type of the value, or of each one of `many`. A bool is a flag without a value.
    default : object
        What it is if it is not given; None for nothing.
    help : str
        What it does, for `minivae train --help`.
    choices : tuple
        The values that there are, if they are few.
    many : bool
        Whether it is several values, such as widths.
    metavar : str
        What the help calls the value.
    group : str
        Title of its group in the help; by default one for its model or network.
    needs : str
        What a model must have for it ("discriminator"), to say why another does not take it.
    flag : bool
        Whether it is a flag; else it is for programs alone.
    """

    type: Any
    default: Any
    help: str
    choices: tuple = ()
    many: bool = False
    metavar: str = ""
    group: str = ""
    needs: str = ""
    flag: bool = True

    def typed(self, value: Any) -> Any:
        """Value in the form in which a model keeps it: numbers as floats, several as a tuple."""
        if value is None:
            return None
        if self.many:
            return tuple(value) if isinstance(value, Iterable) else value
        return float(value) if self.type is float else value


def enter(cls: Any, what: str, registry: dict[str, Any]) -> None:
    """Enter a class into `MODELS` by its `kind`, or into `NETWORKS` by its `name`.

    Parameters
    ----------
    cls : type
        A model or a network.
    what : {"kind", "name"}
        What it is entered by.
    registry : dict
        Which of the two.

    Raises
    ------
    OptionError
        If it has no name of its own or one that is taken, or an option of no type, or of a name
        that is taken.
    """
    own = vars(cls).get(what)
    if not isinstance(own, str) or not own:
        raise OptionError(
            f"{cls.__name__} has no {what} of its own; give the class one, such as {what} = "
            f"{cls.__name__.lower()!r}."
        )
    there = registry.get(own)
    # A notebook's cell that is run again defines its class again.
    if there and (there.__module__, there.__qualname__) != (cls.__module__, cls.__qualname__):
        raise OptionError(
            f"{cls.__name__} has the {what} {own!r}, which is taken by "
            f"{there.__module__}.{there.__qualname__}; give it another."
        )
    others = [other for other in registry.values() if other is not there]
    foreign = MODELS if registry is NETWORKS else NETWORKS
    taken = COMMON.union(OF_A_CONSTRUCTOR, *(other.options for other in foreign.values()))
    for name, option in cls.options.items():
        where = f"{cls.__name__} declares the option {name!r}"
        if not isinstance(option, Option):
            raise OptionError(f"{where} as {option!r}; make it an Option(type, default, help).")
        if option.type not in TYPES:
            names = ", ".join(type.__name__ for type in TYPES)
            raise OptionError(f"{where} of type {option.type!r}; choose one of: {names}.")
        if not option.help:
            raise OptionError(f"{where} without help; say in a few words what it does.")
        if not name.isidentifier() or name in taken:
            raise OptionError(f"{where}, but that name is taken; give it another.")
        for other in others:
            same = other.options.get(name, option)
            if (same.type, same.many, same.choices) != (option.type, option.many, option.choices):
                raise OptionError(
                    f"{where} as {option.type.__name__}, but that of {other.__name__} takes "
                    "something else; give it another name."
                )
    registry[own] = cls


def settle(owner: Any, given: dict[str, Any]) -> None:
    """Set each of a class's options as an attribute: what was given, else its default.

    What is set is taken out of `given`.
    """
    for name, option in type(owner).options.items():
        setattr(owner, name, option.typed(given.pop(name, option.default)))


def written(owner: Any) -> dict[str, Any]:
    """Values of a model's or network's options, as JSON types."""
    values = {name: getattr(owner, name) for name in type(owner).options}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
