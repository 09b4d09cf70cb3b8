"""What a model says of itself, so that nobody has to ask which model it is.

A model is a class with a `kind`. By being defined it enters `MODELS`, and from there the command,
the training loop, the evaluation, the pictures and the checks find it. What they need to know they
read from the attributes of `Declared`, so a new model is one new file and no edit elsewhere.

A class that declares itself wrongly is refused when it is defined.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.door import door
from ..engine.kinds import Count, Rows, Whole
from ..engine.params import Params
from ..errors import OptionError
from .registry import MODELS, Option, enter

DEFAULT = "vae"
"""Kind of the model that is trained if no other is asked for."""

ABILITIES = {
    "encode": ("encode",),
    "reconstruct": ("reconstruct",),
    "sample": ("sample",),
    "draw": ("sample",),
    "prior": ("sample",),
    "bound": ("elbo",),
    "condition": ("find", "one_hot"),
    "categories": ("codes", "decode_codes"),
}
"""What a model can do, and the methods that do it: give data a code (`encode`), decode the code
again (`reconstruct`), decode drawn latents (`sample`), where the latents come from a prior that the
training knew of (`prior`), and pixels can be drawn instead of shown by their means (`draw`); bound
ln p(x) (`bound`); take each datum with its class (`condition`); give data a code of categories,
each a number below `levels`, and decode such codes (`categories`)."""


@dataclass(frozen=True)
class Player:
    """Whoever minimises a loss: the one model, or each of two that play against each other.

    Attributes
    ----------
    name : str
        What a report calls it; "" for the only one.
    loss : str
        Name of its loss among what `forward` gives.
    params : Params
        What it moves.
    """

    name: str
    loss: str
    params: Params


class Losses(SimpleNamespace):
    """What a `forward` gives whose terms have other names than those of `objectives.Terms`.

    Made by `Losses(loss=..., nll=..., size=...)`: `loss` (), and each of the model's terms, (B,) or
    (B, Z), on the model's backend.
    """

    def copy(self) -> "Losses":
        """Return the same numbers in arrays of their own."""
        return Losses(**{name: array.copy() for name, array in vars(self).items()})


def refuses(method: Any) -> Any:
    """Mark a method that only says why there is nothing to be had from it."""
    method.refuses = True
    return method


class Declared:
    """Attributes in which a model says what it is, with what goes for most; see `Model`."""

    params: Params

    kind: ClassVar[str] = ""
    """Name of the model in a configuration, and after `--model`."""

    title: ClassVar[str] = "a model"
    """What sentences call it, with its article; by default from the name of the class."""

    options: ClassVar[dict[str, Option]] = {}
    """What it takes beside the common options. Each is a keyword of the constructor, an attribute,
    an entry of `config`, and a flag of `minivae train`."""

    switch: ClassVar[tuple[str, str]] = ("", "")
    """A flag that stands for `--model KIND`, and its help, if there is one."""

    refused: ClassVar[dict[str, str]] = {}
    """Options that it does not take, its own or the common ones, and for each one why."""

    defaults: ClassVar[dict[str, Any]] = {}
    """How it is trained where that is not the usual: `lr`, `epochs`, ..., and what an optimizer
    takes, such as `beta1`."""

    built: ClassVar[dict[str, dict[str, Any]]] = {}
    """How a named network builds its halves where that is not the network's usual way."""

    terms: ClassVar[dict[str, str]] = {"nll": "Reconstruction (nll)", "kl": "KL from the prior"}
    """The arrays, one number or more for each example, that `forward` gives beside `loss`, and
    their titles. Their means are recorded after each epoch, in nats."""

    beside: ClassVar[frozenset[str]] = frozenset()
    """Those of the terms that are not added up: a part of another one, or of no bound."""

    per_epoch: ClassVar[dict[str, str]] = {}
    """Numbers of an epoch that are no mean over its examples, and their titles; see `of_epoch`."""

    columns: ClassVar[tuple[str, ...]] = ("loss", "nll", "kl", "val_loss")
    """Which of the recorded numbers are printed and drawn."""

    can: ClassVar[frozenset[str]] = frozenset()
    """What it can, of `ABILITIES`."""

    sequential: ClassVar[bool] = False
    """Whether its data are sequences of symbols, which have an alphabet."""

    alphabet: tuple[str, ...] = ()
    """The symbols, of a model of sequences."""

    codes_are: ClassVar[str] = "Codes"
    """What `encode` gives, in the title of a picture."""

    samples_are: ClassVar[str] = "Samples from the prior"
    """What `sample` gives, in the title of a picture."""

    plain: ClassVar[bool] = False
    """Whether `encoder` alone makes the code (one with two heads: its mu), and `decode` is the mean
    of what `decoder` makes of it, so that a page can compute it from the layers. Not inherited: a
    subclass that does something else would not say so."""

    examples: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    """Options of the small models that the checks are made on; one is built of each."""

    def __init_subclass__(cls, *, listed: bool = True, **options: Any) -> None:
        """Enter the class into `MODELS`, unless it is a base of others and `listed` is False."""
        super().__init_subclass__(**options)
        door(cls)
        own = vars(cls)
        if "title" not in own:
            cls.title = f"a {cls.__name__}"
        if "switch" not in own:
            cls.switch = ("", "")
        if "plain" not in own:
            cls.plain = False
        if listed:
            check_declaration(cls)
            enter(cls, "kind", MODELS)

    @classmethod
    def check_run(cls, options: dict[str, Any]) -> None:
        """Refuse options of `minivae train` that do not go together."""

    def players(self) -> tuple[Player, ...]:
        """Who minimises what. Several players have no loss that says how good the model is."""
        return (Player("", "loss", self.params),)

    @refuses
    def encode(self, x: Array) -> Any:
        """Refuse; a model that can encode defines it."""
        raise OptionError(f"{self.title} cannot encode data; use a VAE or an autoencoder.")

    @refuses
    def reconstruct(self, x: Array) -> Array:
        """Refuse; a model that can reconstruct defines it."""
        raise OptionError(f"{self.title} cannot reconstruct data; use a VAE or an autoencoder.")

    @refuses
    def elbo(self, x: Array, noise: Array | None = None) -> Array:
        """Refuse; a model that bounds ln p(x) defines it."""
        raise OptionError(f"{self.title} has no ELBO, since it does not bound ln p(x); use a VAE.")

    @refuses
    def log_weights(self, x: Array, eps: Array) -> Array:
        """Refuse; a model whose ln p(x) can be estimated by importance sampling defines it."""
        raise OptionError(f"{self.title} has no importance weights; use a VAE.")

    def draw_latents(self, n: Count, rng: np.random.Generator, temperature: float = 1.0) -> Any:
        """Draw what `sample` decodes: (n, Z) from N(0, temperature^2), unless a model says else."""
        z = self.normal(rng, (n, self.latent))  # type: ignore[attr-defined]
        return z * float(temperature)

    def draw_importance_noise(self, rng: np.random.Generator, batch: int, samples: int) -> Any:
        """Draw what `log_weights` takes: standard normal noise (B, K, Z), unless a model says else.

        Example by example, so that an estimate does not depend on how many are drawn at once.
        """
        return self.normal(rng, (batch, samples, self.latent))  # type: ignore[attr-defined]

    def learned_from(self, rows: Rows, seed: Whole) -> Any:
        """Training rows (N, M) as the model may learn from them: as they are, unless it says so."""
        return rows

    def noise_of(self, noise: Any, rows: slice) -> Any:
        """What `draw_noise` has drawn for these rows of a minibatch: its own such rows.

        A model whose noise is not drawn row by row says what it is.
        """
        return None if noise is None else noise[rows]

    def of_epoch(self) -> dict[str, float]:
        """Numbers of the epoch that has ended, those of `per_epoch`; their count begins anew."""
        return {}

    def also(self, x: Rows) -> dict[str, float]:
        """What an evaluation says of host data x besides: each number by what it is called."""
        return {}

    @property
    def summed(self) -> list[str]:
        """The terms that are added up."""
        return [name for name in self.terms if name not in self.beside]

    def held_out_loss(self, numbers: dict[str, Any]) -> float:
        """Loss of data that were not trained on, from what `evaluate` gives: the terms' sum."""
        return sum(numbers[name] for name in self.summed)

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say what the losses of a run are, in one line.

        Parameters
        ----------
        note : str
            Why the likelihood of these data is none, or "".
        weighted : bool
            Whether a term has another weight than 1 while training.
        tested : bool
            Whether there is a validation loss.
        """
        return f"nats per example; {note}" if note else "nats per example"


def expect_draws(n: int, temperature: float) -> None:
    """Raise `OptionError` unless n latents can be drawn at this temperature."""
    if n < 1 or not 0 <= temperature <= 1e6:
        raise OptionError(
            f"n={n} and temperature={temperature} were given; "
            "n must be at least 1 and the temperature at least 0, and at most a million."
        )


def check_declaration(cls: Any) -> None:
    """Refuse a class that declares itself wrongly.

    Raises
    ------
    OptionError
        If it names a term, a column or an ability that cannot be.
    """

    def refuse(what: str, mend: str) -> None:
        raise OptionError(f"{cls.__name__} {what}; {mend}.")

    if unknown := [name for name in cls.can if name not in ABILITIES]:
        refuse(f"can {unknown[0]!r}, which is no ability", f"there are {', '.join(ABILITIES)}")
    for ability in cls.can:
        for method in ABILITIES[ability]:
            found = getattr(cls, method, None)
            if found is None or getattr(found, "refuses", False):
                refuse(f"can {ability!r}, but does not define {method}", "define it")
    if not cls.terms or not all(map(cls.terms.get, cls.terms)):
        refuse("names no terms of its loss", "give each a title, such as terms = {'nll': 'Nll'}")
    recorded = {
        "loss",
        *cls.per_epoch,
        *cls.terms,
        "val_loss",
        *(f"val_{name}" for name in cls.terms),
    }
    if unknown := [name for name in cls.columns if name not in recorded]:
        refuse(f"prints {unknown[0]!r}, which is not recorded", "name it in terms")
