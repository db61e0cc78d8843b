"""Releases on GitHub: a draft gets its files first, and is published when all of them are there."""
