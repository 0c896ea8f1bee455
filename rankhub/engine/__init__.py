"""Trains: phases, steps, optimiser, precision, state. Knows kinds of components, never their names."""
