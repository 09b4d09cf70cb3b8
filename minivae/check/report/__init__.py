"""What a check found, and how it is shown: as text, as HTML, as pictures.

Nothing here computes a gradient.
"""
