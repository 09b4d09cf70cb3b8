"""One model a file."""

from .autoencoder import Autoencoder
from .conditional import ConditionalVAE
from .gan import GAN
from .vae import VAE

MODELS = {"vae": VAE, "autoencoder": Autoencoder, "cvae": ConditionalVAE, "gan": GAN}

__all__ = ["GAN", "MODELS", "VAE", "Autoencoder", "ConditionalVAE"]
