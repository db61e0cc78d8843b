"""Small files as people's tools write them, each with what is right: its planes, or that it is refused."""
