"""What scikit-learn expects of every transformer, whatever it computes: `Habits`.

Parameters by name, data frames on request, pickles, a picture in a notebook, tags. scikit-learn
is asked only where it is loaded already, or asks itself.
"""

import inspect
import sys
from functools import cache
from html import escape
from typing import Any, Self

import numpy as np

from ...errors import OptionError, StateError
from .state import pack, unpack

FRAMES = ("default", "pandas", "polars")
"""What `transform` may give: an array, or a data frame of one of two libraries."""


class Habits:
    """Base of an estimator whose constructor's parameters are its attributes."""

    _frame: str | None = None

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Train on X (N, n_features), return its posterior means (N, latent)."""
        return self.fit(X, y).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names (latent,) of the columns that `transform` gives, whatever went in."""
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._fitted().latent)], dtype=object)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's parameters; `deep` changes nothing, as none is an estimator."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; the next `fit` checks and uses them."""
        known = self.get_params()
        for name in params:
            if name not in known:
                raise OptionError(
                    f"invalid parameter {name!r} for {type(self).__name__}; "
                    f"choose among: {', '.join(known)}."
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def set_output(self, *, transform: str | None = None) -> Self:
        """Let `transform` and `fit_transform` give arrays or data frames.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Arrays, or frames of that library; None leaves it as it is. Without a call of this,
            `sklearn.set_config(transform_output=...)` holds.
        """
        if transform is not None:
            if transform not in FRAMES:
                raise OptionError(
                    f"transform={transform!r} was given; choose one of: {', '.join(FRAMES)}."
                )
            self._frame = transform
        return self

    def _framed(self, z: np.ndarray, X: Any, names: np.ndarray) -> Any:
        """Put z (N, Z) into what `set_output` asked for, with the index of X if X has one."""
        sklearn, kind = sys.modules.get("sklearn"), self._frame
        if kind is None and sklearn is not None:
            kind = sklearn.get_config()["transform_output"]
        if kind not in FRAMES[1:]:
            return z
        try:
            library = __import__(kind)
        except ImportError:
            raise OptionError(
                f"set_output(transform={kind!r}) was asked for, but {kind} is not installed; "
                f"install it with `pip install {kind}`, or ask for 'default'."
            ) from None
        if kind == "polars":
            return library.DataFrame(z, schema=list(names), orient="row")
        index = X.index if isinstance(X, library.DataFrame) else None
        return library.DataFrame(z, columns=names, index=index)

    def __getstate__(self) -> dict[str, Any]:
        """Replace model and training by what builds them again: a backend cannot be pickled."""
        state = dict(self.__dict__)
        if training := state.pop("_training", None):
            del state["model_"]
            state["packed"] = pack(training)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the model again."""
        self.__dict__.update(state)
        if packed := self.__dict__.pop("packed", None):
            self._training = unpack(packed, self.history_)
            self.model_ = self._training.model

    def __sklearn_tags__(self) -> Any:
        """Say to scikit-learn (1.6 or newer) what this is; nobody else calls it."""
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[self.dtype]),  # type: ignore[attr-defined]
        )

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self)).parameters
        now = {name: repr(value) for name, value in self.get_params().items()}
        changed = [name for name in now if now[name] != repr(parameters[name].default)]
        return f"{type(self).__name__}({', '.join(f'{name}={now[name]}' for name in changed)})"

    def _repr_html_(self) -> str:
        """Show the parameters in a notebook: as scikit-learn does where it is, else as a table."""
        try:
            from sklearn.utils import estimator_html_repr
        except ImportError:
            rows = "".join(
                f"<tr><th>{name}</th><td>{escape(repr(value))}</td></tr>"
                for name, value in self.get_params().items()
            )
            return (
                f"<details><summary>{escape(repr(self))}</summary><table>{rows}</table></details>"
            )
        return estimator_html_repr(self)


@cache
def not_fitted_error() -> type[StateError]:
    """Return the error for what was called before `fit`: a `StateError` that scikit-learn knows.

    Where scikit-learn is installed it is its `NotFittedError` too, and in any case a ValueError and
    an AttributeError, as that one is.
    """
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return type("NotFittedError", (StateError, ValueError, AttributeError), {})
    return type("NotFittedError", (StateError, NotFittedError), {})
