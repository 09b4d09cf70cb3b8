"""Walking through a latent space: paths, their pictures, and a page to do it by hand.

`paths.py` computes codes, `pictures.py` draws them, `page/` makes the page.
Nothing here changes a model: whatever is walked through was trained elsewhere.
"""
