"""Mentions that agree within a document: one label for a name, all its occurrences, abbreviations resolved.

Input: the text, its passages and the spans that the tagger found. Output: mentions, each with the name of
its concept. A tagger reads windows one by one and sees "MTX" once as a drug and once not at all; the document
as a whole decides. Source of document-level votes: Krishnan, Manning, ACL 2006, https://aclanthology.org/P06-1141/.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestration.contracts import CharRange, TaggedSpan, abbreviations

__all__ = ["Mention", "agreed_mentions", "is_name"]

LEAST_SHARE: Final = 0.75
"""Of a name's occurrences that the tagger found, for the others to be mentions too. On 130 BioRED texts,
from which the model has not learned: F1 of diseases .767 instead of .766, recall .794 instead of .792; with a
smaller share precision falls faster than recall rises."""
LEAST_CHARACTERS: Final = 3
"""Of a name whose other occurrences become mentions."""
MOST_CHARACTERS: Final = 150
"""Of a mention. The longest of 14,530 in the training abstracts of BC5CDR and NCBI Disease has 105."""
NAMES_PER_PATTERN: Final = 500
_NO_NAME: Final = re.compile(
    r"(?:crlf|eol|eof|html|https?|xml|json|css|url|www|utf|ascii|doi|pdf|null|nan|undefined|tables?|figures?|figs?"
    r"|appendix|supplementary|references?|section|chapter|pages?|equation|footnote|abstract|introduction"
    r"|background|objectives?|methods?|results?|discussion|conclusions?)[.:]?",
    re.IGNORECASE,
)
"""Words of formats, and of parts of a document."""


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A mention in the text."""

    start_char: int
    end_char: int
    label: str
    confidence: float
    name: str
    """Of the concept: as the document writes it in full, in lower case."""

    @property
    def concept(self) -> tuple[str, str]:
        """Label and name: mentions of one concept share both."""
        return self.label, self.name


def agreed_mentions(text: str, passages: Sequence[CharRange], spans: Sequence[TaggedSpan]) -> list[Mention]:
    """The mentions in order; they do not overlap."""
    cut = (_in_one_line(text, span) for span in spans)
    spans = [span for span in cut if is_name(text[span.start_char : span.end_char])]
    long_of = dict(_abbreviated(text))
    votes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    tagged: Counter[str] = Counter()
    for span in spans:
        name = _folded(text[span.start_char : span.end_char])
        tagged[name] += 1
        votes[long_of.get(name, name)][span.label] += span.confidence
    label_of = {name: max(sorted(counts), key=counts.__getitem__) for name, counts in votes.items()}
    confidence_of = _means(text, spans)
    mentions = []
    for span in spans:
        name = _folded(text[span.start_char : span.end_char])
        full = long_of.get(name, name)
        mentions.append(Mention(span.start_char, span.end_char, label_of[full], span.confidence, full))
    others = _untagged(text, passages, tagged.keys(), mentions)
    for name, places in others.items():
        share = tagged[name] / (tagged[name] + len(places))
        full = long_of.get(name, name)
        if share >= LEAST_SHARE:
            mentions += [
                Mention(start, end, label_of[full], share * confidence_of[name], full)
                for start, end in places
            ]
    return sorted(mentions)


def is_name(words: str) -> bool:
    """Whether a span can be the name of a drug or a condition.

    It has a letter and another letter or digit ("E2"), is no word of formats or of a document's parts, and is
    no longer than names are. One letter without case, as of Chinese, is a word and is enough.
    """
    letters = [each for each in words if each.isalpha()]
    signs = len(letters) + sum(each.isdigit() for each in words)
    whole = signs > 1 or any(each.lower() == each.upper() for each in letters)
    return bool(letters) and whole and len(words) <= MOST_CHARACTERS and _NO_NAME.fullmatch(words) is None


def _in_one_line(text: str, span: TaggedSpan) -> TaggedSpan:
    """The span without what is behind a line break: a new line is another block or item of a list."""
    line = text[span.start_char : span.end_char].split("\n", 1)[0]
    return span._replace(end_char=span.start_char + len(line.rstrip()))


def _folded(name: str) -> str:
    return " ".join(name.lower().split())


def _means(text: str, spans: Sequence[TaggedSpan]) -> dict[str, float]:
    """Mean confidence by name."""
    confidences: dict[str, list[float]] = defaultdict(list)
    for span in spans:
        confidences[_folded(text[span.start_char : span.end_char])].append(span.confidence)
    return {name: sum(values) / len(values) for name, values in confidences.items()}


def _abbreviated(text: str) -> Iterator[tuple[str, str]]:
    """Short and long forms, in lower case; of several definitions of a short form the first one."""
    defined: set[str] = set()
    for each in abbreviations(text):
        short = _folded(text[each.short_start : each.short_end])
        if short not in defined:
            defined.add(short)
            yield short, _folded(text[each.long_start : each.long_end])


def _untagged(
    text: str, passages: Sequence[CharRange], names: Collection[str], mentions: Sequence[Mention]
) -> Mapping[str, list[CharRange]]:
    """Where else the passages have these names as whole words, beside all mentions."""
    taken = sorted((each.start_char, each.end_char) for each in mentions)
    places: dict[str, list[CharRange]] = defaultdict(list)
    long_enough = sorted(
        (name for name in names if len(name) >= LEAST_CHARACTERS), key=lambda name: (-len(name), name)
    )
    for first in range(0, len(long_enough), NAMES_PER_PATTERN):
        pattern = _pattern(long_enough[first : first + NAMES_PER_PATTERN])
        for start, end in passages:
            for match in pattern.finditer(text, start, end):
                name = _folded(match[0])
                if name in names and not _overlaps(taken, match.span()):
                    places[name].append(match.span())
    return places


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    """Any of the names as whole words, the longest first, with any white space in them."""
    written = (r"\s+".join(map(re.escape, name.split())) for name in names)
    return re.compile(rf"(?<!\w)(?:{'|'.join(written)})(?!\w)", re.IGNORECASE)


def _overlaps(taken: Sequence[CharRange], place: CharRange) -> bool:
    at = bisect_left(taken, (place[1], place[1]))
    return at > 0 and taken[at - 1][1] > place[0]
