"""What a check found, and how it is shown: as text, as HTML, as pictures.

`result.py` holds what was found, on which the forms stand.
Nothing here computes a gradient.
"""
