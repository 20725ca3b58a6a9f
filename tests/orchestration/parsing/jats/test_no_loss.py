"""No text of an article is lost or doubled, however its elements nest."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.jats.front_parts import FRONT_LEFT_OUT
from orchestration.parsing.xml.elements import LEFT_OUT
from orchestration.records import Document
from tests.orchestration.parsing.jats.tokens import (
    Text,
    glued,
    lost,
    repeated,
    repeated_people,
    tokenised,
)
from tests.orchestration.parsing.jats.trees import articles_inside, bodies, element, fronts

ROOT = Path(__file__).parents[4]


def read(article: bytes) -> tuple[list[Text], Document]:
    content, texts = tokenised(article)
    document = JatsParser().parse(a_payload(content, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert_sound(document)
    return texts, document


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(body=bodies(), back=bodies())
def test_every_text_of_an_article_is_in_its_document_once(body: str, back: str) -> None:
    article = an_article(body, back=back)
    texts, document = read(article)
    assert (lost(texts, document), repeated(texts, document)) == ([], []), article.decode()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(front=fronts(), lists=element("ref-list", 3), inner=articles_inside())
def test_people_funding_and_references_of_every_article_are_kept_once_and_apart(
    front: str, lists: str, inner: str
) -> None:
    article = an_article(meta=front, back=lists, extra=inner)
    texts, document = read(article)
    assert (lost(texts, document), repeated(texts, document)) == ([], []), article.decode()
    assert repeated_people(document) == [], article.decode()
    assert glued(texts, document) == [], article.decode()


def test_the_guide_names_every_element_that_is_left_out() -> None:
    guide = (ROOT / "docs" / "guides" / "documents.md").read_text()
    assert [name for name in (*LEFT_OUT, *FRONT_LEFT_OUT) if f"`{name}`" not in guide] == []
