"""Scenes that the program draws: what stands where, how it looks, and what lies behind it."""
