"""Mistakes that can be read off the two gradients alone: a factor, a swap, a place.

Nothing here knows what the function computes, and nothing here runs it.
What needs a look at its steps is in `steps/`.
"""
