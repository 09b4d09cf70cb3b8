"""Mistakes that can be read off the two gradients alone: a factor, a swap, a place, an expression.

One kind of mistake a file.
Nothing here knows what the function computes.
"""
