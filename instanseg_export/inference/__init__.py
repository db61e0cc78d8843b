"""A model and images in, label files, pictures, outlines and tables out."""
