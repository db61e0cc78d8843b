"""Proof that every exported file finds the same cells: compared by instance, recorded and rendered."""
