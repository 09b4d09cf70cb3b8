"""One model a file: how layers are joined, and where the gradients of branches are added.

Beside them is what encoders and decoders are made of, and the objectives.
No operation is written here, and nothing is trained: formulas of one step are all there is.
"""

from .autoencoder import Autoencoder
from .conditional import ConditionalVAE
from .gan import GAN
from .vae import VAE

MODELS = {"vae": VAE, "autoencoder": Autoencoder, "cvae": ConditionalVAE, "gan": GAN}

__all__ = ["GAN", "MODELS", "VAE", "Autoencoder", "ConditionalVAE"]
