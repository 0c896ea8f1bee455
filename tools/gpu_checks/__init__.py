"""What ``check_gpu.py`` checks and measures, a module a subject."""
