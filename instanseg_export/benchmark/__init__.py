"""How fast an exported model is, in what memory, in every runtime, and how fast this machine could be at best."""
