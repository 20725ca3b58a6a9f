"""Guidelines: a recommendation with its grade is never split, and never shares a chunk with another one.

Drugs and findings are invented.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.chunking.document_chunker import DocumentChunker
from gpu_actors.chunking.recommendations import is_grade, is_graded, is_label, is_phrase
from gpu_actors.profiles import Model
from medkg.testing.builders import a_payload
from orchestration.parsing.markdown import MarkdownParser
from orchestration.parsing.plain_text import PlainTextParser
from orchestration.records import Chunk, Document


@pytest.fixture(scope="module")
def chunker(minilm: Model) -> DocumentChunker:
    return DocumentChunker(minilm.files, 512)


def from_markdown(text: str) -> Document:
    return MarkdownParser().parse(a_payload(text, "markdown"), "default")


def from_text(text: str) -> Document:
    return PlainTextParser().parse(a_payload(text, "text"), "default")


def cut(chunker: DocumentChunker, document: Document) -> list[Chunk]:
    chunks = chunker.chunk(document, "guideline")
    assert all(document.text[chunk.start_char : chunk.end_char] == chunk.body for chunk in chunks)
    return chunks


def recommendations(chunks: list[Chunk]) -> list[str]:
    return [chunk.body for chunk in chunks if chunk.metadata.get("passage") == "recommendation"]


@pytest.mark.parametrize(
    "words",
    [
        "(Strong recommendation, moderate-quality evidence)",
        "Strong recommendation; low certainty of evidence.",
        "Strength of recommendation: conditional.",
        "Quality of evidence: very low.",
        "(1B).",
        "(GRADE 2C)",
        "Grade: B",
        "(B recommendation)",
        "Class I, Level of Evidence A",
        "(Class IIa, LOE: B-NR)",
        "1⊕⊕⊕○",
        "(Not Graded)",
        "Conditional recommendation against, low-quality evidence.",
    ],
)
def test_a_grade_is_recognised_however_guidelines_write_it(words: str) -> None:
    assert is_grade(words)


@pytest.mark.parametrize(
    "words",
    [
        "2D echocardiography showed a normal ventricle.",
        "Class II devices were left out.",
        "Zelvanor was given to 12 patients.",
        "A strong effect was seen.",
        "Grade 3 rash was rare.",
    ],
)
def test_other_sentences_are_no_grade(words: str) -> None:
    assert not is_grade(words) and not is_graded(words)


@pytest.mark.parametrize(
    "words",
    [
        "Use Zelvanor in gout (Strong recommendation, moderate-quality evidence).",
        "Use Zelvanor in gout (1B).",
        "Use Zelvanor in gout [Class I, Level of Evidence A].",
        "Use Zelvanor in gout (conditional recommendation for; very low certainty).",
    ],
)
def test_a_sentence_with_its_strength_in_brackets_is_graded(words: str) -> None:
    assert is_graded(words) and not is_grade(words)


def test_evidence_figures_and_heart_failure_classes_are_no_strength() -> None:
    assert not is_graded("Two trials found less pain (moderate-certainty evidence).")
    assert not is_graded("Patients (NYHA class II) took part (Figure 2B).")


def test_labels_and_phrases() -> None:
    assert is_label("Recommendation 3: Use Zelvanor.") and is_label("Good practice statement 2")
    assert is_label("Recommendation 2.1 (strong)") and is_label("Recommendation: Use it.")
    assert not is_label("Recommendation 3 was discussed.") and not is_label("Recommendations")
    assert is_phrase("We recommend Zelvanor.") and is_phrase("In gout, the panel suggests against Zelvanor.")
    assert not is_phrase("Others recommend Zelvanor.")


WHY = "Three trials with 812 patients found fewer attacks, and nausea was the only frequent harm. "
STATEMENTS = (
    "Recommendation 1: In adults, we recommend Zelvanor. (Strong recommendation, moderate-quality evidence)",
    "We suggest against Zelvanor in children (2C).",
    "Adults over 80 years should take half the dose (Class IIa, Level of Evidence B).",
)
MARKDOWN = f"""# Gout

## Methods

We searched three databases and rated what we found.

## Treatment

{STATEMENTS[0]}

{WHY}

{STATEMENTS[1]} {WHY}

{STATEMENTS[2]}

### Rationale

{WHY}

### Costs

Zelvanor is cheap.
"""
FLAT = MARKDOWN.replace("### ", "").replace("## ", "").replace("# ", "")
LISTED = "# Gout\n\n## Treatment\n\n1. {}\n2. {}\n3. {}\n\n## Costs\n\nLow.\n".format(*STATEMENTS)


@pytest.mark.parametrize(
    "document",
    [from_markdown(MARKDOWN), from_text(FLAT), from_markdown(LISTED)],
    ids=["markdown", "text", "list"],
)
def test_each_recommendation_is_in_one_chunk_with_its_grade_and_without_another(
    chunker: DocumentChunker, document: Document
) -> None:
    bodies = recommendations(cut(chunker, document))

    assert len(bodies) == 3
    for number, body in enumerate(bodies):
        assert [statement in body for statement in STATEMENTS] == [number == at for at in range(3)]
        assert "searched" not in body and "cheap" not in body


def test_the_rationale_goes_with_its_recommendation_and_other_sections_do_not(
    chunker: DocumentChunker,
) -> None:
    *_, last, costs = cut(chunker, from_markdown(MARKDOWN))

    assert last.body.endswith(f"Rationale\n\n{WHY.strip()}")
    assert costs.body == "Costs\n\nZelvanor is cheap." and costs.metadata == {}


def test_a_heading_names_a_recommendation_and_the_text_below_is_its_statement(
    chunker: DocumentChunker,
) -> None:
    text = (
        "# Gout\n\n## Treatment\n\n### Recommendation 1\n\nAdults should take it. They do so at night.\n\n"
        "Strength of recommendation: strong. Quality of evidence: high.\n\n### Recommendation 2\n\n"
        "Children should not take it.\n\nGrade: 1A\n\n### We suggest rest (2D)\n"
    )
    first, second, third = recommendations(cut(chunker, from_markdown(text)))

    assert first.endswith("Quality of evidence: high.") and "Adults should" in first
    assert second == "Recommendation 2\n\nChildren should not take it.\n\nGrade: 1A"
    assert third == "We suggest rest (2D)"


def test_a_long_statement_is_whole_where_the_model_takes_it_and_its_rationale_follows(
    chunker: DocumentChunker, tokenizer: TextTokenizer
) -> None:
    long = " ".join(f"Adults in group {number} should take Zelvanor at night." for number in range(38))
    statement = f"Recommendation 4: {long} (Strong recommendation, low-quality evidence)"
    chunks = cut(chunker, from_markdown(f"# Gout\n\n## Treatment\n\n{statement}\n\n{WHY * 9}\n"))

    whole, *rest = chunks
    assert whole.metadata and not any(chunk.metadata for chunk in rest)
    assert whole.body.endswith(f"Treatment\n\n{statement}") and 450 < whole.token_count <= tokenizer.room
    assert rest[-1].body.endswith("harm.")


def test_a_sentence_that_recommends_in_passing_is_rationale(chunker: DocumentChunker) -> None:
    aside = "For this reason we recommend caution elsewhere, too."
    text = f"# Gout\n\n## Treatment\n\n{STATEMENTS[1]} {WHY}{aside}\n"
    (body,) = recommendations(cut(chunker, from_markdown(text)))

    assert body.endswith("elsewhere, too.")


grades = st.sampled_from(
    ["(1B).", "(Strong recommendation, moderate-quality evidence).", "(Class I, Level of Evidence A)."]
)
guideline = st.lists(
    st.tuples(st.integers(1, 12), grades, st.integers(0, 25), st.booleans()), min_size=1, max_size=5
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=guideline, flat=st.booleans(), labelled=st.booleans())
def test_no_statement_is_split_and_no_chunk_has_two(
    chunker: DocumentChunker,
    parts: list[tuple[int, str, int, bool]],
    flat: bool,
    labelled: bool,
) -> None:
    lines, statements = ["# Gout", "## Treatment"], []
    for number, (length, grade, reasons, same) in enumerate(parts, start=1):
        label = f"Recommendation {number}: " if labelled else ""
        statement = (
            f"{label}In case{number}, we recommend Zelvanor {'at night and ' * length}by mouth {grade}"
        )
        statements.append(statement)
        why = f"Reason{number} was found in trials. " * reasons
        lines += [f"{statement} {why}"] if same else [statement, why]
    text = "\n\n".join(lines)
    document = from_text(text.replace("# ", "").replace("#", "")) if flat else from_markdown(text)

    bodies = [chunk.body for chunk in cut(chunker, document)]

    for number, statement in enumerate(statements, start=1):
        assert any(statement in body for body in bodies)
        for body in bodies:
            held = {at for at in range(1, len(parts) + 1) if f"case{at}," in body or f"Reason{at} " in body}
            assert len(held) <= 1, number
