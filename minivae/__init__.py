"""minivae: a variational autoencoder to read, step through and check."""

from . import data
from .backend import get_backend
from .checkpoint import load_checkpoint, save_checkpoint
from .errors import MinivaeError
from .estimator import VAEEstimator
from .evaluate import evaluate, log_likelihood
from .layer import Layer, Sequential
from .models import VAE, Autoencoder
from .objectives import ELBO, BetaSchedule, ImportanceWeighted
from .ops import Activation, Dropout, Linear
from .optim import SGD, Adam, AdamW, Momentum
from .params import Params
from .train import Settings, Training, fit

__version__ = "0.1.0"

__all__ = [
    "ELBO",
    "SGD",
    "VAE",
    "Activation",
    "Adam",
    "AdamW",
    "Autoencoder",
    "BetaSchedule",
    "Dropout",
    "ImportanceWeighted",
    "Layer",
    "Linear",
    "MinivaeError",
    "Momentum",
    "Params",
    "Sequential",
    "Settings",
    "Training",
    "VAEEstimator",
    "data",
    "evaluate",
    "fit",
    "get_backend",
    "load_checkpoint",
    "log_likelihood",
    "save_checkpoint",
]
