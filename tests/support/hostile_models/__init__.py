"""Exported files and packages that are made to exhaust, deceive or take over who opens them."""
