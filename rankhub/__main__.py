"""Lets `python -m rankhub` (and so `torchrun -m rankhub`) start the command line."""

from rankhub.cli.main import main

if __name__ == "__main__":
    main()
