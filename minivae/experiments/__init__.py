"""Experiments: what is commonly said about VAEs, measured."""
