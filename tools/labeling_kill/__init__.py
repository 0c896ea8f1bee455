"""Kills the commands of labeling at random moments, and looks at what they leave."""
