"""The VAE in scikit-learn's habits: `fit`, `transform`, `score` on tables and pictures.

Its conventions are kept, which its own checks test. scikit-learn itself is never needed: it is
imported only where it is there and asks.
"""

from .estimator import VAEEstimator

__all__ = ["VAEEstimator"]
