"""Counting from density maps: data sets, nested crops, the density head, its loss and its evaluation."""
