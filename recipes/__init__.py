"""The recipes that come with rankhub, as package data."""
