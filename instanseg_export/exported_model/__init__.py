"""A model as it was exported: its files, its metadata, and what lies beside them."""

from .model import ExportedModel, open_model

__all__ = ["ExportedModel", "open_model"]
