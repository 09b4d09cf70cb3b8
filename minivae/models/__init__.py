"""One model a file."""

from .autoencoder import Autoencoder
from .vae import VAE

MODELS = {"vae": VAE, "autoencoder": Autoencoder}

__all__ = ["MODELS", "VAE", "Autoencoder"]
