"""Conformance suites: one per contract, which every implementation, ours or a plugin's, passes.

Subclass the suite of your contract in your tests and provide its fixtures; docs/plugins.md has a
complete example. `builders` makes small valid records, `synthetic_pdfs` PDFs in the layouts of journals.
Requires pytest, which medkg does not install: `pip install medkg[testing]`.
"""

import pkgutil

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{suite.name}" for suite in pkgutil.iter_modules(__path__)))
