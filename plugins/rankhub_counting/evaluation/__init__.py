"""How well predicted counts agree with the points of images."""
