"""Data sets of images that people scored: one base, one module for each annotation format."""
