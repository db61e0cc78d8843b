"""The page that runs a model in a browser: built, put together with a model, and served to this computer."""
