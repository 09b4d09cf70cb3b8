"""What a check found, and how it is shown: as text, as HTML, as pictures.

Results are plain data; text and HTML stand on them. Nothing here computes a gradient or calls
somebody's code.
"""
