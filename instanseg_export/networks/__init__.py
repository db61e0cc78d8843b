"""Plain networks: tensors in, feature maps out, no pre- or post-processing. Each one scripts and exports."""
