"""TorchScript: what QuPath, Fiji (deepImageJ) and DJL load."""
