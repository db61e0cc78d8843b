"""From images and label maps to weights: the objectives of the papers, and a loop that may be killed at any moment.

``python -m instanseg_export.training recipe.yaml`` runs it; needs the extra ``train``.
"""

from __future__ import annotations
