"""Finds plugins and holds their components: hook specifications, discovery, the frozen catalog."""
