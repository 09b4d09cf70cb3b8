"""Likelihoods: how probable are the data, given what the decoder put out; one file each.

What they share is in `base.py`. A new file here is found, by the `name` of its class.
Each answers for itself; nobody outside asks a likelihood for its name.
"""
