"""PubTator text: `id|t|title`, `id|a|abstract`, then a line per mention and relation, separated by tabs.

Input: the text of a file. Output: a draft per document. Offsets count in title + " " + abstract
(https://www.ncbi.nlm.nih.gov/research/pubtator/); a line of BioRED's relations ends with its novelty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from orchestration.extraction.gold.drafts import Draft, DraftError, DraftMention, DraftRelation

__all__ = ["PUBTATOR", "pubtator_drafts"]

PUBTATOR: Final = re.compile(r"\s*[^\s|]+\|[ta]\|")
"""How a file of the format begins."""
_PASSAGE: Final = re.compile(r"([^\s|]+)\|([ta])\|(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_DIRECTED: Final = frozenset({"CID"})
_NOVELTY: Final = {"Novel": True, "No": False}


def pubtator_drafts(text: str) -> Iterator[Draft]:
    """Drafts in the order of the file."""
    draft: Draft | None = None
    abstract_seen = False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r")
        passage = _PASSAGE.fullmatch(line)
        if passage is None:
            if draft is not None and line.strip():
                _add(draft, line, number)
            continue
        doc_id, part, content = passage.groups()
        if part == "t" or draft is None or draft.doc_id != doc_id:
            if draft is not None:
                yield draft
            draft, abstract_seen = Draft(doc_id, content if part == "t" else "", number), part == "a"
            draft.title = draft.text
            if part == "a":
                _fail(draft, number, "its abstract has no title before it")
        elif abstract_seen:
            _fail(draft, number, "it has two abstracts")
        else:
            draft.text, abstract_seen = f"{draft.text} {content}", True
    if draft is not None:
        yield draft


def _add(draft: Draft, line: str, number: int) -> None:
    """Add a mention or relation; a line that is neither makes the draft faulty."""
    fields = line.split("\t")
    numbers = [bool(_NUMBER.fullmatch(field.strip())) for field in fields[1:3]]
    if fields[0].strip() != draft.doc_id:
        _fail(draft, number, f"the line is of {fields[0].strip()[:40]!r}")
    elif numbers == [True, True] and len(fields) >= 5:
        draft.mentions.append(
            DraftMention(
                int(fields[1]),
                int(fields[2]),
                fields[4].strip(),
                fields[3],
                fields[5] if len(fields) > 5 else "",
                number,
            )
        )
    elif len(fields) in (4, 5) and all(fields) and not numbers[0]:
        kind = fields[1].strip()
        if len(fields) == 5 and fields[4].strip() not in _NOVELTY:
            _fail(draft, number, f"novelty is Novel or No, not {fields[4].strip()[:40]!r}")
            return
        draft.relations.append(
            DraftRelation(
                kind,
                fields[2],
                fields[3],
                directed=kind in _DIRECTED,
                novel=_NOVELTY[fields[4].strip()] if len(fields) == 5 else None,
                line=number,
            )
        )
    else:
        _fail(
            draft,
            number,
            "the line is neither a mention (id, start, end, text, kind, concept) nor a relation",
        )


def _fail(draft: Draft, line: int, reason: str) -> None:
    """Keep the first fault of a draft."""
    draft.error = draft.error or DraftError(line, reason)
