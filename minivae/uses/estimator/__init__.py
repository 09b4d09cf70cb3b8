"""The VAE in scikit-learn's habits."""

from .estimator import VAEEstimator

__all__ = ["VAEEstimator"]
