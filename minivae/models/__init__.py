"""One model a file."""

from .autoencoder import Autoencoder
from .conditional import ConditionalVAE
from .vae import VAE

MODELS = {"vae": VAE, "autoencoder": Autoencoder, "cvae": ConditionalVAE}

__all__ = ["MODELS", "VAE", "Autoencoder", "ConditionalVAE"]
