"""One format per file: each opens a file, says what is known of it, and reads the part that is asked for."""
