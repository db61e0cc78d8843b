"""An interpreter of MIL, the language of Core ML's programs."""
