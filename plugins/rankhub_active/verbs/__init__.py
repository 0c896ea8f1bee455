"""``rankhub label``: its verbs, one file each."""
