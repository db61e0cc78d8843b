"""The ExecuTorch target, for apps on phones: the network alone."""
