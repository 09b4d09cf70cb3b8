"""Melodies: two bars of music, a symbol for each sixteenth, and the tunes that they are taken from.

Nothing here is downloaded, and no model is known: they leave as rows of numbers.

- `alphabet.py`: the tokens, and notes
- `tune.py`: a tune in bars, and its windows of two bars
- `abc_reader.py`, `keys.py`, `repeats.py`: tunes in ABC
- `midi.py`, `sound.py`: MIDI files, read and written, and sound
- `embedded.py` and `tunes.abc`: the data set `melodies`; `motifs.py`: the data set `motifs`
- `own.py`: files of the user's own
"""
