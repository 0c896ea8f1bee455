"""Labeling in rounds: a pool of images, which to label next, the answers, and the network that learns from them."""
