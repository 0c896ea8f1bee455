"""What compare_pairs.py races, and how."""
