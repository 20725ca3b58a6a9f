"""Which two parts of a word are written with a hyphen, where a document does not show it.

Comes in: the part before a hyphen at a line's end, the part after it, and the document's words. Leaves:
whether the hyphen belongs to the word. The lists are of biomedical English: beginnings and ends that are
hyphenated, prefixes that are not, and words that are written as one though both parts are words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["keeps_hyphen"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOWELS: Final = frozenset("aeiou")
BEGINNINGS: Final = _words(
    """
    cross day double early false first follow full good half health high hospital intent large late
    least left life light long low lower mean medium moderate month near newly non odds open patient
    placebo point population quality quasi real right risk second self semi short single small
    steady third three time treatment triple true upper waist wait waiting week well wild year
    """
)
"""Beginnings that are joined by a hyphen to almost whatever word follows."""
ENDINGS: Final = _words(
    """
    adjusted analyses analysis arm assessed associated based binding blind blinded blocker blockers
    care case cause cell cells centre center centred centered class controlled course day days
    deficient dependent derived dose driven effective effectiveness eluting enhanced expressing fold
    free guided hour hours independent induced infected informed intensity known label labelled
    labeled lasting level like limiting lowering making matched mediated minute minutes month months
    naive naïve negative onset phase positive powered quality reactive refractory reported related
    resistant responsive scale sectional selected sensitive sided sparing specific stage standing
    stimulating structured tailed term threatening tolerated treated treatment volume week weekly
    weeks weighted wide year years
    """
)
"""Ends that are joined by a hyphen to a word before them."""
JOINED: Final = _words(
    """
    background baseline because bedside birthday bloodstream bodyweight breakdown caregiver
    caregivers childbirth childhood clockwise dataset datasets database databases daytime deadline
    download earlier earliest endpoint endpoints feedback fingerprint footnote forearm framework
    guideline guidelines handbook headache heartbeat heartburn highlight highlighted highlights
    hospitalwide however household inpatient inpatients inside into itself keyboard landmark
    lifespan lifestyle lifetime likewise meanwhile midline moreover network networks nevertheless
    notebook nowadays offspring otherwise outbreak outcome outcomes outline outpatient outpatients
    output outside outweigh overall overdose overview overweight painkiller pathway pathways percent
    percentage someone something sometimes software somewhat standpoint statewide straightforward
    therefore thereby throughout timeline timepoint timepoints today together toward towards
    underlying undergo underwent update updated upright waistline wavelength weekday weekdays
    weekend weekends whereas whereby whether widespread within without withdraw withdrawal withdrawn
    workbook workflow workforce workload workplace workshop worldwide
    """
)
"""Words written as one of which both parts may be words of the document."""
SUBJECTS: Final = _words(
    """
    age all cost dose drug gene group sex site
    """
)
"""Short words that stand before ENDINGS."""
PREFIXES: Final = _words(
    """
    ab ac ad af al an ana ante anti ap ar as at auto be bi bio cardio cata centi chemo co col com
    con contra cor counter cyto de deci di dia dis electro em en endo epi equi ex extra fore gastro
    geo glyco haemato hemato hepato hetero histo homo hydro hyper hypo il im immuno in infra inter
    intra intro ir iso kilo leuko lympho macro mal mega meta micro milli mini mis mono multi myo
    nano nephro neuro neutro ob oc omni onco op ortho osteo out over pan para patho per peri
    pharmaco phos phospho photo physio poly post pre pro proto pseudo psycho quadri radio re retro
    rheumato se sero sub suf sup super supra sur sus sym syn tele tetra thermo thrombo trans tri
    ultra un under uni vaso
    """
)
PARTICLES: Final = _words(
    """
    by down off out up
    """
)
LINKS: Final = _words(
    """
    and at by for in of on or out the to up
    """
)
"""Words in the middle of a compound: end-of-life, state-of-the-art."""
MIN_END: Final = 3
"""Letters of what follows one of BEGINNINGS."""
MIN_PART: Final = 4
"""Letters of each part of two words of the document that make a compound."""
_SUFFIXES = re.compile(
    r"(?:a[bnt]?l?e?|age|al|an[ct]e?|ant|ar|ary|ation|ed|e[nr]|en[ct]e?|ent|es|est|ful|hood|i[scvz]e?|ib?le?|if|ing|i?on"
    r"|is[mt]|it|less|ly|ment|ness|or|ory|ou?s|ship|sion|tion|ward|ways|wise|y|ies?|s)+"
)


def keeps_hyphen(first: str, second: str, words: Mapping[str, int]) -> bool:
    """Whether `first`-`second` is written with its hyphen; `words` counts the document's, in lower case."""
    before, _, last = first.rpartition("-")
    begin = last.casefold()
    if len(last) == 1 or not last[1:].islower() or "α" <= begin[0] <= "ω":
        return True  # X-ray, β-blocker, T-cells, mRNA-based
    if before and begin in LINKS:
        return True
    known = words.get(begin, 0) > 0 or begin in SUBJECTS
    if begin + second in JOINED:
        return False
    return _by_parts(begin, second, known=known) or (
        known
        and words.get(second, 0) > 0
        and min(len(begin), len(second)) >= MIN_PART
        and begin not in PREFIXES
    )


def _by_parts(begin: str, second: str, *, known: bool) -> bool:
    """Whether the lists say that the hyphen stays; `known` if `begin` is a separate word."""
    if second in PARTICLES:
        return known or begin in BEGINNINGS
    if begin in BEGINNINGS and not _SUFFIXES.fullmatch(second):
        return len(second) >= MIN_END
    if begin in PREFIXES:
        return begin[-1] in VOWELS and begin[-1] == second[0]  # anti-inflammatory
    return second in ENDINGS and (known or len(begin) > MIN_PART)
