"""Each format is known by its content, and read into the same concepts; broken files name their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.errors import VocabularyUnreadableError
from orchestration.vocabularies.concepts import VocabularyConcept
from orchestration.vocabularies.formats.detection import detected_format, read_vocabulary
from orchestration.vocabularies.formats.reading import FileOptions, ReadVocabulary

OBO = """format-version: 1.4
data-version: releases/2026-01-01
ontology: mondo

[Term]
id: MONDO:0000001
name: fruit disease

[Term]
id: MONDO:0000002
name: apple disease
synonym: "malus disorder" EXACT []
synonym: "disorder of a tree" BROAD []
xref: MESH:D1
xref: https://example.org/apple
alt_id: MONDO:0000009
is_a: MONDO:0000001 ! fruit disease

[Term]
id: MONDO:0000003
name: obsolete pear disease
is_obsolete: true
"""

OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:owl="http://www.w3.org/2002/07/owl#"
  xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
  xmlns:oboInOwl="http://www.geneontology.org/formats/oboInOwl#">
  <owl:Ontology rdf:about="http://purl.obolibrary.org/obo/mondo.owl"/>
  <owl:Class rdf:about="http://purl.obolibrary.org/obo/MONDO_0000001">
    <rdfs:label>fruit disease</rdfs:label></owl:Class>
  <owl:Class rdf:about="http://purl.obolibrary.org/obo/MONDO_0000002">
    <rdfs:label>apple disease</rdfs:label>
    <rdfs:subClassOf rdf:resource="http://purl.obolibrary.org/obo/MONDO_0000001"/>
    <oboInOwl:hasExactSynonym>malus disorder</oboInOwl:hasExactSynonym>
    <oboInOwl:hasDbXref>MESH:D1</oboInOwl:hasDbXref>
  </owl:Class>
</rdf:RDF>
"""

TURTLE = """@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix f: <http://purl.obolibrary.org/obo/MONDO_> .
<http://example.org/scheme> a skos:ConceptScheme ; owl:versionInfo "2026" .
f:0000001 a skos:Concept ; skos:prefLabel "fruit disease"@en .
f:0000002 a skos:Concept ; skos:prefLabel "apple disease"@en , "Apfelkrankheit"@de ;
  skos:altLabel "malus disorder"@en ; skos:broader f:0000001 ;
  skos:exactMatch <http://id.nlm.nih.gov/mesh/D1> .
f:0000003 a skos:Concept ; skos:prefLabel "pear disease"@en ; owl:deprecated true .
"""

SKOS_XML = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:skos="http://www.w3.org/2004/02/skos/core#">
  <skos:Concept rdf:about="http://purl.obolibrary.org/obo/MONDO_0000002">
    <skos:prefLabel xml:lang="en">apple disease</skos:prefLabel>
    <skos:altLabel xml:lang="en">malus disorder</skos:altLabel>
  </skos:Concept>
</rdf:RDF>
"""

MESH_XML = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://example.org/none.dtd">
<DescriptorRecordSet LanguageCode="eng">
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D1</DescriptorUI>
 <DescriptorName><String>Fruit Diseases</String></DescriptorName>
 <TreeNumberList><TreeNumber>C99</TreeNumber></TreeNumberList></DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D2</DescriptorUI>
 <DescriptorName><String>Apple Disease</String></DescriptorName>
 <TreeNumberList><TreeNumber>C99.100</TreeNumber></TreeNumberList>
 <ConceptList><Concept><TermList><Term><String>Malus Disorder</String></Term></TermList></Concept>
 </ConceptList>
</DescriptorRecord>
<DescriptorRecord DescriptorClass="1"><DescriptorUI>D3</DescriptorUI>
 <DescriptorName><String>Orchards</String></DescriptorName>
 <TreeNumberList><TreeNumber>Z01</TreeNumber></TreeNumberList></DescriptorRecord>
</DescriptorRecordSet>
"""

SUPPLEMENTAL_XML = """<SupplementalRecordSet LanguageCode="eng">
<SupplementalRecord SCRClass="1"><SupplementalRecordUI>C1</SupplementalRecordUI>
 <SupplementalRecordName><String>pearazole</String></SupplementalRecordName>
 <HeadingMappedToList><HeadingMappedTo><DescriptorReferredTo><DescriptorUI>*D5</DescriptorUI>
 </DescriptorReferredTo></HeadingMappedTo></HeadingMappedToList>
</SupplementalRecord></SupplementalRecordSet>
"""

MESH_ASCII = """*NEWRECORD
RECTYPE = D
MH = Fruit Diseases
MN = C99
UI = D1

*NEWRECORD
RECTYPE = D
MH = Apple Disease
ENTRY = Malus Disorder|T047|NON|EQV|NLM (2026)|abcdef
MN = C99.100
UI = D2
"""


def a_row(cui: str, text: str, **cells: str) -> str:
    """A row of MRCONSO.RRF."""
    default = {
        "LAT": "ENG",
        "TS": "S",
        "STT": "VO",
        "ISPREF": "N",
        "SAB": "MSH",
        "CODE": "D1",
        "SUPPRESS": "N",
    }
    names = [
        *("CUI", "LAT", "TS", "LUI", "STT", "SUI", "ISPREF", "AUI", "SAUI"),
        *("SCUI", "SDUI", "SAB", "TTY", "CODE", "STR", "SRL", "SUPPRESS", "CVF"),
    ]
    row = {**default, **cells, "CUI": cui, "STR": text}
    return "|".join(row.get(name, "") for name in names) + "|\n"


RRF = (
    a_row("C0000001", "malus disorder")
    + a_row("C0000001", "Apple Disease", TS="P", STT="PF", ISPREF="Y")
    + a_row("C0000001", "Apfelkrankheit", LAT="GER", SAB="MDRGER", CODE="7")
    + a_row("C0000001", "old name", SUPPRESS="O")
    + a_row("C0000002", "Orchards")
)


def read(tmp_path: Path, name: str, content: str, **options: tuple[str, ...]) -> ReadVocabulary:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return read_vocabulary(path, "auto", FileOptions(**options))  # type: ignore[arg-type]


def names_of(concept: VocabularyConcept) -> list[tuple[str, str]]:
    return [(name.text, name.scope) for name in concept.names]


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("a.txt", OBO, "obo"),
        ("a.txt", OWL, "owl"),
        ("a.txt", TURTLE, "skos"),
        ("a.txt", SKOS_XML, "skos-xml"),
        ("a.txt", MESH_XML, "mesh-xml"),
        ("a.txt", SUPPLEMENTAL_XML, "mesh-xml"),
        ("a.txt", MESH_ASCII, "mesh-ascii"),
        ("a.txt", RRF, "rrf"),
        ("a.txt", "id\tname\n", "tsv"),
        ("a.txt", "id,name\n", "csv"),
    ],
)
def test_a_format_is_known_by_its_content(tmp_path: Path, name: str, content: str, format_name: str) -> None:
    (tmp_path / name).write_text(content)
    assert detected_format(tmp_path / name) == format_name


def test_obo_gives_terms_with_scopes_references_and_parents_without_obsolete_ones(tmp_path: Path) -> None:
    vocabulary = read(tmp_path, "mondo.obo", OBO)
    apple = vocabulary.concepts[1]
    assert (vocabulary.version, vocabulary.left_out) == ("releases/2026-01-01", {"obsolete": 1})
    assert apple.curie == "MONDO:0000002" and apple.parents == ("MONDO:0000001",)
    assert names_of(apple) == [
        ("apple disease", "preferred"),
        ("disorder of a tree", "broad"),
        ("malus disorder", "exact"),
    ]
    assert apple.cross_references == ("MESH:D1", "MONDO:0000009")


def test_owl_gives_the_same_terms(tmp_path: Path) -> None:
    apple = next(each for each in read(tmp_path, "mondo.owl", OWL).concepts if each.curie == "MONDO:0000002")
    assert names_of(apple) == [("apple disease", "preferred"), ("malus disorder", "exact")]
    assert (apple.parents, apple.cross_references) == (("MONDO:0000001",), ("MESH:D1",))


def test_skos_gives_labels_by_language_and_exact_matches(tmp_path: Path) -> None:
    vocabulary = read(tmp_path, "scheme.ttl", TURTLE)
    apple = next(each for each in vocabulary.concepts if each.curie == "MONDO:0000002")
    assert (vocabulary.version, vocabulary.left_out) == ("2026", {"deprecated": 1})
    assert apple.name == "apple disease"
    assert {(name.text, name.language) for name in apple.names} == {
        ("apple disease", "en"),
        ("Apfelkrankheit", "de"),
        ("malus disorder", "en"),
    }
    assert (apple.parents, apple.cross_references) == (("MONDO:0000001",), ("MESH:D1",))
    (concept,) = read(tmp_path, "scheme.rdf", SKOS_XML).concepts
    assert names_of(concept) == [("apple disease", "preferred"), ("malus disorder", "exact")]


def test_mesh_gives_kinds_and_parents_by_tree_numbers(tmp_path: Path) -> None:
    for name, content in (("desc.xml", MESH_XML), ("d.bin", MESH_ASCII)):
        vocabulary = read(tmp_path, name, content)
        apple = vocabulary.concepts[1]
        assert (apple.curie, apple.kinds, apple.parents) == ("MESH:D2", ("Condition",), ("MESH:D1",))
        assert names_of(apple) == [("Apple Disease", "preferred"), ("Malus Disorder", "exact")]
    assert read(tmp_path, "desc.xml", MESH_XML).left_out == {"of branches without a kind": 1}
    (supplemental,) = read(tmp_path, "supp.xml", SUPPLEMENTAL_XML).concepts
    assert (supplemental.curie, supplemental.kinds, supplemental.parents) == (
        "MESH:C1",
        ("Drug",),
        ("MESH:D5",),
    )


def test_rrf_gives_concepts_with_codes_by_source_and_kinds_by_the_table_beside_it(tmp_path: Path) -> None:
    (tmp_path / "MRSTY.RRF").write_text("C0000001|T047|B2|Disease|AT1||\nC0000002|T082|A2|Place|AT2||\n")
    vocabulary = read(tmp_path, "MRCONSO.RRF", RRF)
    (apple,) = vocabulary.concepts
    assert vocabulary.left_out == {"suppressed": 1, "of other kinds": 1}
    assert (apple.curie, apple.name, apple.kinds) == ("UMLS:C0000001", "Apple Disease", ("Condition",))
    assert apple.cross_references == ("MESH:D1",)
    german = read(tmp_path, "MRCONSO.RRF", RRF, languages=("de",)).concepts[0]
    assert [name.text for name in german.names] == ["Apfelkrankheit"]
    assert len(read(tmp_path, "MRCONSO.RRF", RRF, sources=("MSH",)).concepts[0].names) == 2


def test_rxnorm_is_known_by_its_numbers(tmp_path: Path) -> None:
    row = a_row("161", "pearazole", SAB="RXNORM", TTY="IN", CODE="161")
    (concept,) = read(tmp_path, "RXNCONSO.RRF", row).concepts
    assert (concept.curie, concept.name) == ("RXNORM:161", "pearazole")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.obo", OBO.replace("id: MONDO:0000002", "id MONDO"), r"a\.obo, line 10: is no OBO"),
        (
            "a.obo",
            OBO.replace("id: MONDO:0000002", "id: MONDO:0000001 ! again"),
            r"line 10: the id .*line 6 too",
        ),
        ("a.owl", OWL.replace("</owl:Class>", "</owl:Klass>", 1), r"a\.owl, line 7: is no XML"),
        ("a.owl", OWL[:700], r"a\.owl, line \d+: is no XML"),
        ("a.ttl", TURTLE.replace("f:0000001 a", "f:0000001 [", 1), r"a\.ttl, line \d+: is no Turtle"),
        ("a.rdf", SKOS_XML.replace("</skos:altLabel>", ""), r"a\.rdf, line 6: is no XML"),
        ("a.xml", MESH_XML[:700], r"a\.xml, line \d+: is no XML"),
        ("a.xml", MESH_XML.replace("D2</DescriptorUI>", "</DescriptorUI>"), r"line 7: a record has no id"),
        ("a.bin", MESH_ASCII.replace("MH = Fruit", "XX = Fruit"), r"a\.bin, line 1: a record has no name"),
        ("a.rrf", RRF + "C1|ENG|\n", r"a\.rrf, line 6: has 2 columns; a row of names in RRF has 18"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: str, problem: str) -> None:
    with pytest.raises(VocabularyUnreadableError, match=problem):
        read(tmp_path, name, content)


def test_bytes_that_are_no_utf8_are_named_with_their_line_not_as_damage(tmp_path: Path) -> None:
    (tmp_path / "a.obo").write_bytes(OBO.replace("fruit disease", "na\u00efve fruit", 1).encode("latin-1"))
    with pytest.raises(VocabularyUnreadableError, match=r"a\.obo, line 7: byte 9 is not UTF-8"):
        read_vocabulary(tmp_path / "a.obo", "auto", FileOptions())


def test_a_kind_that_graph_yaml_lacks_is_refused(tmp_path: Path) -> None:
    table = "id\tname\tkinds\nX:1\tpear\tDrug|Nosuch\n"
    assert read(tmp_path, "a.tsv", table).concepts[0].kinds == ("Drug", "Nosuch")
    with pytest.raises(VocabularyUnreadableError, match=r"line 2: the kind 'Nosuch' is none of graph\.yaml"):
        read(tmp_path, "a.tsv", table, known_kinds=("Drug", "Condition"))


def test_entities_of_xml_are_not_fetched_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret name")
    declared = f'<!DOCTYPE r [<!ENTITY s SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    for name, content in (("a.xml", MESH_XML), ("a.owl", OWL), ("a.rdf", SKOS_XML)):
        lines = [line for line in content.split("\n") if not line.startswith(("<?xml", "<!DOCTYPE"))]
        hostile = (
            "\n".join([declared, *lines])
            .replace(">Apple Disease<", ">&s;<")
            .replace(">apple disease<", ">&s;<")
        )
        try:
            concepts = read(tmp_path, name, hostile).concepts
        except VocabularyUnreadableError:
            continue
        assert not any("secret" in each.text for concept in concepts for each in concept.names), name
