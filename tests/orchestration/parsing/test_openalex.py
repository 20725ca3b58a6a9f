"""What a work of OpenAlex becomes, and where its PDF is."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medkg.testing.builders import a_payload, an_openalex_page, an_openalex_work
from medkg.testing.document_checks import assert_sound, indexed_part
from medkg.testing.parser_suite import attempt
from orchestration.contracts import RecordLocation
from orchestration.contracts.downloads import LinksToPdfs
from orchestration.errors import (
    EmptyDocumentError,
    MalformedDocumentError,
    MissingIdentifierError,
)
from orchestration.parsing.openalex import OpenAlexParser, in_order
from orchestration.records import Document, RawPayload

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def a_work_payload(work: dict[str, Any]) -> RawPayload:
    return a_payload(work, "openalex", doc_id="W1", source="openalex")


def parsed(work: dict[str, Any]) -> Document:
    document = OpenAlexParser().parse(a_work_payload(work), "default")
    assert_sound(document)
    return indexed_part(document)


def locate(content: bytes) -> list[RecordLocation]:
    return list(OpenAlexParser().records(io.BytesIO(content), "page.json", 10**6))


def links(work: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(link.url, link.licence) for link in OpenAlexParser().pdf_links(a_work_payload(work))]


def test_the_abstract_is_put_in_order_again() -> None:
    document = parsed(an_openalex_work())
    assert document.text == "Walking and sleep\n\nAbstract\n\nWalkers slept longer and slept well."
    assert document.sections[-1].role == "abstract"


@given(words=st.lists(st.text(min_size=1, max_size=5), max_size=40))
def test_an_inverted_index_gives_back_the_words_in_order(words: list[str]) -> None:
    inverted: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        inverted.setdefault(word, []).append(place)
    assert in_order(inverted) == " ".join(words)


def test_places_far_apart_cost_no_memory() -> None:
    assert in_order({"end": [10**15], "start": [0]}) == "start end"


@pytest.mark.parametrize("index", [[], "text", {"a": 1}, {"a": ["0"]}, {"a": [True]}, {"a": None}])
def test_an_index_of_another_shape_is_malformed(index: object) -> None:
    with pytest.raises(MalformedDocumentError, match="abstract_inverted_index"):
        parsed(an_openalex_work(abstract_inverted_index=index))


def test_a_work_without_abstract_is_its_title_and_without_both_is_empty() -> None:
    assert parsed(an_openalex_work(abstract_inverted_index=None)).text == "Walking and sleep"
    with pytest.raises(EmptyDocumentError):
        parsed(an_openalex_work(abstract_inverted_index=None, title=None, display_name=None))


def test_markup_and_escapes_in_titles_are_undone_and_comparisons_stay() -> None:
    title = 'Effects of CO<sub>2</sub> &amp; <jats:italic toggle="yes">E. coli</jats:italic> at p <b and c> d'
    assert parsed(an_openalex_work(title=title)).title == "Effects of CO2 & E. coli at p <b and c> d"


def an_index(abstract: str) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(abstract.split(" ")):
        index.setdefault(word, []).append(place)
    return index


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("&lt;i&gt;Aquila&lt;/i&gt; at 10<sup>6</sup> m", "Aquila at 10^6 m"),
        ("&amp;lt;em&amp;gt;E. coli&amp;lt;/em&amp;gt; &amp;amp; more", "E. coli & more"),
        ("5 x 10<sup>-<i>3</i></sup> of <sup>131</sup>I and CO<sub>2</sub>", "5 x 10^-3 of 131I and CO2"),
        ("10<jats:sup>6", "10^6"),
        ("per m<sup>2</sup>, Ca<sup>2+</sup>, mortality<sup>12</sup>", "per m2, Ca2+, mortality^12"),
        ("n<jats:italic toggle='yes'>o</jats:italic>", "no"),
        ("p<0.05 and x>3, <b and c> d", "p<0.05 and x>3, <b and c> d"),
        (
            'at <mml:math xmlns:mml="m"><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup>'
            "</mml:math> m",
            "at 10^6 m",
        ),
        ("tails<br>They", "tails They"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup></math>5 and 5<math><mn>2</mn></math>", "x^2 5 and 5 2"),
        (r"of $x^2$5 mg", "of x^2 5 mg"),
        (r"5$x^2$5", "5 x^2 5"),
        (r"10$^6$ of CO$_2$ and H$_{2}$O", "10^6 of CO2 and H2O"),
        (r"$^{18}$F-FDG and $^{99m}$Tc", "18F-FDG and 99mTc"),
        (r"the $n$th of $\alpha$2 and $\alpha$b", r"the nth of \alpha 2 and \alpha b"),
        (r"where$x_1$is $p<0.05$ and n=$12$", "where x_1 is p < 0.05 and n=12"),
        (r"\(n = 5\)7 of \[E=mc^2\]x", "n = 5 7 of E=mc^2 x"),
        (r"$$a_b$$ of $x$$y$ and $$c$$", "a_b of x y and c"),
        (r"$10^{-3}$M of $\beta$-blockers", r"10^{-3} M of \beta-blockers"),
        (
            r"at \documentclass[12pt]{minimal} \usepackage{amsmath} \begin{document}$$x^{2}$$\end{document}5",
            "at x^{2} 5",
        ),
        (r"cost $5 and $10, US$5/US$10 or \$5 and \$6, where $x^2$ is", None),
        ("paid $5,$6 of $ 5 and $5", None),
    ],
)
def test_markup_of_titles_and_abstracts_is_undone_alike(marked: str, plain: str | None) -> None:
    plain = plain or marked.replace("$x^2$", "x^2")  # money stays
    document = parsed(an_openalex_work(title=marked, abstract_inverted_index=an_index(f"{marked} kites")))
    assert document.title == plain
    assert document.text.split("Abstract")[-1].split() == f"{plain} kites".split()


def test_headings_in_tags_are_sections_of_the_abstract() -> None:
    abstract = (
        "<jats:title>Abstract</jats:title><jats:sec><jats:title>Background</jats:title><jats:p>Kites rise."
        "</jats:p></jats:sec><jats:sec><jats:title>Methods</jats:title><jats:p>We flew.</jats:p></jats:sec>"
    )
    document = parsed(an_openalex_work(title="T", abstract_inverted_index=an_index(abstract)))
    assert document.text == "T\n\nAbstract\n\nBackground\n\nKites rise.\n\nMethods\n\nWe flew."
    assert [section.title for section in document.sections[-1].sections] == ["Background", "Methods"]


@pytest.mark.parametrize(
    ("glued", "apart"),
    [
        ("AbstractBackground Kites rise.Methods We", "Abstract Background Kites rise. Methods We"),
        ("ResultsThe kites (7%).Conclusions: up", "Results The kites (7%). Conclusions: up"),
        ("MethodsX and U.S. Results", "MethodsX and U.S. Results"),
        (
            "OBJECTIVETo fly.METHODSWe flew 5.RESULTSAll 12.",
            "OBJECTIVE To fly. METHODS We flew 5. RESULTS All 12.",
        ),
    ],
)
def test_headings_whose_tags_are_lost_are_set_apart(glued: str, apart: str) -> None:
    document = parsed(an_openalex_work(title="T", abstract_inverted_index=an_index(glued)))
    assert document.text == f"T\n\nAbstract\n\n{apart}"


def test_what_is_known_of_the_work_is_metadata() -> None:
    assert parsed(an_openalex_work(7)).metadata == {
        "openalex_id": "W7",
        "doi": "10.5555/walks.7",
        "pmid": "10000007",
        "pmcid": "PMC7000007",
        "authors": ["Ann Walker"],
        "journal": "Journal of Walks",
        "year": "2020",
        "date": "2020-05-04",
        "type": "article",
        "mesh": ["Sleep"],
        "topics": ["Sleep and exercise"],
        "keywords": ["Walking"],
        "is_retracted": False,
        "is_paratext": False,
        "is_open_access": True,
        "open_access_status": "hybrid",
        "licence": "cc-by-nc",
        "redistributable": True,
    }


def test_a_retracted_work_says_so() -> None:
    assert parsed(an_openalex_work(is_retracted=True)).metadata["is_retracted"] is True


def test_a_closed_work_may_not_be_passed_on() -> None:
    closed = {
        "is_oa": False,
        "landing_page_url": "https://doi.org/10.5555/1",
        "pdf_url": None,
        "license": None,
    }
    work = an_openalex_work(
        best_oa_location=None,
        primary_location=closed,
        locations=[closed],
        open_access={"is_oa": False, "oa_status": "closed", "oa_url": None},
    )
    metadata = parsed(work).metadata
    assert (metadata["licence"], metadata["redistributable"]) == ("none", False)
    assert metadata["open_access_status"] == "closed"
    assert links(work) == []


def test_the_language_is_the_works_own() -> None:
    assert parsed(an_openalex_work(language="de")).language == "de"
    assert parsed(an_openalex_work(language=None)).language == "en"


def test_pdfs_are_linked_best_first_and_none_twice() -> None:
    assert isinstance(OpenAlexParser(), LinksToPdfs)
    assert links(an_openalex_work(1)) == [
        ("https://walks.example/articles/1.pdf", "cc-by-nc"),
        ("https://repository.example/1/full.pdf", None),
    ]


def test_a_landing_page_is_no_link_to_a_pdf() -> None:
    page = {"landing_page_url": "https://walks.example/1", "pdf_url": None, "license": "cc-by"}
    assert links(an_openalex_work(best_oa_location=page, primary_location=page, locations=[page])) == []


@pytest.mark.parametrize("url", ["ftp://walks.example/1.pdf", "1.pdf", "file:///1.pdf", "https://[1.pdf"])
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    location = {"pdf_url": url}
    work = an_openalex_work(best_oa_location=location, primary_location=location, locations=[location])
    assert links(work) == []


@pytest.mark.parametrize(
    "record", [b"{", b"[1]", b'{"locations": 7}', b'{"best_oa_location": {"pdf_url": []}}']
)
def test_links_of_a_record_that_cannot_be_read_are_a_named_error(record: bytes) -> None:
    with pytest.raises(MalformedDocumentError):
        OpenAlexParser().pdf_links(a_payload(record, "openalex"))


@pytest.mark.parametrize("written", ["W12", "https://openalex.org/W12", "https://openalex.org/works/w12/"])
def test_the_document_id_is_the_works_however_it_is_written(written: str) -> None:
    (location,) = locate(json.dumps(an_openalex_work(id=written)).encode())
    assert location.doc_id == "W12"


@pytest.mark.parametrize("wrong", [None, 12, "", "A12", "https://openalex.org/A5023888391", "W", "W0"])
def test_anything_but_a_work_is_refused_and_the_works_around_it_come(wrong: object) -> None:
    content = an_openalex_page(an_openalex_work(1), an_openalex_work(id=wrong), an_openalex_work(3))
    first, bad, third = locate(content)
    assert (first.doc_id, third.doc_id) == ("W1", "W3")
    assert isinstance(bad.error, MissingIdentifierError)
    assert "page.json, record 2" in bad.error.message


def test_citations_by_others_do_not_make_a_new_version() -> None:
    now = an_openalex_work()
    later = now | {"cited_by_count": 99, "updated_date": "2027-01-01", "related_works": ["W2"]}
    changed = now | {"is_retracted": True}
    same, cited, retracted = (locate(json.dumps(work).encode())[0].version for work in (now, later, changed))
    assert same == cited != retracted
    assert parsed(now).metadata == parsed(later).metadata


@pytest.mark.parametrize(
    "answer",
    [
        b'{"error": "Invalid query", "message": "no filter"}',
        b'{"meta": {}, "items": []}',
        b"<html></html>",
    ],
)
def test_another_answer_than_a_page_is_not_taken_for_an_empty_one(answer: bytes) -> None:
    (location,) = locate(answer)
    assert location.error is not None


def test_an_empty_page_has_no_works() -> None:
    assert locate(an_openalex_page(next_cursor=None)) == []


def test_a_page_cut_off_inside_a_work_gives_those_before_and_an_error_that_names_the_place() -> None:
    content = an_openalex_page(an_openalex_work(1), an_openalex_work(2), an_openalex_work(3))
    *good, cut = locate(content[: content.index(b"walks.3") + 3])
    assert [location.doc_id for location in good] == ["W1", "W2"]
    assert isinstance(cut.error, MalformedDocumentError)
    assert "page.json, record 3" in cut.error.message
    assert "cut off" in cut.error.message


@settings(max_examples=200, deadline=None)
@given(value=ANY_JSON, data=st.data())
def test_a_work_may_hold_any_json_anywhere(value: object, data: st.DataObject) -> None:
    work = an_openalex_work()
    inside = data.draw(st.sampled_from([work, *(v for v in work.values() if isinstance(v, dict))]))
    inside[data.draw(st.sampled_from(sorted(inside)))] = value
    attempt(OpenAlexParser(), json.dumps(work).encode())
    attempt(OpenAlexParser(), an_openalex_page(work))
