"""The parts of ``tools/measure_counting.py``; the settings and methods serve ``tools/measure_crowds.py`` too."""
