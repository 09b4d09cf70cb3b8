"""The VAE under scikit-learn's method names: `VAEEstimator`.

It adds no mathematics: `fit` is `minivae.fit` with Adam, `transform` is `VAE.encode`,
`inverse_transform` is `VAE.decode`, `score` is the mean of `VAE.elbo`. scikit-learn recognises an
estimator by its methods, so nothing of scikit-learn is imported here until scikit-learn asks for
its tags, and minivae works without it.
"""

import inspect
import zlib
from dataclasses import replace
from typing import Any, Self

import numpy as np

from ...data.batches import by_rows
from ...engine.backend import Array, float_dtype
from ...errors import DataError, OptionError
from ...models import VAE
from ...models.rows import decode, encode
from ...ops import LIKELIHOODS
from ...train.loop import fit as train
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from .habits import Habits, not_fitted_error
from .tables import (
    as_table,
    check_number,
    check_options,
    column_names,
    generator,
    shape_of,
    split,
    warn_unscaled,
)

NAMES = ("network", "activation", "likelihood", "dtype", "backend")
"""Parameters of the estimator that `VAE` looks up by name."""


class VAEEstimator(Habits):
    """Variational autoencoder as a scikit-learn transformer and density model.

    Parameters
    ----------
    latent : int
        Latent dimensions: the columns that `transform` gives.
    hidden : sequence of int
        Hidden widths of the encoder; the decoder's are the same in reverse.
    shape : tuple of int, optional
        Shape of one example, such as (28, 28), for a network that takes images; X has them in rows.
    network, network_options
        Name of the network, and a dict of its further options, such as `{"channels": (32, 64)}`.
    activation, likelihood, likelihood_options, free_bits, samples, dtype, backend
        As in `VAE`, `backend` by its name, but with another default likelihood: "gaussian_shared"
        takes any real data and learns how noisy they are. Its one standard deviation for all
        features, and the first weights, suit features of unit variance: put a StandardScaler before
        it. Images in [0, 1] want "bernoulli" and no scaler. Results have the model's `dtype`,
        whatever that of the data.
    epochs, batch, beta
        As in `Settings`, but with defaults that give a table of some hundred rows enough steps.
    lr : float
        Learning rate of Adam.
    early_stopping : bool
        Set a part of the rows aside, stop when their loss no longer falls, and go back to the
        weights of the epoch in which it was lowest.
    validation_fraction : float
        That part, between 0 and 1; drawn by `random_state`.
    n_iter_no_change : int
        Epochs to wait for a lower loss.
    random_state : None, int, numpy.random.RandomState or numpy.random.Generator
        Draws the first weights, the order of the data and the noise. With an int, `fit` does the
        same every time; None takes fresh entropy from the system, not NumPy's global generator.
    verbose : bool
        Show a progress bar for each epoch.

    Attributes
    ----------
    model_ : VAE
        The trained model.
    history_ : list of dict
        One record for each epoch, as in `Training`.
    n_iter_ : int
        Epochs that were trained.
    n_features_in_ : int
        Columns of the data that `fit` saw.
    feature_names_in_ : numpy.ndarray of object, (n_features_in_,)
        Their names, if the data were a data frame with names that are all strings.
    noise_seed_ : int
        Seed of the noise in `score_samples`.
    """

    def __init__(
        self,
        latent: int = 20,
        *,
        hidden: tuple[int, ...] = (400,),
        shape: tuple[int, ...] | None = None,
        network: str = "mlp",
        network_options: dict[str, Any] | None = None,
        activation: str = "relu",
        likelihood: str = "gaussian_shared",
        likelihood_options: dict[str, float] | None = None,
        beta: float = 1.0,
        free_bits: float = 0.0,
        samples: int | None = None,
        epochs: int = 100,
        batch: int = 32,
        lr: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        dtype: str = "float32",
        backend: str = "auto",
        verbose: bool = False,
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.shape = shape
        self.network = network
        self.network_options = network_options
        self.activation = activation
        self.likelihood = likelihood
        self.likelihood_options = likelihood_options
        self.beta = beta
        self.free_bits = free_bits
        self.samples = samples
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.dtype = dtype
        self.backend = backend
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train a new model on X (N, n_features); y is ignored.

        Raises
        ------
        MinivaeError
            If a parameter or the data cannot be used, before anything is trained; after any error
            the estimator is what it was before.
        """
        self._check_parameters()
        x = as_table(X, float_dtype(self.dtype), type(self).__name__)
        rng = generator(self.random_state)
        patience = self.n_iter_no_change if self.early_stopping else None
        settings = Settings(self.epochs, self.batch, beta=self.beta, patience=patience)
        x_val = None
        if self.early_stopping:
            x, x_val = split(x, self.validation_fraction, rng)
        training, noise_seed = self._begin(x, rng, settings)
        train(training, x, x_val, progress=bool(self.verbose))
        if training.best_theta is not None:
            training.model.params.load(training.best_theta, training.best_carried)
        self._keep(training, noise_seed, X, x.shape[1])
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one epoch on X (N, n_features), of a new model or on from where this one is.

        For data that come in portions. Nothing is set aside, whatever `early_stopping` says; `lr`,
        `batch` and `beta` are those of now. y is ignored.

        Raises
        ------
        MinivaeError
            As `fit`; an update that is refused leaves the weights as they were before it.
        """
        self._check_parameters()
        settings = Settings(epochs=1, batch=self.batch, beta=self.beta)
        if hasattr(self, "model_"):
            x, training, noise_seed = self._data(X), self._training, self.noise_seed_
            training.settings = replace(settings, epochs=len(training.history) + 1)
            training.optimizer.lr = self.lr
        else:
            x = as_table(X, float_dtype(self.dtype), type(self).__name__)
            training, noise_seed = self._begin(x, generator(self.random_state), settings)
        train(training, x, progress=bool(self.verbose))
        self._keep(training, noise_seed, None if hasattr(self, "model_") else X, x.shape[1])
        return self

    def _begin(
        self, x: np.ndarray, rng: np.random.Generator, settings: Settings
    ) -> tuple[Training, int]:
        """Build a model for rows like x, and draw the seed of its scores' noise."""
        optimizer = Adam(self.lr)
        model = VAE(
            shape_of(self.shape, x.shape[1]),
            self.hidden,
            self.latent,
            likelihood_options=self.likelihood_options,
            free_bits=self.free_bits,
            samples=self.samples,
            rng=rng,
            **{name: getattr(self, name) for name in NAMES},
            **(self.network_options or {}),
        )
        if LIKELIHOODS[self.likelihood].real:
            warn_unscaled(x, type(self).__name__)
        if not model.halves.network.shaped:  # what gives images has no bias for each pixel
            model.start_at(x.mean(axis=0, dtype="float64"))
        return Training(model, optimizer, rng, settings), int(rng.integers(2**63))

    def _keep(self, training: Training, noise_seed: int, X: Any, width: int) -> None:
        """Take over what was trained, with the names of X's columns unless X is None."""
        self.model_, self.history_, self.noise_seed_ = training.model, training.history, noise_seed
        self.n_iter_, self.n_features_in_, self._training = len(training.history), width, training
        if X is not None:
            self.__dict__.pop("feature_names_in_", None)
            if (names := column_names(X)) is not None:
                self.feature_names_in_ = names

    def transform(self, X: Any) -> np.ndarray:
        """Posterior means (N, latent) of X (N, n_features); see `set_output`."""
        x = self._data(X)
        return self._framed(encode(self.model_, x)[0], X, self.get_feature_names_out())

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decoded means (N, n_features) of latents X (N, latent)."""
        model = self._fitted()
        z = as_table(X, model.params.dtype, type(self).__name__, model.latent)
        return decode(model, model.backend.asarray(z))

    def score_samples(self, X: Any) -> np.ndarray:
        """Lower bound on ln p(x) (N,), in nats, for each row of X (N, n_features).

        One draw of the noise is used, which depends on `noise_seed_` and on the row itself alone.
        So a row scores the same every time, and, up to rounding, in whatever order and company.
        """
        x = self._data(X)
        model = self.model_
        model.likelihood.note(x)

        def bound(part: np.ndarray) -> Array:
            seeds = ([self.noise_seed_, zlib.crc32(row.tobytes())] for row in part)
            noise = [model.draw_noise(np.random.default_rng(seed), 1) for seed in seeds]
            return model.elbo(model.prepare(part), model.backend.xp.concatenate(noise))

        return by_rows(model.backend, bound, x)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean lower bound on ln p(x), in nats, over X (N, n_features); higher is better."""
        return float(self.score_samples(X).mean(dtype="float64"))

    def sample(self, n: int = 1, random_state: Any = None, *, draw: bool = False) -> np.ndarray:
        """Decode n latents drawn from the prior: means of the data (n, n_features).

        `draw=True` draws the data too, as the likelihood has them scatter about their means.
        """
        model = self._fitted()
        check_number("n", n, least=1, whole=True)
        return model.backend.to_host(model.sample(n, generator(random_state), draw=draw))

    def _check_parameters(self) -> None:
        """Check the types that the classes underneath take for granted."""
        for name in ("latent", "epochs", "batch", "n_iter_no_change"):
            check_number(name, getattr(self, name), least=1, whole=True)
        if self.samples is not None:
            check_number("samples", self.samples, least=1, whole=True)
        for name in ("lr", "beta", "free_bits"):
            check_number(name, getattr(self, name), least=0)
        check_number("validation_fraction", self.validation_fraction, least=0)
        for name in NAMES:
            if not isinstance(getattr(self, name), str):
                raise OptionError(
                    f"{name}={getattr(self, name)!r} was given, but a name is expected, "
                    f"such as {inspect.signature(type(self)).parameters[name].default!r}."
                )
        if not isinstance(self.early_stopping, bool | np.bool_):
            raise OptionError(
                f"early_stopping={self.early_stopping!r} was given, but it must be True or False."
            )
        check_options("likelihood_options", self.likelihood_options, "{'sigma': 0.5}")
        check_options("network_options", self.network_options, "{'channels': (32, 64)}")

    def _fitted(self) -> VAE:
        if not hasattr(self, "model_"):
            raise not_fitted_error()(
                f"this {type(self).__name__} is not fitted yet; call fit with data first."
            )
        return self.model_

    def _data(self, X: Any) -> np.ndarray:
        """X as a table of the width, and with the column names if both have some, of `fit`."""
        model = self._fitted()
        x = as_table(X, model.params.dtype, type(self).__name__, self.n_features_in_)
        names, fitted = column_names(X), getattr(self, "feature_names_in_", None)
        if names is not None and fitted is not None and list(names) != list(fitted):
            raise DataError(
                f"the columns of X are {list(names)}, but the feature names should match those in "
                f"fit, {list(fitted)}, in the same order; select and sort the columns."
            )
        return x
