"""Suites of tests that any member passes, ours and other packages': subclass one, and pytest collects its tests.

They need pytest (``pip install 'instanseg-export[test]'``, or pytest alone), which nothing else in this package
imports. See ``docs/adding-a-member.md``.
"""

from __future__ import annotations

import pytest

# Before the suites are imported, so that a failed assertion shows its values.
for _suite in ("family", "image_reader", "runtime", "target"):
    pytest.register_assert_rewrite(f"{__name__}.{_suite}")
