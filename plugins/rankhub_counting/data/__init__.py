"""Data sets of images in which objects are marked by points."""
