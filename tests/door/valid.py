"""A valid value for every parameter of a public name: by its name in a function, or by its kind."""

import functools
import inspect
import typing
from collections import abc
from pathlib import Path

import numpy as np

import minivae
from minivae import GAN, VAE, Adam, Autoencoder, ConditionalVAE, Settings, Training, data
from minivae.engine import Layer, get_backend
from minivae.engine.door import hints_of
from minivae.engine.params import Params
from minivae.models.classifier import Classifier
from minivae.ops import CASES, Bernoulli, Linear


def rng():
    return np.random.default_rng(0)


@functools.cache
def digits():
    return data.dataset.thin(data.load("digits8"), 20)


def vae(kind=VAE, **options):
    return kind(64, hidden=(5,), latent=2, rng=rng(), **options)


def training():
    return Training(vae(), Adam(), rng(), Settings(epochs=1, batch=10))


def fitted():
    estimator = minivae.VAEEstimator(2, hidden=(5,), epochs=1)
    return estimator.fit(np.random.default_rng(1).standard_normal((30, 4)))


def record():
    from minivae.show.trace import trace

    with trace(model := vae()) as t:
        model.step(np.zeros((3, 64), "float32"), model.draw_noise(rng(), 3))
    return t


def report():
    from minivae.check import check_gradients

    return check_gradients(lambda x: (x * x, (x,)), lambda dy, x: 2 * dy * x, {"x": np.ones(3)})


def labelled(n=20):
    return np.arange(n) % 10


@functools.cache
def folder_of_run():
    import tempfile

    from minivae.cli.main import main

    at = Path(tempfile.mkdtemp()) / "run"
    main(
        [
            "train",
            "digits8",
            "--epochs",
            "1",
            "--limit",
            "40",
            "--hidden",
            "5",
            "--latent",
            "2",
            "--out",
            str(at),
        ]
    )
    return at


def run():
    return minivae.train.runs.open_run(folder_of_run())


@functools.cache
def detector():
    x = np.random.default_rng(2).random((60, 4))
    return minivae.uses.anomaly.detector.fit(
        x, epochs=1, hidden=(4,), latent=2, quantile=0.5, held_out=0.4
    )


OBJECTS = {
    "VAE": vae,
    "Model": vae,
    "GAN": lambda: vae(GAN),
    "Autoencoder": lambda: vae(Autoencoder),
    "ConditionalVAE": lambda: vae(ConditionalVAE, labels=digits().labels),
    "Classifier": lambda: Classifier(64, (5, 4), 10, rng=rng()),
    "Layer": Layer,
    "Sequential": lambda: minivae.Sequential(Linear(64, 2, rng=rng())),
    "Optimizer": Adam,
    "Settings": Settings,
    "Training": training,
    "Dataset": digits,
    "Pixels": lambda: data.Pixels(np.zeros((3, 64), np.uint8)),
    "Params": lambda: Params({"W": (3, 2)}),
    "Backend": lambda: get_backend("numpy"),
    "Case": lambda: CASES[0],
    "Likelihood": Bernoulli,
    "Generator": rng,
    "Run": run,
    "Detector": detector,
    "Trace": record,
    "Report": report,
    "VAEEstimator": fitted,
}
"""Name of a class -> maker of an object."""

NAMED = {
    "x": lambda: np.random.default_rng(1).random((20, 64)),
    "z": lambda: np.random.default_rng(1).standard_normal((20, 2)),
    "y": labelled,
    "shape": lambda: (8, 8),
    "name": lambda: "relu",
    "activation": lambda: "relu",
    "likelihood": lambda: "bernoulli",
    "kind": lambda: "constant",
    "backend": lambda: "numpy",
    "dtype": lambda: "float64",
    "init": lambda: "glorot",
    "axes": lambda: None,
    "ax": lambda: None,
    "progress": lambda: False,
    "labels": lambda: tuple("0123456789"),
    "limits": lambda: (0.0, 1.0),
    "name_or_path": lambda: "digits8",
    "path": lambda: Path("made.out"),
    "padding": lambda: "valid",
    "quantile": lambda: 0.5,
    "held_out": lambda: 0.3,
    "keep": lambda: 0.5,
    "tex": lambda: "x^2",
    "term": lambda: "loss",
    "epochs": lambda: 1,
}


def of_kind(hint):
    """A value of a kind."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return of_kind(inside[0])
    if inside and type(None) in inside:
        return None
    if origin in (typing.Union,) or str(origin) == "<class 'types.UnionType'>":
        return of_kind(inside[0])
    base = origin or hint
    name = getattr(base, "__name__", "")
    if name in OBJECTS:
        return OBJECTS[name]()
    simple = {int: 3, float: 0.5, str: "name", bool: False, bytes: b"x"}
    if base in simple:
        return simple[base]
    if base is np.ndarray or hint is typing.Any:
        return np.random.default_rng(1).random((3, 4))
    if base in (abc.Callable,):
        return lambda *_: None
    if base in (list, abc.Sequence, abc.Collection, abc.Iterable):
        return [of_kind(inside[0])] * 2 if inside else []
    if base is tuple:
        return tuple(of_kind(part) for part in inside if part is not Ellipsis)
    if base in (dict, abc.Mapping):
        return {}
    return None


def of_cases():
    """Reference -> valid arguments, by name, as its case draws them."""
    found = {}
    for case in CASES:
        arguments = case.draw(np.random.default_rng(3))
        y, cache = case.forward(**arguments, **case.options)
        found.setdefault(case.forward, {**arguments, **case.options})
        names = list(inspect.signature(case.backward).parameters)
        dy = np.ones_like(y[0] if isinstance(y, tuple) else y)
        found.setdefault(case.backward, dict(zip(names, (dy, *cache), strict=False)))
    return found


def arguments(function, own=()):
    """Name -> annotation and maker of a valid value, for each parameter."""
    known = of_cases_once().get(function, {})
    hints = hints_of(inspect.unwrap(function))
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name in own:
            continue
        hint = hints.get(name, typing.Any)
        if name in known:
            make = functools.partial(lambda v: v, known[name])
        elif parameter.default is not parameter.empty:
            make = functools.partial(lambda v: v, parameter.default)
        else:
            make = NAMED.get(name) or functools.partial(of_kind, hint)
        found[name] = (parameter, hint, make)
    return found


@functools.cache
def of_cases_once():
    return of_cases()


def instance(cls):
    """An object of a public class, or None if none is known."""
    if cls.__name__ in OBJECTS:
        return OBJECTS[cls.__name__]()
    if issubclass(cls, Layer):
        for case in CASES:
            if case.layer and type(made := case.layer(dtype="float64", backend="numpy")) is cls:
                return made
    try:
        given = {
            n: make()
            for n, (p, _, make) in arguments(cls.__init__, ("self",)).items()
            if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        }
        return cls(**given)
    except Exception:
        return None
