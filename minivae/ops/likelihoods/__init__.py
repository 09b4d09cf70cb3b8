r"""Likelihoods: $\ln p(x | z)$ for one kind of data each, and all that follows from it.

Each file answers for itself: the loss, the mean, draws, the bias that a decoder starts from.
What they share is in `base.py`; nobody outside asks a likelihood for its name.
"""
