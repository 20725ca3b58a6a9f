"""Studies of ClinicalTrials.gov: the parser plugin `ctgov-v2`.

Comes in: studies as the registry's API returns them. Leaves: record locations and Documents. `parser` is the
plugin and reads the protocol; `results` with `events` and `cells` reads result tables, `publications` what
else a record holds; `fields` writes any field as a line.
"""

from orchestration.parsing.clinicaltrials.parser import ClinicalTrialsParser

__all__ = ["ClinicalTrialsParser"]
