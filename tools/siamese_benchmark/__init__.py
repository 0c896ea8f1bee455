"""What bench_siamese.py measures, and how."""
