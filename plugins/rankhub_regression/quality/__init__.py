"""How well predicted scores agree with people's, and with the order of ranked views."""
