"""Mistakes that can be read off the two gradients alone: a factor, a swap, a place, an expression.

Nothing here knows what the function computes.
"""
