"""Words of queries: those that say nothing, and how many are asked for at most."""

from __future__ import annotations

from typing import Final

__all__ = ["MOST_TERMS", "STOP_WORDS"]

MOST_TERMS: Final = 64
"""Words of a query that are looked for; a question has fewer, and a pasted page would find all there is."""

STOP_WORDS: Final = frozenset(
    """a about after all also an and any are as at be been before being between both but by can could did do
    does doing during each for from further had has have having how if in into is it its may more most no
    nor not of on only or other our out over own same should so some such than that the their them then
    there these they this those through to too under until up very was we were what when where which while
    who whom why will with would""".split()  # noqa: SIM905 - a list would be a line a word
)
