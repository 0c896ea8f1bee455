"""``rankhub label``: its verbs."""
