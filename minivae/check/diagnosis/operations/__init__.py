"""Which known operation a function is, and the mistakes that are made in it.

The operations themselves stand in `catalogue/`, never here.
"""
