"""The role of a section by its heading: one vocabulary of roles for all formats.

Comes in: a heading as printed, the role its format declares, its parent's role. Leaves: a role such as
`methods`, or None. Search filters (`--section methods`) and chunk profiles go by these roles.
"""

from __future__ import annotations

import re

_ROLE_PATTERNS = {
    "abstract": r"(structured )?abstract|(author|brief|lay|plain[- ]language|editors?'?s?'?) summary|"
    r"summary|synopsis",
    "introduction": r"introduction|intro|background( and .*)?|rationale.*|context|objectives?( .*)?|"
    r"aims?( .*)?|purposes?|hypothes[ie]s|study objectives?|summary of background data|object",
    "methods": r"(materials?|patients?|subjects?|participants?|data|experimental|research design|"
    r"study design)?( and |/| & |, )?(methods?|methodology|procedures?)( and (materials?|patients|design))?|"
    r"(study |research |trial |experimental )?design( .*)?|experimental (section|procedures?)|"
    r"materials?|patients?|participants?|subjects?|setting( .*)?|interventions?|"
    r"(main )?(outcome )?measure(ment)?s?|data (sources?|extraction|synthesis|collection|analysis)|"
    r"study selection|statistical analys[ie]s|methodology/principal findings|materials\|methods|population",
    "results": r"(main |principal )?(results?|findings)( and discussion| and interpretation|/discussion)?|"
    r"methods and results|measurements and (main )?results",
    "discussion": r"(general )?discussions?( and conclusions?)?|comments?|interpretation|"
    r"(strengths and )?limitations?",
    "conclusions": r"(general |main )?(conclusions?|concluding remarks)(/significance|/interpretation)?"
    r"( and .*)?|significance|implications|summary and conclusions?",
    "case": r"case (reports?|presentations?|descriptions?)",
    "supplementary": r"(supporting|supplementary|additional|supplemental) (information|materials?|data|"
    r"files?)|appendi(x|ces)( .*)?|supplementary-material",
    "acknowledgements": r"acknowledge?ments?|thanks",
    "funding": r"(funding|financial (support|disclosure)|grant support|sources? of (funding|support))( .*)?",
    "competing_interests": r"((competing|conflicts? of|declarations? of|duality of) interests?)( .*)?|"
    r"disclosures?",
    "ethics": r"ethics?( .*)?|ethical .*|informed consent( .*)?",
    "abbreviations": r"(list of )?abbreviations( .*)?|glossary",
    "eligibility": r"eligibility( criteria)?|(inclusion|exclusion)( and exclusion)? criteria",
    "outcomes": r"(primary |secondary |other )?(outcomes?|end-?points?)( measures?)?",
}
_ROLES = {role: re.compile(pattern) for role, pattern in _ROLE_PATTERNS.items()}
_MARKS_BACKWARDS = re.compile(r"(?:(?:\][\w,;–-]{1,12}\[|[*†‡§¶#])\s*)+")
_NUMBERING = re.compile(r"^(section\s+)?([0-9]+|[ivx]+|[a-z])([.):]|(\.[0-9]+)+\.?)\s*|^[0-9]+\s+")


def section_role(heading: str) -> str | None:
    """The role that a heading names, or None: '2. Materials and Methods:' gives 'methods'."""
    plain = " ".join(heading.casefold().replace("’", "'").split()).rstrip(".: ")
    plain = _NUMBERING.sub("", _without_marks(plain).rstrip(".: "), count=1)
    return next((role for role, pattern in _ROLES.items() if pattern.fullmatch(plain)), None)


def _without_marks(heading: str) -> str:
    """The heading without marks at its end, read backwards: forwards each would be tried as the first."""
    marks = _MARKS_BACKWARDS.match(heading[::-1])
    return heading[: -marks.end()] if marks else heading


def inherited_role(heading: str, declared: str | None, parent: str | None) -> str | None:
    """The role of a section inside `parent`: abstract within an abstract, else the nearest role."""
    if parent == "abstract":
        return parent
    return declared or section_role(heading) or parent
