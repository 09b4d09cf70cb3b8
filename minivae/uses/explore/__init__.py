"""Walking through a latent space: paths, their pictures, and a page to do it by hand."""
