"""Data sets that need no download: the colour photos of scikit-image, pristine and distorted."""
