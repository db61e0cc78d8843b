"""The pieces of ``forward``: one idea per file, each written once and compiled by torch.jit.script and torch.export.

Rules that keep the labels equal in every runtime, to the last pixel:

* decisions rest on additions, multiplications, divisions and comparisons of float32 in a fixed order, which IEEE 754
  defines exactly, never on a library's exp, matrix product or reduction of floats;
* ties are broken by position, never by the order in which a runtime happens to visit elements;
* scatters use only ``scatter_add`` of ones and ``scatter_reduce`` with amin and amax, whose results have no order;
* non-finite numbers are removed at the input, and "nothing" is a finite sentinel.

Runtimes that know no loops over data get the twins in ``..._static.py``, which are held to the stages beside them.

TorchScript does not see global constants, so shared ones are functions in sentinels.py.
"""
