"""Dates, people, titles and languages of an article, each from the elements that state them."""

from __future__ import annotations

from typing import Any

import pytest

from medkg.testing.builders import a_payload, an_article
from medkg.testing.document_checks import sections_of
from orchestration.parsing.jats import JatsParser
from orchestration.records import Document

PUBLISHED = '<pub-date pub-type="epub"><year>2020</year></pub-date>'
PEOPLE = '<contrib-group><contrib contrib-type="author"><name><surname>Walker</surname><given-names>Ann</given-names>\n</name></contrib></contrib-group>'  # fmt: skip  # noqa: E501


def parsed(article: str) -> Document:
    return JatsParser().parse(
        a_payload(article.encode(), "jats", doc_id="PMC1234567", source="pmc"), "default"
    )


def metadata(old: str, new: str) -> dict[str, Any]:
    article = an_article().decode()
    assert old in article
    return parsed(article.replace(old, new)).metadata


def dated(kind: str, date: str) -> str:
    return f"<pub-date {kind}>{date}</pub-date>"


UPDATED = dated('date-type="update"', "<year>2023</year>")
COLLECTED = dated('pub-type="collection"', "<year>2011</year>")
ONLINE = dated('pub-type="epub"', "<day>30</day><month>12</month><year>2012</year>")
PRINTED = dated('pub-type="ppub"', "<month>Jan</month><year>2013</year>")
MARKED = dated('date-type="publication" publication-format="electronic"', "<year>2012</year>")
RECEIVED = dated('date-type="received"', "<year>2010</year>") + dated(
    'date-type="retracted"', "<year>2022</year>"
)


@pytest.mark.parametrize(
    ("dates", "year", "date"),
    [
        (UPDATED + MARKED, "2012", "2012"),
        (COLLECTED + ONLINE, "2012", "2012-12-30"),
        (COLLECTED + ONLINE + PRINTED, "2013", "2013-01"),
        (UPDATED + COLLECTED, "2011", "2011"),
        (dated('pub-type="pmc-release"', "<year>2015</year>") + MARKED, "2012", "2012"),
        (dated("", "<day>04</day><month>03</month><year>2021</year>"), "2021", "2021-03-04"),
        (dated('pub-type="epub" iso-8601-date="2011-02-03"', ""), "2011", "2011-02-03"),
        (dated('pub-type="epub"', "<string-date>Spring 2010</string-date>"), "2010", "2010"),
        (dated("", "<string-date><month>May</month> <year>2010</year></string-date>"), "2010", "2010-05"),
        (RECEIVED, None, None),
        (dated('pub-type="epub"', "<year>no year</year>"), None, None),
        (COLLECTED + dated('pub-type="issue-pub"', "<year>2013</year>"), "2013", "2013"),
        (dated('date-type="first-published-online"', "<year>2014</year>") + COLLECTED, "2014", "2014"),
        (RECEIVED + dated('date-type="original-publication"', "<year>2015</year>"), "2015", "2015"),
        (dated('date-type="corrected-publication"', "<year>2015</year>"), None, None),
        (dated('pub-type="ppub"', "<day>30</day><month>2</month><year>2013</year>"), "2013", "2013-02"),
        (dated('pub-type="ppub"', "<month>Jan-Feb</month><year>2012</year>"), "2012", "2012-01"),
        (dated('pub-type="ppub"', "<season>Jul–Aug</season><year>2012</year>"), "2012", "2012-07"),
        (dated('pub-type="ppub"', "<season>Spring</season><year>2012</year>"), "2012", "2012"),
        (dated('pub-type="epub" iso-8601-date="2020-05-01"', "<day>1</day><month>5</month><year>2563</year>"),
         "2020", "2020-05-01"),
        (dated('pub-type="epub" iso-8601-date="2020-05"', "<day>3</day><month>5</month><year>2020</year>"),
         "2020", "2020-05-03"),
        (dated('pub-type="epub" iso-8601-date="20200501T00:00:00Z"', "<year>令和2年</year>"), "2020",
         "2020-05-01"),
        (dated('pub-type="epub"', '<year iso-8601-date="2020" calendar="Saka">1942</year><month>2</month>'),
         "2020", "2020"),
        (dated('pub-type="epub" calendar="Saka"', "<year>1942</year>"), None, None),
        (dated('pub-type="epub"', "<year>1942</year><era>Saka</era>"), None, None),
        (dated('pub-type="epub"', '<string-date iso-8601-date="2010-03-05">5 mars 2010</string-date>'),
         "2010", "2010-03-05"),
        (dated('pub-type="epub"', "<string-date>July–August 2010</string-date>"), "2010", "2010-07"),
        (dated('pub-type="ppub"', "<day>2</day><month>Sept.</month><year>2012</year>"), "2012", "2012-09-02"),
    ],
)  # fmt: skip
def test_the_year_is_the_one_of_publication(dates: str, year: str | None, date: str | None) -> None:
    stated = metadata(PUBLISHED, dates)
    assert (stated.get("year"), stated.get("date")) == (year, date)


def test_the_date_online_is_kept_beside_the_one_in_print() -> None:
    assert metadata(PUBLISHED, ONLINE + PRINTED)["electronic_date"] == "2012-12-30"


def contributor(surname: str, kind: str = "author", more: str = "") -> str:
    stated = f' contrib-type="{kind}"' if kind else ""
    name = f"<name><surname>{surname}</surname><given-names>X</given-names></name>"
    return f"<contrib{stated}>{name}{more}</contrib>"


def group(*contributors: str, kind: str = "") -> str:
    stated = f' content-type="{kind}"' if kind else ""
    return f"<contrib-group{stated}>{''.join(contributors)}</contrib-group>"


CONSORTIUM = (
    '<contrib contrib-type="author"><collab><institution>Walk</institution> Consortium: '
    + group(contributor("Member", ""), contributor("Other", "author"))
    + "</collab></contrib>"
)


@pytest.mark.parametrize(
    ("people", "authors", "editors"),
    [
        (group(contributor("One"), contributor("Ed", "editor")), ["One X"], ["Ed X"]),
        (group(contributor("One", "")) + group(contributor("Ed", ""), kind="editors"), ["One X"], ["Ed X"]),
        (group(contributor("One", ""), contributor("Ed", "", "<role>Academic Editor</role>")),
         ["One X"], ["Ed X"]),
        (group(contributor("One"), CONSORTIUM), ["One X", "Walk Consortium"], None),
        (group(contributor("One", more="<on-behalf-of>on behalf of the Walk Group</on-behalf-of>")),
         ["One X", "Walk Group"], None),
        (group(contributor("Wang"), contributor("Wang")), ["Wang X", "Wang X"], None),
        (group(contributor("One")) + group(contributor("One"), contributor("Two")), ["One X", "Two X"], None),
        (group("<contrib><name-alternatives><name><surname>Wang</surname></name><name><surname>王</surname></name>"
               "</name-alternatives></contrib>"), ["Wang"], None),
        (group("<contrib><string-name>Ann Walker</string-name></contrib>", "<contrib><anonymous/></contrib>"),
         ["Ann Walker"], None),
        (group(contributor("One"), contributor("Judge", "reviewer")), ["One X"], None),
    ],
)  # fmt: skip
def test_people_are_listed_by_what_they_did(
    people: str, authors: list[str], editors: list[str] | None
) -> None:
    listed = metadata(PEOPLE, people)
    assert (listed["authors"], listed.get("editors")) == (authors, editors)


def test_members_of_a_group_and_translators_are_listed_apart() -> None:
    listed = metadata(PEOPLE, group(CONSORTIUM, contributor("Trans", "translator")))
    assert listed["investigators"] == ["Member X", "Other X"]
    assert listed["translators"] == ["Trans X"]


def test_members_outside_of_their_group_are_no_authors() -> None:
    members = group(contributor("Member", "author non-byline"), contributor("Other", "")).replace(
        "<contrib-group>", '<contrib-group content-type="collaborators">'
    )
    listed = metadata(PEOPLE, group(contributor("One")) + members)
    assert (listed["authors"], listed["investigators"]) == (["One X"], ["Member X", "Other X"])


def test_declarations_in_the_notes_of_authors_are_metadata() -> None:
    notes = '<fn fn-type="conflict"><p>None to declare.</p></fn><fn><p>x</p></fn>'
    stated = metadata(PUBLISHED, f"<author-notes>{notes}</author-notes>{PUBLISHED}")
    assert stated["competing_interests"] == "None to declare."


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('Wave &alpha;<xref ref-type="fn">*</xref> of <italic>x</italic> in 10<sup>5</sup> walks',
         "Wave α of x in 10^5 walks"),
        ('Walks<sup><xref ref-type="bibr">1</xref></sup> on<break/>hills', "Walks on hills"),
        ("<inline-formula><alternatives><mml:math><mml:mi>x</mml:mi></mml:math><tex-math>$x$</tex-math>"
         "</alternatives></inline-formula> &ndash; why", "x – why"),
        ("Wave &amp;alpha; of &lt;i&gt;x&lt;/i&gt; in 10&lt;sup&gt;5&lt;/sup&gt;", "Wave α of x in 10^5"),
        ("P &lt; 0.05", "P < 0.05"),
    ],
)  # fmt: skip
def test_titles_are_readable(written: str, title: str) -> None:
    assert parsed(an_article(title=written).decode()).title == title


def test_an_article_with_a_translated_title_alone_is_called_by_it() -> None:
    translated = '<trans-title-group xml:lang="en"><trans-title>On walks</trans-title></trans-title-group>'
    article = an_article(title="").decode().replace("</title-group>", f"{translated}</title-group>")
    assert parsed(article).title == "On walks"


def test_a_subtitle_belongs_to_the_title_and_its_footnote_to_the_text() -> None:
    title = (
        "Walking<fn><p>Funded by feet.</p></fn></article-title><subtitle>A trial</subtitle><article-title>"
    )
    document = parsed(an_article(title=title).decode().replace("<article-title></article-title>", ""))
    assert document.title == "Walking: A trial"
    assert document.text.startswith("Walking: A trial\n\nFunded by feet.\n\nAbstract")


def test_abstracts_in_other_languages_are_sections_and_languages_are_metadata() -> None:
    article = an_article().decode()
    article = article.replace("<article ", '<article xml:lang="en" ', 1).replace(
        "</title-group>",
        '<trans-title-group xml:lang="fr"><trans-title>La marche</trans-title></trans-title-group>'
        "</title-group>",
    )
    article = article.replace(
        "</abstract>",
        '</abstract><trans-abstract xml:lang="fr"><p>Marcher aide.</p></trans-abstract>'
        '<trans-abstract xml:lang="es"><title>Resumen</title><p>Ayuda.</p></trans-abstract>',
    )
    document = parsed(article)
    assert "Abstract (French)\n\nMarcher aide.\n\nResumen\n\nAyuda." in document.text
    roles = {section.title: section.role for section in sections_of(document)}
    assert (roles["Abstract (French)"], roles["Resumen"]) == ("abstract", "abstract")
    assert document.metadata["abstract_languages"] == ["en", "fr", "es"]
    assert document.metadata["translated_titles"] == {"fr": "La marche"}


def test_a_group_that_all_authors_wrote_for_is_an_author() -> None:
    group = "<on-behalf-of>on behalf of the Kite Network</on-behalf-of></contrib-group>"
    assert metadata(PEOPLE, PEOPLE.replace("</contrib-group>", group))["authors"] == [
        "Walker Ann",
        "Kite Network",
    ]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("on behalf of the Group for Walks in Kite Country", "Group for Walks in Kite Country"),
        ("For the Society for the Study of Kites", "Society for the Study of Kites"),
        ("Centre for Kites", "Centre for Kites"),
    ],
)
def test_the_name_of_a_group_keeps_its_own_words(words: str, name: str) -> None:
    group = f"<on-behalf-of>{words}</on-behalf-of></contrib-group>"
    authors = metadata(PEOPLE, PEOPLE.replace("</contrib-group>", group))["authors"]
    assert authors == ["Walker Ann", name]


@pytest.mark.parametrize("place", ["before", "behind", "inside"])
def test_a_group_that_is_an_author_and_the_one_written_for_is_listed_once(place: str) -> None:
    name = "Group for Walks"
    author = f'<contrib contrib-type="author"><collab>{name}</collab></contrib>'
    written_for = f"<on-behalf-of>on behalf of the {name}</on-behalf-of>"
    contributor = f'<contrib contrib-type="author"><string-name>Roe Jo</string-name>{written_for}</contrib>'
    groups = {
        "before": f"{written_for}{author}",
        "behind": f"{author}{written_for}",
        "inside": f"{contributor}{author}",
    }
    authors = metadata(PEOPLE, PEOPLE.replace("</contrib-group>", f"{groups[place]}</contrib-group>"))[
        "authors"
    ]
    assert authors == ["Walker Ann", *(["Roe Jo"] if place == "inside" else []), name]


def test_contributors_without_a_type_behind_a_group_are_its_members() -> None:
    def contributor(names: str, kind: str = "") -> str:
        return f"<contrib{kind}>{names}</contrib>"

    author = ' contrib-type="author"'
    people = "".join(
        [
            contributor("<collab>Walk Group</collab>", author),
            contributor("<string-name>Walker Ann</string-name>"),
            contributor("<string-name>Roe Jo</string-name>"),
            contributor("<string-name>Lee Kim</string-name>", author),
        ]
    )
    listed = metadata(PEOPLE, PEOPLE.replace("</contrib-group>", f"{people}</contrib-group>"))
    assert listed["authors"] == ["Walker Ann", "Walk Group", "Lee Kim"]
    assert listed["investigators"] == ["Walker Ann", "Roe Jo"]


def test_of_a_name_in_two_scripts_the_one_in_the_language_of_the_article_is_taken() -> None:
    forms = (
        '<name-alternatives><name xml:lang="zh"><surname>王</surname><given-names>伟</given-names></name>'
        '<name xml:lang="en"><surname>Wang</surname><given-names>Wei</given-names></name></name-alternatives>'
    )
    group = f'<contrib-group><contrib contrib-type="author">{forms}</contrib></contrib-group>'
    assert metadata(PEOPLE, group)["authors"] == ["Wang Wei"]


def test_awards_data_and_parts_of_keywords_are_read_apart() -> None:
    parts = (
        "<kwd-group><compound-kwd><compound-kwd-part>I10</compound-kwd-part><compound-kwd-part>Hypertension"
        "</compound-kwd-part></compound-kwd></kwd-group><funding-group><award-group><funding-source>NIH"
        "</funding-source><award-id>R01</award-id></award-group></funding-group><custom-meta-group>"
        "<custom-meta><meta-name>Data Availability</meta-name><meta-value>All in Dryad.</meta-value>"
        "</custom-meta></custom-meta-group>"
    )
    read = metadata(PEOPLE, PEOPLE + parts)
    assert "I10 Hypertension" in read["keywords"]
    assert (read["funding"], read["data_availability"]) == ("NIH R01", "All in Dryad.")


def test_titles_in_other_languages_are_read_as_the_title_is() -> None:
    translated = metadata(
        "</title-group>",
        '<trans-title-group xml:lang="fr"><trans-title>&lt;i&gt;E. coli&lt;/i&gt; vole&#160;?'
        '<xref ref-type="fn">*</xref></trans-title>'
        "<trans-subtitle>Un &lt;b&gt;essai&lt;/b&gt;</trans-subtitle></trans-title-group></title-group>",
    )["translated_titles"]
    assert translated == {"fr": "E. coli vole ? Un essai"}


def test_members_of_a_group_inside_a_group_are_listed_once() -> None:
    inner = f"<collab>Kite Group{group(contributor('Inner'))}</collab>"
    members = group(contributor("Outer"), f"<contrib>{inner}</contrib>")
    listed = metadata(PEOPLE, group(f"<contrib><collab>Walk Group{members}</collab></contrib>"))
    assert listed["authors"] == ["Walk Group"]
    assert listed["investigators"] == ["Outer X", "Kite Group", "Inner X"]


@pytest.mark.parametrize(
    ("name", "author", "honorifics"),
    [
        ("<surname>Walker</surname><given-names>Ann</given-names><prefix>Sir</prefix><suffix>Jr</suffix>",
         "Walker Ann Jr", ["Sir Ann Walker Jr"]),
        ("<surname>Walker</surname><given-names>Ann</given-names><prefix>dr.</prefix>", "Walker Ann",
         ["dr. Ann Walker"]),
        ("<surname>Berg</surname><given-names>Ann</given-names><prefix>van der</prefix>", "van der Berg Ann",
         None),
    ],
)  # fmt: skip
def test_an_honorific_is_kept_beside_the_name_and_a_particle_in_it(
    name: str, author: str, honorifics: list[str] | None
) -> None:
    listed = metadata(PEOPLE, group(f'<contrib contrib-type="author"><name>{name}</name></contrib>'))
    assert (listed["authors"], listed.get("honorifics")) == ([author], honorifics)


@pytest.mark.parametrize(
    ("collab", "author"),
    [
        ("<institution>WHO</institution><institution>Unit 5</institution>", "WHO Unit 5"),
        ("WHO<institution>Unit 5</institution>", "WHO Unit 5"),
        ("WHO<contrib-group><contrib><name><surname>Lee</surname></name></contrib></contrib-group>", "WHO"),
        ("<named-content>Kite</named-content> Group<xref>1</xref>, <email>a@b.c</email>", "Kite Group"),
    ],
)
def test_parts_of_the_name_of_a_group_stay_words(collab: str, author: str) -> None:
    listed = metadata(PEOPLE, group(f'<contrib contrib-type="author"><collab>{collab}</collab></contrib>'))
    assert listed["authors"] == [author]


def test_reviewers_and_contributors_of_other_kinds_are_listed_with_what_they_did() -> None:
    people = group(contributor("One"), contributor("Judge", "referee"), contributor("Pix", "photography"))
    drawn = contributor("Hand", "illustrator", "<role>Drew the maps</role>")
    listed = metadata(PEOPLE, people.replace("</contrib-group>", f"{drawn}</contrib-group>"))
    assert listed["reviewers"] == ["Judge X"]
    assert listed["contributors"] == ["Pix X (photography)", "Hand X (Drew the maps)"]


def test_an_editor_that_writes_for_a_group_keeps_it() -> None:
    editor = contributor("Ed", "editor", "<on-behalf-of>for the Kite Group</on-behalf-of>")
    assert metadata(PEOPLE, group(contributor("One"), editor))["editors"] == ["Ed X", "Kite Group"]


def test_what_articles_inside_state_of_themselves_is_kept() -> None:
    award = (
        "<award-group><funding-source><institution>NIH</institution><country>US</country></funding-source>"
    )
    front = (
        '<article-id pub-id-type="doi">10.1/r1</article-id><title-group><article-title>Decision letter'
        "</article-title></title-group>"
        + group(contributor("Ed", "editor"), contributor("Judge", "reviewer"))
        + '<author-notes><fn fn-type="COI-statement"><p>None.</p></fn></author-notes>'
        + '<pub-date pub-type="epub"><year>2021</year></pub-date>'
        + '<related-article related-article-type="peer-reviewed-article" xlink:href="https://doi.org/10.1/k"/>'
        + f"<funding-group>{award}<award-id>R01</award-id></award-group></funding-group>"
    )
    notes = "<notes><title>Note</title><p>Seen twice.</p></notes>"
    reply = (
        '<response response-type="reply" xml:lang="fr"><front><article-meta>'
        f"{group(contributor('One'))}</article-meta>{notes}</front><body><p>We agree.</p></body></response>"
    )
    inner = (
        f'<sub-article article-type="decision-letter"><front-stub>{front}</front-stub>{reply}</sub-article>'
    )
    document = parsed(an_article(extra=inner).decode())
    assert document.metadata["sub_articles"] == [
        {
            "title": "Decision letter",
            "type": "decision-letter",
            "doi": "10.1/r1",
            "editors": ["Ed X"],
            "reviewers": ["Judge X"],
            "year": "2021",
            "date": "2021",
            "electronic_date": "2021",
            "competing_interests": "None.",
            "funding": "NIH US R01",
            "awards": ["NIH US R01"],
            "related_articles": [{"type": "peer-reviewed-article", "article": "10.1/k"}],
        },
        {"type": "reply", "language": "fr", "authors": ["One X"]},
    ]
    assert document.metadata["authors"] == ["Walker Ann"]
    assert "Note\n\nSeen twice.\n\nWe agree." in document.text


def test_a_notice_that_retracts_and_corrects_is_a_retraction() -> None:
    links = (
        '<related-article related-article-type="corrected-article" xlink:href="https://doi.org/10.1/c"/>'
        '<related-article related-article-type="retracted-article" xlink:href="info:doi/10.1/r"/>'
    )
    article = an_article(meta=links).decode().replace('"research-article"', '"correction"')
    stated = parsed(article).metadata
    assert (stated["notice"], stated["notice_of"]) == ("retraction", ["10.1/r"])
    assert stated["other_notices"] == {"correction": ["10.1/c"]}
