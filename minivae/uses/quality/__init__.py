"""How good a model's samples are, and whether its latents collapsed."""
