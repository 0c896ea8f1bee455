"""Recipes: their schema, overrides, checks, and the report of errors."""
