"""Files that are made to exhaust, deceive or take over the program that reads a checkpoint."""
