"""The contracts between the engine and its plugins. Nothing here imports a plugin or the engine."""
