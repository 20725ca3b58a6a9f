"""No text of an article is lost or doubled, however its elements nest."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import assert_sound
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.xml.elements import LEFT_OUT
from tests.orchestration.parsing.jats.tokens import Text, lost, repeated, tokenised
from tests.orchestration.parsing.jats.trees import bodies

ROOT = Path(__file__).parents[4]


def faults_of(article: bytes) -> tuple[list[Text], list[Text]]:
    content, texts = tokenised(article)
    document = JatsParser().parse(a_payload(content, "jats", doc_id="PMC1234567", source="pmc"), "default")
    assert_sound(document)
    return lost(texts, document), repeated(texts, document)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(body=bodies(), back=bodies())
def test_every_text_of_an_article_is_in_its_document_once(body: str, back: str) -> None:
    article = an_article(body, back=back)
    assert faults_of(article) == ([], []), article.decode()


def test_the_guide_names_every_element_that_is_left_out() -> None:
    guide = (ROOT / "docs" / "guides" / "documents.md").read_text()
    assert [name for name in LEFT_OUT if f"`{name}`" not in guide] == []
