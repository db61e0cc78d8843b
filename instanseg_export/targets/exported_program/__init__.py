"""The exported_program target: the forward as a ``.pt2`` file, for ``torch.export.load``."""
