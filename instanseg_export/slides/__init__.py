"""Images that do not fit into memory: whole slides and volumes, in tiles, with each object once."""
