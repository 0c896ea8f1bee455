"""What bench_losses.py measures, how, and what it reads from the figures."""
