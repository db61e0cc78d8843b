"""What several tests need: networks, checkpoints, images, exported files, and programs that they start."""
