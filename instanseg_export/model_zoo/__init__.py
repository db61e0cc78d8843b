"""The page of each model that we publish: what it finds and misses, and how its files compare, as it was recorded."""
