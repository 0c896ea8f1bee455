"""Official plugin: what one does with a trained network."""
