"""Each object once: which tile has the say over it, and how its label map is put together."""
