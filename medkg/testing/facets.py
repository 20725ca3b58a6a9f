"""Facets and filters as Hypothesis draws them, for the stores' suites: few values, so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from orchestration.contracts import Filters

DAYS = st.sampled_from(["2018-12-31", "2019-01-01", "2019-05-17", "2020-02-29"])
TERMS = {
    "phase": st.sampled_from(["1", "2", "early 1"]),
    "status": st.sampled_from(["completed", "recruiting"]),
    "condition": st.sampled_from(["asthma", "type 2 diabetes", 'parkinson\'s "disease"']),
    "licence": st.sampled_from(["cc-by", "cc0", "none"]),
    "flag": st.sampled_from(["retracted", "corrected", "expression-of-concern"]),
    "mesh": st.sampled_from(["neoplasms", "asthma", "\u03b2-thalassemia"]),
}

FACETS = st.fixed_dictionaries(
    {},
    optional={name: st.lists(terms, min_size=1, max_size=2, unique=True) for name, terms in TERMS.items()}
    | {"date": DAYS.map(lambda day: [day])},
)
"""What a chunk's metadata says of its document."""

FILTERS = st.builds(
    Filters,
    source=st.sampled_from([(), "files", ("pmc", "FILES")]),
    section=st.sampled_from([(), "results", ""]),
    without_flag=st.sampled_from([(), "retracted", ("corrected", "expression-of-concern")]),
    since=st.sampled_from(["", "2019", "2019-05", "2020-02-29"]),
    until=st.sampled_from(["", "2019", "2019-05", "2019-01-01"]),
    **{name: st.one_of(st.just(()), st.lists(terms, max_size=2)) for name, terms in TERMS.items()},
)
