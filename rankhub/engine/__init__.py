"""Trains: phases, steps, optimizer, precision, state. Knows kinds of components, never their names."""
