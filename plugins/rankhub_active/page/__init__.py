"""A page to label on, in a browser on the same machine: ``rankhub label serve``."""
