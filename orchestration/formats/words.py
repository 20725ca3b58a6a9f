"""Words of texts and queries, the same for every search store: what BM25 and highlights compare.

Comes in: any text. Leaves: words of letters and digits in lower case, with their place in the text. Stores
only split at spaces and stem (Porter); so SQLite and OpenSearch find the same words. The text is folded
first (`orchestration.contracts.folded_text`). Then:
- A word with signs in it is its parts, each two neighbours joined, and the whole joined: IL-6 is il, 6 and
  il6, which IL6 finds. A possessive 's is dropped. Numbers are never joined with each other.
- A decimal number is also one word (0.61, .61 and 0,61 are 0p61), as are thousands (1,000 is 1000).
- A dosage is a number and a unit (5mg is 5 mg); mcg and microgram are ug, which micro signs are folded to;
  alfa is alpha.
- A registry number is one word: NCT 01234567 is nct01234567.
- Scripts without spaces (Chinese, Japanese, Korean, Thai, ...) are single characters and pairs of
  neighbours; a query's are pairs alone, unless it has one character.
- Arabic words lose marks, forms of a letter, articles and endings: light10 (Larkey, Ballesteros, Connell,
  SIGIR 2002), as in Lucene's ArabicNormalizer and ArabicStemmer.
- Accents make no difference; a word is at most MOST_LETTERS long.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from orchestration.contracts import folded_parts, folded_text

__all__ = [
    "ANALYSIS_VERSION",
    "MOST_LETTERS",
    "MOST_TERMS",
    "STOP_WORDS",
    "Word",
    "indexed_words",
    "placed_words",
    "query_words",
    "separate_words",
    "words",
]

ANALYSIS_VERSION: Final = 1
"""Changes whenever the words of the same text change: word indexes are then made again."""

MOST_TERMS: Final = 64
"""Words of a query that are looked for; a question has fewer, and a pasted page would find all there is."""

MOST_LETTERS: Final = 100
"""Longest word in characters; what follows is cut off, since no store takes terms of any length."""

STOP_WORDS: Final = frozenset(
    """a about after all also an and any are as at be been before being between both but by can could did do
    does doing during each for from further had has have having how if in into is it its may more most no
    nor not of on only or other our out over own same should so some such than that the their them then
    there these they this those through to too under until up very was we were what when where which while
    who whom why will with would""".split()  # noqa: SIM905 - a list would be one line per word
)
"""English words that say nothing about a question's subject."""

SPACELESS: Final = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u102a\u1780-\u17b3"  # Myanmar, Khmer
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb"  # Hangul
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3105-\u312f\u31a0-\u31bf"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"  # Han
)
UNITS: Final = "mg|mcg|ug|ng|pg|kg|g|ml|ul|dl|l|iu|mmol|nmol|umol|mol"
DOSAGE: Final = re.compile(rf"(\d+)({UNITS})")
JOINTS: Final = r"[-'./\\^_:+*&>~@|]{1,2}|(?<=\d),(?=\d)"
POSSESSIVE: Final = re.compile(r"'[sS]$")
PART: Final = re.compile(r"[^-'./\\^_:+*&>~@|,]+")
LEADING_DIGITS: Final = re.compile(r"\d+")
NUMBER: Final = re.compile(
    r"(?<!\d)(?:(?P<thousands>[1-9]\d{0,2}(?:,\d{3})+)(?!\d)|(?P<whole>\d+)[.,](?P<rest>\d+))"
)
MOST_PARTS: Final = 8
"""Parts of a word that is also joined as a whole."""

ONE_SPELLING: Final = {"mcg": "ug", "microgram": "ug", "micrograms": "ug"}
ALFA: Final = re.compile(r"^alfa(?=\d|$)")
SPECIAL_LETTERS: Final = str.maketrans(
    {
        "\u00e6": "ae",
        "\u0153": "oe",
        "\u00f8": "o",
        "\u0142": "l",
        "\u0111": "d",
        "\u00f0": "d",
        "\u00fe": "th",
        "\u0131": "i",
        "\u0127": "h",
        "\u0167": "t",
    }
)
"""Latin letters that Unicode does not decompose."""

ACCENTS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
)
"""Marks that make no difference between words, and the Arabic lengthening stroke."""

ARABIC: Final = re.compile("[\u0620-\u06ff]")
ARABIC_LETTERS: Final = str.maketrans(
    "\u0671\u0629\u0649\u06cc\u06a9\u06c1", "\u0627\u0647\u064a\u064a\u0643\u0647"
)
ARABIC_PREFIXES: Final = (
    "\u0648\u0627\u0644", "\u0628\u0627\u0644", "\u0643\u0627\u0644", "\u0641\u0627\u0644", "\u0627\u0644",
    "\u0644\u0644",
)  # fmt: skip
ARABIC_SUFFIXES: Final = (
    "\u0647\u0627", "\u0627\u0646", "\u0627\u062a", "\u0648\u0646", "\u064a\u0646", "\u064a\u0647",
    "\u064a\u0629", "\u0647", "\u0629", "\u064a",
)  # fmt: skip


Kind = Literal["part", "joined", "pair"]


class Word(NamedTuple):
    """One word of a text."""

    text: str
    start: int
    """First character in the text."""
    end: int
    """One past the last character."""
    kind: Kind = "part"
    """`joined` words are made of parts, `pair`s of two neighbouring characters; these are words too."""


def words(text: str) -> Iterator[Word]:
    """Yield all words of a folded text, in the order in which they end; offsets are in the folded text."""
    for match in _pattern().finditer(text):
        yield from _of(match)


def placed_words(text: str) -> list[Word]:
    """Return all words of a text with their place in it as it stands."""
    parts = list(folded_parts(text))
    starts = [0]
    for _, folded, _ in parts:
        starts.append(starts[-1] + len(folded))

    def place(offset: int, *, is_end: bool) -> int:
        number = bisect_right(starts, offset - is_end) - 1
        start, _, stayed = parts[number]
        if stayed:
            return start + offset - starts[number]
        if not is_end:
            return start
        return parts[number + 1][0] if number + 1 < len(parts) else len(text)

    folded = "".join(folded for _, folded, _ in parts)
    return [
        word._replace(start=place(word.start, is_end=False), end=place(word.end, is_end=True))
        for word in words(folded)
    ]


def indexed_words(text: str) -> str:
    """Return the words of a text as stores index them, between spaces: those of `words(folded_text(text))`.

    No word but a registry number has a space in it, so each run between spaces is analysed by itself, and
    once, since texts repeat their words.
    """
    runs = text.split() if text.isascii() else _spaces().split(text)
    joined = " ".join(filter(None, map(_words_of_run, runs)))
    if "nct " in joined:  # perhaps the beginning of a registry number
        return _spelled(text)
    return joined


def _words_of_run(run: str) -> str:
    run = run.lstrip('(["').rstrip('.,;:)]"')
    return _words_of_short_run(run) if len(run) <= MOST_LETTERS else _spelled(run)


@lru_cache(maxsize=65_536)
def _words_of_short_run(run: str) -> str:
    if run.isascii() and run.isalpha():  # most are
        return _normal(run)
    return _spelled(run)


def _spelled(text: str) -> str:
    return " ".join(word.text for word in words(folded_text(text)))


def query_words(query: str) -> list[str]:
    """Return the words of a query to look for, any of them, without repeats and at most MOST_TERMS.

    Stop words are dropped unless there is nothing else, and single characters beside pairs of them.
    """
    folded = folded_text(query)
    all_words = list(dict.fromkeys(word.text for word in _without_singles(folded)))
    telling = [word for word in all_words if word not in STOP_WORDS] or all_words
    return telling[:MOST_TERMS]


def separate_words(text: str) -> str:
    """Return the words of a text between spaces, none of them joined: what a synonym is written in."""
    return " ".join(word.text for word in _without_singles(folded_text(text)) if word.kind != "joined")


def _without_singles(folded: str) -> Iterator[Word]:
    """All words but single characters of runs that have pairs."""
    for match in _pattern().finditer(folded):
        of_match = list(_of(match))
        pairs = [word for word in of_match if word.kind == "pair"]
        yield from pairs or of_match


@cache
def _marks() -> str:
    """Characters that belong to the one before them."""
    return "".join(
        character
        for character in map(chr, range(0x300, 0xFF00))
        if unicodedata.category(character).startswith("M")
    )


@cache
def _spaces() -> re.Pattern[str]:
    """White space that carries no mark: a space and a mark are folded together."""
    return re.compile(rf"\s+(?![{_marks()}])")


@cache
def _pattern() -> re.Pattern[str]:
    """A registry number, a run of a script without spaces, or a word, perhaps of parts between signs."""
    marks = _marks()
    letter = rf"(?:[0-9A-Za-z]++|(?![{SPACELESS}])[^\W_]|[{marks}\ue000-\uf8ff])"
    return re.compile(
        rf"(?P<registry>(?<![^\W_])[Nn][Cc][Tt][\s:#-]{{0,3}}(?P<number>\d{{8}})(?!\d))"
        rf"|(?P<run>(?:[{SPACELESS}][{marks}]*)+)"
        rf"|(?P<compound>{letter}++(?:(?:{JOINTS}){letter}++)*+)"
    )


def _of(match: re.Match[str]) -> Iterator[Word]:
    if match.lastgroup == "compound":
        return _of_compound(match.group(), match.start(), after_point=_is_after_point(match))
    if match.lastgroup == "run":
        return _of_run(match.group(), match.start())
    return iter([Word(f"nct{match['number']}", match.start(), match.end())])


def _of_run(run: str, start: int) -> Iterator[Word]:
    """Characters, marks included, and pairs of neighbours."""
    previous: Word | None = None
    for match in re.finditer(rf"[{SPACELESS}][^{SPACELESS}]*", run):
        word = Word(_normal(match.group()), start + match.start(), start + match.end())
        if previous is not None:
            yield Word(previous.text + word.text, previous.start, word.end, "pair")
        yield word
        previous = word


def _is_after_point(match: re.Match[str]) -> bool:
    """Whether a decimal point stands before the word, and nothing before that: .05."""
    text, start = match.string, match.start()
    return text[max(0, start - 1) : start] == "." and not text[max(0, start - 2) : start - 1].isalnum()


def _of_compound(compound: str, start: int, *, after_point: bool) -> Iterator[Word]:
    """Parts between signs, then what they make together."""
    compound = POSSESSIVE.sub("", compound)
    parts = [
        Word(_normal(match.group()), start + match.start(), start + match.end())
        for match in PART.finditer(compound)
    ]
    for part in parts:
        yield from _number_and_unit(part)
    if after_point and (digits := LEADING_DIGITS.match(compound)):
        yield Word(f"0p{digits.group()}", start, start + digits.end(), "joined")
    if len(parts) > 1:
        yield from _numbers(compound, start)
        yield from _joined(parts)


def _number_and_unit(part: Word) -> Iterator[Word]:
    dosage = DOSAGE.fullmatch(part.text) if part.text[0].isdigit() else None
    if dosage is None:
        yield part
    else:
        middle = part.start + dosage.end(1)
        yield Word(dosage[1], part.start, middle)
        yield Word(ONE_SPELLING.get(dosage[2], dosage[2]), middle, part.end)


def _numbers(compound: str, start: int) -> Iterator[Word]:
    """Decimal numbers and thousands, however they are written."""
    for match in NUMBER.finditer(compound):
        text = (
            match["thousands"].replace(",", "") if match["thousands"] else f"{match['whole']}p{match['rest']}"
        )
        yield Word(text[:MOST_LETTERS], start + match.start(), start + match.end(), "joined")


def _joined(parts: Sequence[Word]) -> Iterator[Word]:
    """Two neighbours, and all if they are few; never number to number."""
    are_apart = [left.text[-1].isdigit() and right.text[0].isdigit() for left, right in pairwise(parts)]
    for (left, right), is_apart in zip(pairwise(parts), are_apart, strict=True):
        if not is_apart:
            yield Word((left.text + right.text)[:MOST_LETTERS], left.start, right.end, "joined")
    if 2 < len(parts) <= MOST_PARTS and not any(are_apart):
        together = "".join(part.text for part in parts)
        yield Word(together[:MOST_LETTERS], parts[0].start, parts[-1].end, "joined")


@lru_cache(maxsize=16_384)
def _normal(word: str) -> str:
    """The word in lower case, without accents, in its one spelling, cut to the longest."""
    folded = word[:MOST_LETTERS].casefold()
    if not folded.isascii():
        plain = ACCENTS.sub("", unicodedata.normalize("NFD", folded)).translate(SPECIAL_LETTERS)
        folded = unicodedata.normalize("NFC", plain) or folded
        if ARABIC.search(folded):
            folded = _arabic_stem(folded)
    if folded.startswith("alfa"):
        folded = ALFA.sub("alpha", folded)
    return ONE_SPELLING.get(folded, folded)[:MOST_LETTERS]


def _arabic_stem(word: str) -> str:
    """Without article and conjunction, then without endings, as long as two letters are left."""
    word = word.translate(ARABIC_LETTERS)
    for prefix in ARABIC_PREFIXES:
        if word.startswith(prefix) and len(word) >= len(prefix) + 2:
            word = word[len(prefix) :]
            break
    else:
        if word.startswith("\u0648") and len(word) >= 4:
            word = word[1:]
    for suffix in ARABIC_SUFFIXES:
        if word.endswith(suffix) and len(word) >= len(suffix) + 2:
            word = word[: -len(suffix)]
    return word
