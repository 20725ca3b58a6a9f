"""The licence of an article, where its PDF is, and what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from medkg.testing.builders import a_payload, an_article
from orchestration.contracts.downloads import LinksToPdfs
from orchestration.errors import MalformedDocumentError
from orchestration.parsing.jats import JatsParser
from orchestration.parsing.licences import LICENCES, is_redistributable, licence_of

BY = "https://creativecommons.org/licenses/by/4.0/"


def rights(meta: str) -> tuple[str, bool, str | None]:
    payload = a_payload(an_article(meta=meta), "jats", doc_id="PMC1", source="pmc")
    metadata = JatsParser().parse(payload, "default").metadata
    return metadata["licence"], metadata["redistributable"], metadata.get("licence_statement")


def links(meta: str) -> list[tuple[str, str | None]]:
    payload = a_payload(an_article(meta=meta), "jats", doc_id="PMC1", source="pmc")
    return [(link.url, link.licence) for link in JatsParser().pdf_links(payload)]


def permitted(inside: str, attributes: str = "") -> str:
    return f"<permissions><license {attributes}>{inside}</license></permissions>"


@pytest.mark.parametrize(
    ("statement", "licence"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "cc-by"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/deed.de", "cc-by-nc-nd"),
        ("https://creativecommons.org/licenses/by-nd-nc/1.0/", "cc-by-nc-nd"),
        ("https://creativecommons.org/licenses/by-sa/3.0/igo/", "cc-by-sa"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("CC BY", "cc-by"),
        ("CC-BY-NC-SA 4.0", "cc-by-nc-sa"),
        ("cc-by-nc", "cc-by-nc"),
        ("by-nc-nd", "cc-by-nc-nd"),
        ("CC0", "cc0"),
        ("public-domain", "public-domain"),
        ("Creative Commons Attribution 4.0 International License", "cc-by"),
        ("the Creative Commons Attribution-NonCommercial-NoDerivatives License", "cc-by-nc-nd"),
        ("the Creative Commons Attribution Non Commercial Share Alike licence", "cc-by-nc-sa"),
        ("Creative Commons Attribution (CC BY\u2011NC) license", "cc-by-nc"),
        ("Creative Commons Attribution License, for non-commercial use only", "cc-by-nc"),
        (f"{BY} Data: http://creativecommons.org/publicdomain/zero/1.0/", "cc-by"),
        ("the Creative Commons Public Domain Dedication", "cc0"),
        ("under the Creative Commons Public Domain Declaration, as it stipulates", "public-domain"),
        ("All rights reserved. The CC0 waiver applies to the data made available in this article.", "other"),
        ("Creative Commons Attribution (BY), Non-Commercial (NC)", "cc-by-nc"),
        ("other-oa", "other"),
        ("publisher-specific-oa", "other"),
        ("open-access", "other"),
        ("All rights reserved. Public domain parts excepted.", "other"),
        ("https://www.elsevier.com/tdm/userlicense/1.0/", "other"),
        ("", "none"),
        ("  ", "none"),
        (None, "none"),
    ],
)  # fmt: skip
def test_a_licence_becomes_one_of_few_codes(statement: str | None, licence: str) -> None:
    assert licence_of(statement) == licence
    assert licence in LICENCES


@pytest.mark.parametrize("licence", sorted(LICENCES))
def test_every_word_for_a_licence_means_itself(licence: str) -> None:
    assert licence_of(licence) == licence


def test_only_what_is_understood_may_be_passed_on() -> None:
    assert {licence for licence in LICENCES if not is_redistributable(licence)} == {"other", "none"}


@pytest.mark.parametrize(
    "meta",
    [
        permitted("<license-p>Open.</license-p>", f'xlink:href="{BY}"'),
        permitted(f"<ali:license_ref>{BY}</ali:license_ref>"),
        f"<permissions><ali:license_ref>{BY}</ali:license_ref></permissions>",
        permitted(f'<license-p>See <ext-link xlink:href="{BY}">here</ext-link>.</license-p>'),
        permitted("<p>Under the Creative Commons Attribution License.</p>", 'license-type="open-access"'),
        permitted("<license-p>Open.</license-p>", 'license-type="CC BY"'),
        "<license><p>Creative Commons Attribution License</p></license>",
        "<permissions><copyright-statement>A. Walker. Creative Commons Attribution.</copyright-statement>"
        "</permissions>",
        "<copyright-statement>A. Walker. Creative Commons Attribution License.</copyright-statement>",
        "<custom-meta-group><custom-meta><meta-name>pmc-license-ref</meta-name><meta-value>CC BY</meta-value>"
        "</custom-meta></custom-meta-group>",
    ],
)
def test_the_licence_is_found_wherever_articles_say_it(meta: str) -> None:
    assert rights(meta)[:2] == ("cc-by", True)


def test_what_is_said_of_the_licence_is_kept_with_its_address_first() -> None:
    assert rights(permitted("<license-p>Open.</license-p>", f'xlink:href="{BY}"'))[2] == BY


def test_the_conditions_of_all_that_is_said_come_together() -> None:
    said = permitted(
        "<license-p>Free for non-commercial use.</license-p>", f'license-type="open-access" xlink:href="{BY}"'
    )
    assert rights(said)[0] == "cc-by-nc"


def test_an_article_without_licence_may_not_be_passed_on() -> None:
    assert rights("") == ("none", False, None)
    copyright_line = "<copyright-statement>Copyright 2020 A. Walker</copyright-statement>"
    assert rights(f"<permissions>{copyright_line}</permissions>") == ("none", False, None)
    manuscript = permitted("<license-p>This file is available for text mining.</license-p>")
    assert rights(manuscript)[:2] == ("other", False)


def test_the_licence_of_a_figure_or_a_reply_is_not_the_articles() -> None:
    licensed = permitted("", f'xlink:href="{BY}"')
    figure = f"<fig>{licensed}<caption><p>Map.</p></caption></fig>"
    payload = a_payload(an_article(figure), "jats", doc_id="PMC1")
    assert JatsParser().parse(payload, "default").metadata["licence"] == "none"


def test_pdfs_of_the_publisher_come_before_that_of_pmc() -> None:
    assert isinstance(JatsParser(), LinksToPdfs)
    meta = (
        '<article-id pub-id-type="pmcid-ver">PMC1234567.2</article-id>'
        '<self-uri content-type="pmc-pdf" xlink:href="walk-12.pdf"/>'
        '<self-uri content-type="pdf" xlink:href="https://walks.example/download?id=12"/>'
        '<self-uri xlink:href="https://walks.example/12.PDF"/>'
        '<self-uri content-type="application/pdf" xlink:href="https://walks.example/12.PDF"/>'
    ) + permitted("", f'xlink:href="{BY}"')
    assert links(meta) == [
        ("https://walks.example/download?id=12", "cc-by"),
        ("https://walks.example/12.PDF", "cc-by"),
        ("https://pmc-oa-opendata.s3.amazonaws.com/PMC1234567.2/PMC1234567.2.pdf", "cc-by"),
    ]


def pmc_properties(**properties: str) -> str:
    pairs = "".join(
        f"<custom-meta><meta-name>pmc-prop-{name.replace('_', '-')}</meta-name>"
        f"<meta-value>{value}</meta-value></custom-meta>"
        for name, value in properties.items()
    )
    version = '<article-id pub-id-type="pmcid-ver">PMC1234567.2</article-id>'
    return f"{version}<custom-meta-group>{pairs}</custom-meta-group>"


def test_pmc_has_a_pdf_of_open_articles_alone() -> None:
    assert len(links(pmc_properties(has_pdf="yes", open_access="yes"))) == 1
    assert links(pmc_properties(has_pdf="yes", open_access="no")) == []
    assert links(pmc_properties(has_pdf="no", open_access="yes")) == []


@pytest.mark.parametrize(
    "meta",
    [
        '<self-uri xlink:href="https://walks.example/12"/>',
        '<self-uri content-type="pmc-pdf" xlink:href="walk-12.pdf"/>',
        '<self-uri content-type="pdf" xlink:href="ftp://walks.example/12.pdf"/>',
        '<self-uri content-type="pdf" xlink:href="file:///etc/passwd.pdf"/>',
        '<self-uri content-type="pdf" xlink:href="https://[broken/12.pdf"/>',
        '<article-id pub-id-type="pmcid-ver">PMC1234567.2</article-id>',
        '<article-id pub-id-type="pmcid-ver">../x</article-id><self-uri content-type="pmc-pdf"/>',
    ],
)
def test_a_landing_page_or_a_bare_file_name_is_no_link(meta: str) -> None:
    assert links(meta) == []


def test_links_of_an_article_that_cannot_be_read_are_a_named_error() -> None:
    with pytest.raises(MalformedDocumentError):
        JatsParser().pdf_links(a_payload(an_article()[:-30], "jats"))


def noticed(meta: str, article_type: str = "research-article") -> dict[str, Any]:
    article = an_article(meta=meta).replace(b"research-article", article_type.encode())
    return JatsParser().parse(a_payload(article, "jats", doc_id="PMC1"), "default").metadata


def related(kind: str, href: str = "https://doi.org/10.5555/notice") -> str:
    return f'<related-article related-article-type="{kind}" ext-link-type="doi" xlink:href="{href}"/>'


def test_an_article_that_says_nothing_of_notices_is_not_called_sound() -> None:
    assert not {"is_retracted", "is_corrected", "notice", "notice_of"} & noticed(related("companion")).keys()


def test_retracted_and_corrected_articles_name_the_notice() -> None:
    retracted = noticed(related("retraction-forward"))
    assert (retracted["is_retracted"], retracted["retracted_by"]) == (True, ["10.5555/notice"])
    corrected = noticed(related("correction-forward", "10.5555/notice"))
    assert (corrected["is_corrected"], corrected["corrected_by"]) == (True, ["10.5555/notice"])
    assert "is_retracted" not in corrected


@pytest.mark.parametrize(
    ("article_type", "kind", "notice"),
    [
        ("retraction", "retracted-article", "retraction"),
        ("partial-retraction", "retracted-article", "retraction"),
        ("correction", "corrected-article", "correction"),
        ("expression-of-concern", "object-of-concern", "expression-of-concern"),
    ],
)
def test_a_notice_is_distinct_from_the_article_it_is_about(article_type: str, kind: str, notice: str) -> None:
    metadata = noticed(related(kind, "10.5555/walks"), article_type)
    assert (metadata["notice"], metadata["notice_of"]) == (notice, ["10.5555/walks"])
    assert not {"is_retracted", "is_corrected"} & metadata.keys()
