"""How good a model's samples are, and whether its latents collapsed.

`measures.py` compares samples with data, by the features of a judge that is trained on them.
Nothing here draws a picture or prefers a kind of model: it measures whatever samples it is given.
"""
