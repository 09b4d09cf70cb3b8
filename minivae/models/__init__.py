"""One model a file."""

from .autoencoder import Autoencoder
from .gan import GAN
from .vae import VAE

MODELS = {"vae": VAE, "autoencoder": Autoencoder, "gan": GAN}

__all__ = ["GAN", "MODELS", "VAE", "Autoencoder"]
