"""Which images lie in a folder: found once, kept, and checked by the times of its folders. A base, no plugin."""
