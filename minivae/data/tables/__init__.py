"""Tables of numbers as people keep them: files of cells, and what a model remembers of one.

`layout.py` finds out how a file is written, `cells.py` reads its rows in parts, `reading.py` makes
columns of them, and `form.py` keeps names, categories and the scale with a model. Nothing here
guesses in silence: what can be taken in two ways is asked about, and what is passed over is
counted.
"""
