"""One HTML file that runs a trained model in any browser: no server, no network, no installation.

program.py     what the page has to compute, as data, or why it cannot
build.py       weights, examples and program, packed into one file
template.html, style.css
network.js     encoder and decoder, the library's forward passes once more
plane.js       the map that is dragged across
sketch.js      the picture that is drawn or dropped
explorer.js    what ties them together
"""

from .build import page_html, write_page

__all__ = ["page_html", "write_page"]
