"""Puts packages where other people find them: the BioImage Model Zoo, a release on GitHub, a static site."""
