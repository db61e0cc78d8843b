"""The aot_inductor target: the forward as machine code for this kind of computer."""
