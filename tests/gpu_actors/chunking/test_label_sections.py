"""Drug labels: no chunk crosses a section or a numbered subsection, whatever format the label came in.

Drugs and findings are invented.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.chunking.document_chunker import DocumentChunker
from gpu_actors.chunking.label_sections import BOXED_WARNING, LABEL_SECTIONS, LabelHeading, label_heading
from gpu_actors.profiles import Model
from medkg.testing.builders import a_payload
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.records import Chunk, Document

LIVER = "Zelvanor can raise aminotransferases, and two patients of 412 had liver failure in the trials. "
RASH = "A rash was seen in 7% of patients and went away when it was stopped [see Adverse Reactions (6.1)]. "


@pytest.fixture(scope="module")
def chunker(minilm: Model) -> DocumentChunker:
    return DocumentChunker(minilm.files, 512)


def from_markdown(text: str) -> Document:
    return MarkdownParser().parse(a_payload(text, "markdown"), "default")


def from_text(text: str) -> Document:
    return PlainTextParser().parse(a_payload(text, "text"), "default")


def cut(chunker: DocumentChunker, document: Document) -> list[Chunk]:
    chunks = chunker.chunk(document, "spl-label")
    assert all(document.text[chunk.start_char : chunk.end_char] == chunk.body for chunk in chunks)
    return chunks


def label_of(chunks: list[Chunk], words: str) -> list[str]:
    """Number and code of the chunks that hold these words."""
    matches = [chunk.metadata for chunk in chunks if words in chunk.body]
    return [f"{each.get('label_section', '')} {each.get('loinc', '')}".strip() for each in matches]


@pytest.mark.parametrize(
    ("heading", "number", "code"),
    [
        ("5.1 Hepatotoxicity", "5.1", ""),
        ("5 WARNINGS AND PRECAUTIONS", "5", "43685-7"),
        ("5. Warnings & Precautions", "5", "43685-7"),
        ("Warnings and Precautions:", "5", "43685-7"),
        ("INDICATIONS & USAGE", "1", "34067-9"),
        ("Boxed Warning", "", BOXED_WARNING),
        ("WARNING: HEPATOTOXICITY", "", BOXED_WARNING),
        ("8.1 Pregnancy", "8.1", "42228-7"),
        ("Use in Specific Populations", "8", "43684-0"),
        ("12.3 Pharmacokinetics", "12.3", "43682-4"),
    ],
)
def test_a_heading_is_recognised_by_name_and_by_number(heading: str, number: str, code: str) -> None:
    assert label_heading(heading) == LabelHeading(number, code)


@pytest.mark.parametrize("heading", ["Zelvanor", "Monitoring", "What is new", "Warning signs of stroke"])
def test_other_headings_are_not(heading: str) -> None:
    assert label_heading(heading) is None


def test_each_code_stands_for_one_section() -> None:
    codes = [code for _, code, _ in LABEL_SECTIONS if code]
    names = [name for _, _, names in LABEL_SECTIONS for name in names]
    assert len(set(codes)) == len(codes) and len(set(names)) == len(names)
    assert all(re.fullmatch(r"\d{5}-\d", code) for code in codes)


NESTED = f"""# Zelvanor

## WARNING: LIVER FAILURE

Zelvanor can cause liver failure.

- Measure aminotransferases before the first dose.
- Stop Zelvanor in jaundice.

## 1 INDICATIONS AND USAGE

Zelvanor is indicated for gout in adults.

## 5 WARNINGS AND PRECAUTIONS

### 5.1 Hepatotoxicity

{LIVER}

#### Monitoring

Measure monthly.

### 5.2 Rash

{RASH}

## 6 ADVERSE REACTIONS

| Reaction | Zelvanor | Placebo |
| --- | --- | --- |
| Nausea | 12% | 4% |

Nausea was most common.
"""
SIBLINGS = NESTED.replace("#### ", "## ").replace("### ", "## ")
FLAT = re.sub(r"^#+ ", "", NESTED, flags=re.MULTILINE)
RUN_IN = f"""WARNING: LIVER FAILURE Zelvanor can cause liver failure.

1 INDICATIONS AND USAGE Zelvanor is indicated for gout in adults. 5 WARNINGS AND PRECAUTIONS
5.1 Hepatotoxicity {LIVER}Measure monthly. 5.2 Rash {RASH}6 ADVERSE REACTIONS Nausea was most common.
It was 2.5 Times as frequent."""


@pytest.mark.parametrize(
    "document",
    [from_markdown(NESTED), from_markdown(SIBLINGS), from_text(FLAT), from_text(RUN_IN)],
    ids=["nested", "siblings", "flat", "run-in"],
)
def test_sections_and_numbered_subsections_are_kept_apart(
    chunker: DocumentChunker, document: Document
) -> None:
    chunks = cut(chunker, document)

    assert label_of(chunks, "can cause liver failure") == [BOXED_WARNING]
    assert label_of(chunks, "indicated for gout") == ["1 34067-9"]
    assert label_of(chunks, "raise aminotransferases") == ["5.1 43685-7"]
    assert label_of(chunks, "A rash was seen") == ["5.2 43685-7"]
    assert label_of(chunks, "Nausea was") == ["6 34084-4"]
    phrases = ["liver failure.", "indicated for gout", "raise aminotransferases", "A rash was", "Nausea was"]
    assert all(sum(words in chunk.body for words in phrases) <= 1 for chunk in chunks)


def test_a_numbered_subsection_keeps_the_text_under_its_own_unnumbered_headings(
    chunker: DocumentChunker,
) -> None:
    (chunk,) = [each for each in cut(chunker, from_markdown(NESTED)) if "Hepatotoxicity" in each.body]

    assert chunk.body.startswith("5 WARNINGS AND PRECAUTIONS") and chunk.body.endswith("Measure monthly.")


def test_unnumbered_subsections_right_below_a_section_are_apart_and_carry_its_code(
    chunker: DocumentChunker,
) -> None:
    text = "# Zelvanor\n\n## Warnings and Precautions\n\n### Liver\n\nTest it.\n\n### Skin\n\nLook at it.\n"
    chunks = cut(chunker, from_markdown(text))

    assert [chunk.title_path[-1] for chunk in chunks] == ["Liver", "Skin"]
    assert {chunk.metadata["loinc"] for chunk in chunks} == {"43685-7"}


def test_tables_are_whole(chunker: DocumentChunker) -> None:
    (table,) = [each for each in cut(chunker, from_markdown(NESTED)) if each.granularity == "table"]

    assert table.body == "Reaction | Zelvanor | Placebo\nNausea | 12% | 4%"
    assert table.metadata["loinc"] == "34084-4"


def boxed(times: int) -> str:
    warnings = "\n\n".join(f"Stop Zelvanor at once if sign {number} is seen." for number in range(times))
    return f"# Zelvanor\n\n## BOXED WARNING\n\n{warnings}\n\n## Contraindications\n\nNone.\n"


def test_a_boxed_warning_longer_than_a_chunk_is_whole_where_the_model_takes_it(
    chunker: DocumentChunker, tokenizer: TextTokenizer
) -> None:
    (box, rest) = cut(chunker, from_markdown(boxed(42)))

    assert 450 < box.token_count <= tokenizer.room and box.metadata == {"loinc": BOXED_WARNING}
    assert rest.metadata["loinc"] == "34070-3"


def test_a_boxed_warning_longer_than_the_model_takes_is_packed_and_nothing_else_is_in_it(
    chunker: DocumentChunker, tokenizer: TextTokenizer
) -> None:
    *boxes, rest = cut(chunker, from_markdown(boxed(99)))

    assert len(boxes) > 1 and all(box.token_count <= tokenizer.room for box in boxes)
    assert {box.metadata["loinc"] for box in boxes} == {BOXED_WARNING} and "None." in rest.body


def test_running_numbers_are_no_headings(chunker: DocumentChunker) -> None:
    text = (
        "Zelvanor\n\n7 DRUG INTERACTIONS\n\nTake 5 mg. 2.5 Grams are too much.\n\n12 patients\n\nNone died."
    )
    (chunk,) = cut(chunker, from_text(text))

    assert "None died." in chunk.body


subsections = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(main=st.integers(1, 17), lengths=subsections, flat=st.booleans())
def test_no_chunk_holds_text_of_two_numbered_subsections(
    chunker: DocumentChunker, main: int, lengths: list[int], flat: bool
) -> None:
    heading = next(names[0] for number, _, names in LABEL_SECTIONS if number == str(main))
    parts = [f"# Zelvanor\n\n## {main} {heading.upper()}"]
    for minor, times in enumerate(lengths, start=1):
        parts += [f"### {main}.{minor} Finding", f"Word{minor}end is what was seen here. " * times]
    text = "\n\n".join(parts)
    document = from_text(re.sub(r"^#+ ", "", text, flags=re.MULTILINE)) if flat else from_markdown(text)

    chunks = cut(chunker, document)

    for chunk in chunks:
        held = set(re.findall(r"Word(\d+)end", chunk.body))
        assert len(held) == 1 and chunk.metadata["label_section"] == f"{main}.{held.pop()}"
    assert len(chunks) >= len(lengths)
