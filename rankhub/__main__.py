"""Lets `python -m rankhub` (and so `torchrun -m rankhub`) start the command that is installed as `rankhub`."""

from importlib.metadata import entry_points

if __name__ == "__main__":
    next(iter(entry_points(group="console_scripts", name="rankhub"))).load()()
