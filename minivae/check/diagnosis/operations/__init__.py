"""What a known operation is, how one is recognised by its values, and what its mistakes predict.

Mistakes that follow from a right gradient alone are derived here, in `known.py`.
The operations themselves never stand here, but in `catalogue/`.
"""
