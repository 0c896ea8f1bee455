"""How well predicted scores agree with people's."""
