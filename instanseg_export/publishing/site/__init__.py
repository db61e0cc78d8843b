"""Models as a static site, which any web server can host and which runs nothing."""
