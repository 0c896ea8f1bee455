"""The plugin's recipes."""
