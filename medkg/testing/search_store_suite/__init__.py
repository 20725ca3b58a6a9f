"""What every SearchStore promises, part by part; SearchStoreSuite is all of it.

A test module subclasses SearchStoreSuite and gives it a `store` fixture. `builders` arranges keyed chunks and
term weights.
"""

from __future__ import annotations

from medkg.testing.search_store_suite.entries import EntrySuite
from medkg.testing.search_store_suite.ranking import RankingSuite
from medkg.testing.search_store_suite.term_weights import TermWeightSuite
from medkg.testing.search_store_suite.words import WordSuite

__all__ = ["SearchStoreSuite"]


class SearchStoreSuite(RankingSuite, WordSuite, TermWeightSuite, EntrySuite):
    """Subclass it once per implementation."""
