"""One HTML file that decodes melodies in any browser, plays them and saves them as MIDI.

- `build.py`: weights, codes and melodies, packed into one file
- `template.html`, `style.css`: its frame, beside the style of `../page/`
- `decoder.js`: the decoders, all steps at once or one after the other
- `notes.js`: symbols as notes, a piano roll, and a MIDI file
- `player.js`: sound
- `listen.js`: what ties them together

Layers, the map and small helpers are those of `../page/`. Nothing of it reads a file or asks a
server.
"""

from .build import page_html, write_page

__all__ = ["page_html", "write_page"]
