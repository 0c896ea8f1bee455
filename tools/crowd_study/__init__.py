"""The parts of ``tools/measure_crowds.py``."""
