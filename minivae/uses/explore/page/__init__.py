"""One HTML file that runs a trained model in any browser: no server, no network, no installation.

- `program.py`: what the page has to compute, as data, or why it cannot
- `build.py`: weights, examples and program, packed into one file
- `template.html`, `style.css`: its frame
- `network.js`, `layers.js`: encoder and decoder, the library's forward passes once more
- `pictures.js`: pixels as pictures, and the examples
- `chart.js`, `plane.js`: what the map looks like; how it lies in the latent space and is dragged
- `sketch.js`: the picture that is drawn, opened or dropped
- `sliders.js`: a slider for each latent number
- `words.js`: what the page says
- `explorer.js`: what ties them together

Nothing of it reads a file or asks a server.
"""

from .build import page_html, write_page

__all__ = ["page_html", "write_page"]
