"""Words that say how a drug and a condition are related: cause, treatment, harm, lists.

Input: the text between two mentions, or around them. Output: whether it is so worded. Patterns were written
on BC5CDR's training abstracts; which of them count, and how much, is fitted (claim_model.json).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Between", "are_listed", "had_already", "speaks_of_harm"]

_CAUSES: Final = re.compile(
    r"\b(?:caus(?:e[sd]?|ing)|induc(?:e[sd]?|ing)|produc(?:e[sd]?|ing)|provok(?:e[sd]?|ing)"
    r"|trigger(?:s|ed|ing)?|elicit(?:s|ed|ing)?|evok(?:e[sd]?|ing)|precipitat(?:e[sd]?|ing)"
    r"|result(?:s|ed|ing)? in|le(?:ad|ads|d|ading) to|associated with|responsible for|implicated in"
    r"|develop(?:s|ed|ing|ment of)?|experienced|aggravat(?:e[sd]?|ing)|worsen(?:s|ed|ing)?"
    r"|exacerbat(?:e[sd]?|ing)"
    r"|(?:increase[sd]?|raise[sd]?|higher|greater|elevated) (?:the )?(?:risk|incidence|rate"
    r"|frequency)s? (?:of|for)"
    r"|risk factors? for|(?:side|adverse) (?:effects?|reactions?|events?))\b",
    re.IGNORECASE,
)
"""Between a drug and the condition behind it."""
_INDUCED: Final = re.compile(
    r"[-\u2010\u2011 ](?:induced|associated|related|provoked|triggered|mediated)\b", re.IGNORECASE
)
"""Directly behind a drug: "lithium-induced"."""
_CAUSED_BY: Final = re.compile(
    r"\b(?:(?:caused|induced|produced|provoked|triggered|elicited|evoked|precipitated|mediated) by|due to"
    r"|associated with|secondary to|(?:result(?:s|ed|ing)?|aris(?:es|ing)) from|because of|attribut(?:ed"
    r"|able) to"
    r"|more (?:frequent|common|often|severe|likely)(?:ly)? (?:\w+ )?(?:with|after|on|during)"
    r"|related to|following|after|side effects? (?:of|from)|adverse (?:effects?|reactions?|events?) (?:of|to)"
    r"|(?:complication|consequence|result)s? of|reactions? to|on exposure to|when (?:given|taking"
    r"|treated with))\b",
    re.IGNORECASE,
)
"""Between a condition and the drug behind it."""
_FILLER: Final = (
    r"(?:(?:a|an|the|some|its|his|her|their|any|more|most|both|either|significant(?:ly)?|marked(?:ly)?"
    r"|severe|mild"
    r"|moderate|acute|chronic|transient|persistent|reversible|dose[- ]dependent|fatal|profound|recurrent"
    r"|rapid(?:ly)?"
    r"|also|often|frequently|occasionally|rarely|did|does|do|not|can|cannot|could|may|might|will|would"
    r"|has|have"
    r"|had|been|is|was|were|are|be|being|never|known|reported|shown|found|to|of|therapy|treatment"
    r"|administration"
    r"|use|ingestion|infusion|injection|overdose|exposure|alone|only|possibly|probably|likely|patients"
    r"|episodes?"
    r"|cases?|which|that|directly|development|onset|occurrence) ?){0,4}"
)
_DIRECT: Final = re.compile(
    rf"^[ ,(]*{_FILLER}(?:caus(?:e[sd]?|ing)|induc(?:e[sd]?|ing)|produc(?:e[sd]?|ing)|provok(?:e[sd]?|ing)"
    rf"|trigger(?:s|ed|ing)?|elicit(?:s|ed|ing)?|evok(?:e[sd]?|ing)|precipitat(?:e[sd]?|ing)|result(?:s"
    rf"|ed|ing)? in"
    rf"|le(?:ad|ads|d|ading) to|aggravat(?:e[sd]?|ing)|worsen(?:s|ed|ing)?|exacerbat(?:e[sd]?"
    rf"|ing)) {_FILLER}$"
    rf"|^[-\u2010\u2011 ](?:induced|associated|related|provoked|triggered) {_FILLER}$",
    re.IGNORECASE,
)
"""The whole of what is between a drug and the condition that it is said to cause."""
_DIRECT_BY: Final = re.compile(
    rf"^[ ,(]*{_FILLER}(?:(?:caused|induced|produced|provoked|triggered|elicited|evoked|precipitated) by"
    rf"|due to"
    rf"|secondary to|result(?:s|ed|ing) from|because of|attribut(?:ed|able) to|side effects? of) {_FILLER}$",
    re.IGNORECASE,
)
_TREATS: Final = re.compile(
    r"\b(?:treat(?:s|ed|ing|ment|ments)?|therap(?:y|ies|eutic)|prevent(?:s|ed|ing|ion|ive)?"
    r"|prophyla(?:xis|ctic)"
    r"|protect(?:s|ed|ing|ion|ive)?|reduc(?:e[sd]?|ing|tion)|decreas(?:e[sd]?|ing)|lower(?:s|ed|ing)?"
    r"|inhibit(?:s|ed|ing|ion|ory)?|attenuat(?:e[sd]?|ing|ion)|ameliorat(?:e[sd]?|ing|ion)"
    r"|alleviat(?:e[sd]?|ing|ion)"
    r"|improv(?:e[sd]?|ing|ement)|reliev(?:e[sd]?|ing)|relief|suppress(?:es|ed|ing|ion)?|revers(?:e[sd]?"
    r"|ing|al)"
    r"|abolish(?:es|ed|ing)?|block(?:s|ed|ing|ade)?|antagoni[sz](?:e[sd]?|ing)|counteract(?:s|ed|ing)?"
    r"|inverse(?:ly)?|against|efficacy|effective(?:ness)?|manag(?:e[sd]?|ing|ement)|cur(?:e[sd]?|ing)"
    r"|indicat(?:ed|ion) (?:for|in)|resistan(?:t|ce)|deficien(?:t|cy)|withdrawal of|discontinu\w+)\b",
    re.IGNORECASE,
)
_FOR: Final = re.compile(r"^(?: \w+){0,2} (?:for|in)(?: (?:the|a|an|acute|chronic|severe|patients with))* ?$")
_HARM: Final = re.compile(
    r"\b(?:side[- ]effects?|adverse|toxic(?:ity|ities)?|neurotoxic\w*|nephrotoxic\w*|hepatotoxic\w*"
    r"|cardiotoxic\w*"
    r"|complications?|overdos\w*|poisoning|intoxication|hypersensitivity|abuse|exposure|case report|reaction"
    r"|[\w-]*induced|caus(?:ed|es|ing|e)|developed|following|occurred|incidence|risk)\b",
    re.IGNORECASE,
)
_COUNTERS: Final = re.compile(
    r"\b(?:prevent(?:s|ed|ing|ion|ive)?|prophyla(?:xis|ctic)|protect(?:s|ed|ing|ion|ive)?|reduc(?:e[sd]?"
    r"|ing|tion)"
    r"|decreas(?:e[sd]?|ing)|lower(?:s|ed|ing)?|inhibit(?:s|ed|ing|ion|ory)?|attenuat(?:e[sd]?|ing|ion)"
    r"|ameliorat(?:e[sd]?|ing|ion)|alleviat(?:e[sd]?|ing|ion)|improv(?:e[sd]?|ing|ement)|reliev(?:e[sd]?"
    r"|ing)|relief"
    r"|suppress(?:es|ed|ing|ion)?|revers(?:e[sd]?|ing|al)|abolish(?:es|ed|ing)?|antagoni[sz](?:e[sd]?|ing)"
    r"|counteract(?:s|ed|ing)?|inverse(?:ly)?|against|control(?:led|ling)?|used (?:to|for|in)"
    r"|cur(?:e[sd]?|ing)"
    r"|compared (?:to|with)|versus|vs|than|unrelated to|less (?:frequent|common|often|severe|likely)"
    r"|for (?:the )?(?:treatment|management|prevention|prophylaxis) of|to treat|treatment of)\b",
    re.IGNORECASE,
)
"""Between the two: the drug is against the condition, or one is compared with the other."""
_DENIES: Final = re.compile(
    r"\b(?:not|never|no|neither|nor|cannot|without)(?: [\w-]+){0,3}? "
    r"(?:caus|induc|produc|provok|trigger|elicit|associat|relat|correlat|lead|result|increas|develop|attribut)[a-z]*",
    re.IGNORECASE,
)
"""Between the two: the words of cause are denied where they stand."""
_PATIENTS_WITH: Final = re.compile(
    r"\b(?:patients?|subjects?|women|men|children|adults|infants|individuals|cases?|rats|mice|history of"
    r"|diagnos\w+"
    r"|suffering from|man|woman|boy|girl|child)\b(?: \w+){0,3}? (?:with|of|from|having|as)(?: [\w-]+){0,2} $"
    r"|\bhistory of(?: [\w-]+){0,2} $",
    re.IGNORECASE,
)
"""Before a condition that patients had already."""
_IN_LIST: Final = re.compile(r"^[\s,/;()]*(?:(?:and|or|plus|as well as|and/or|with)[\s,]*)?$")
"""Between two members of a list."""
_TOUCHING: Final = re.compile(r"^[ ]?[-\u2010\u2011/]?(?:induced|associated|related)? ?$")

PREFIX_CHARACTERS: Final = 60
"""Read before a condition."""


class Between:
    """What stands between a drug and a condition, in the order of the text."""

    def __init__(self, words: str, *, drug_first: bool) -> None:
        self._words = words
        self._drug_first = drug_first

    @property
    def is_direct(self) -> bool:
        """Nothing but words of cause: "Lithium induced severe tremor"."""
        return (_DIRECT if self._drug_first else _DIRECT_BY).match(self._words) is not None

    def causes(self, drug_ends: frozenset[int]) -> bool:
        """Whether there are words of cause. `drug_ends`: where drugs end in it, 0 for the first one."""
        if (_CAUSES if self._drug_first else _CAUSED_BY).search(self._words):
            return True
        return self._drug_first and any(
            match.start() in drug_ends for match in _INDUCED.finditer(self._words)
        )

    @property
    def treats(self) -> bool:
        """Words of treatment."""
        if _TREATS.search(self._words):
            return True
        return self._drug_first and _FOR.match(self._words) is not None

    @property
    def counters(self) -> bool:
        """Words by which the drug is against the condition."""
        return _COUNTERS.search(self._words) is not None

    @property
    def denial(self) -> tuple[int, int] | None:
        """Characters of it that deny its words of cause."""
        match = _DENIES.search(self._words)
        return None if match is None else match.span()

    @property
    def is_touching(self) -> bool:
        """Next to nothing: "lithium tremor"."""
        return _TOUCHING.match(self._words) is not None


def are_listed(words: str) -> bool:
    """Whether the words between two mentions make them members of one list."""
    return _IN_LIST.match(words) is not None


def speaks_of_harm(sentence: str) -> bool:
    return _HARM.search(sentence) is not None


def had_already(text: str, condition: int) -> bool:
    """Whether patients are said to have had the condition that begins at a character."""
    return _PATIENTS_WITH.search(text[max(0, condition - PREFIX_CHARACTERS) : condition]) is not None
