"""The parts of ``tools/compare_methods.py``."""
