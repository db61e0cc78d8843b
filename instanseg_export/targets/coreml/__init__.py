"""Core ML: the static form of a forward as one ML program."""
