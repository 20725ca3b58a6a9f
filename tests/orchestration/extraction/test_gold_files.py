"""Gold files: each format gives the same document, and what is wrong is named with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.errors import UsageError
from orchestration.extraction.gold import Gold, Naming, read_gold
from orchestration.records import AnnotatedMention, AnnotatedRelation, Judgement

TITLE = "Aspirin and nausea."
ABSTRACT = "Nausea followed aspirin; no α-blocker was given."
TEXT = f"{TITLE} {ABSTRACT}"
ASPIRIN, NAUSEA = ("MESH:D001241",), ("MESH:D009325",)
RELATION = AnnotatedRelation("CID", ASPIRIN, NAUSEA)

PUBTATOR = f"""\
11|t|{TITLE}
11|a|{ABSTRACT}
11\t0\t7\tAspirin\tChemical\tD001241
11\t12\t18\tnausea\tDisease\tD009325
11\t20\t26\tNausea\tDisease\tD009325|D014839\tnausea|vomiting
11\t48\t57\tα-blocker\tChemical\t-1
11\tCID\tD001241\tD009325

"""
LINE: dict[str, Any] = {
    "doc_id": "11",
    "text": TEXT,
    "title": TITLE,
    "mentions": [
        {
            "id": "a",
            "start": 0,
            "end": 7,
            "text": "Aspirin",
            "kind": "Chemical",
            "concepts": ["MESH:D001241"],
        },
        {
            "id": "n",
            "start": 12,
            "end": 18,
            "text": "nausea",
            "kind": "Disease",
            "concepts": ["MESH:D009325"],
        },
        {
            "start": 20,
            "end": 26,
            "text": "Nausea",
            "kind": "Disease",
            "concepts": ["MESH:D009325", "MESH:D014839"],
            "composite": True,
        },
        {"start": 48, "end": 57, "text": "α-blocker", "kind": "Chemical"},
    ],
    "relations": [{"predicate": "CID", "subject": "a", "object": "n"}],
}


def an_annotation(number: int, start: int, text: str, kind: str, identifier: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "infons": {"type": kind, "identifier": identifier},
        "text": text,
        "locations": [{"offset": start, "length": len(text)}],
    }


BIOC: dict[str, Any] = {
    "source": "authored",
    "infons": {},
    "documents": [
        {
            "id": "11",
            "infons": {},
            "passages": [
                {
                    "offset": 0,
                    "infons": {"type": "title"},
                    "text": TITLE,
                    "annotations": [
                        an_annotation(0, 0, "Aspirin", "Chemical", "MESH:D001241"),
                        an_annotation(1, 12, "nausea", "Disease", "MESH:D009325"),
                    ],
                },
                {
                    "offset": len(TITLE) + 1,
                    "infons": {"type": "abstract"},
                    "text": ABSTRACT,
                    "annotations": [
                        an_annotation(2, 20, "Nausea", "Disease", "D009325|D014839"),
                        an_annotation(3, 48, "α-blocker", "Chemical", "-"),
                    ],
                },
            ],
            "relations": [
                {"id": "R0", "infons": {"type": "CID"}, "nodes": [{"refid": "0"}, {"refid": "1"}]},
            ],
        }
    ],
}


def bioc_xml() -> str:
    def annotations(passage: dict[str, Any]) -> str:
        return "".join(
            f'<annotation id="{each["id"]}"><infon key="type">{each["infons"]["type"]}</infon>'
            f'<infon key="identifier">{each["infons"]["identifier"]}</infon>'
            f'<location offset="{each["locations"][0]["offset"]}" length="{each["locations"][0]["length"]}"/>'
            f"<text>{each['text']}</text></annotation>"
            for each in passage["annotations"]
        )

    passages = "\n".join(
        f'<passage><infon key="type">{each["infons"]["type"]}</infon><offset>{each["offset"]}</offset>'
        f"<text>{each['text']}</text>{annotations(each)}</passage>"
        for each in BIOC["documents"][0]["passages"]
    )
    relation = (
        '<relation id="R0"><infon key="type">CID</infon><node refid="0" role=""/><node refid="1" role=""/>'
        "</relation>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE collection SYSTEM "BioC.dtd">\n<collection>'
        f"<source>authored</source>\n<document><id>11</id>{passages}{relation}</document></collection>"
    )


def read(tmp_path: Path, content: str | bytes, naming: Naming | None = None) -> Gold:
    path = tmp_path / "gold.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_gold([path], naming)


FORMATS = {
    "pubtator": PUBTATOR,
    "pubtator with CR LF": PUBTATOR.replace("\n", "\r\n"),
    "pubtator with a byte order mark": "\ufeff" + PUBTATOR,
    "bioc json": json.dumps(BIOC, indent=1),
    "bioc xml": bioc_xml(),
    "json lines": json.dumps(LINE) + "\n",
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_document(tmp_path: Path, content: str) -> None:
    (document,) = read(tmp_path, content).documents
    assert (document.doc_id, document.text, document.title) == ("11", TEXT, TITLE)
    assert document.mentions == (
        AnnotatedMention(0, 7, "Chemical", "Aspirin", ASPIRIN),
        AnnotatedMention(12, 18, "Disease", "nausea", NAUSEA),
        AnnotatedMention(20, 26, "Disease", "Nausea", ("MESH:D009325", "MESH:D014839"), True),
        AnnotatedMention(48, 57, "Chemical", "α-blocker"),
    )
    assert document.relations == (RELATION,)
    assert document.kinds == frozenset({"Chemical", "Disease"})
    assert document.predicates == frozenset({"CID"})


def test_relations_of_biored_have_novelty_and_no_direction(tmp_path: Path) -> None:
    lines = "11\t0\t7\tAspirin\tGeneOrGeneProduct\t6528,99\n11\t12\t18\tnausea\tDisease\tD009325\n"
    content = f"11|t|{TITLE}\n11|a|{ABSTRACT}\n{lines}11\tAssociation\t6528\tD009325\tNovel\n"
    (document,) = read(tmp_path, content).documents
    assert document.mentions[0].concepts == ("NCBIGene:6528", "NCBIGene:99")
    (relation,) = document.relations
    assert relation == AnnotatedRelation(
        "Association", ("NCBIGene:6528",), NAUSEA, directed=False, novel=True
    )


def test_claims_of_evidence_inference_have_the_judgements_of_all_annotators(tmp_path: Path) -> None:
    question = {"prompt_id": "7", "intervention": "aspirin", "comparator": "none", "outcome": "nausea"}
    labels = [
        ("significantly increase", "0", True),
        ("no significant difference", "3", True),
        ("significantly decreased", "4", False),
    ]
    claims = [
        {**question, "label": label, "annotator": who, "valid": valid, "start_char": 20, "end_char": 43}
        for label, who, valid in labels
    ]
    (document,) = read(tmp_path, json.dumps({"pmcid": "PMC1", "text": TEXT, "claims": claims})).documents
    (claim,) = document.claims
    assert (claim.claim_id, claim.outcome) == ("7", "nausea")
    assert claim.judgements == (Judgement("increased", 20, 43, "0"), Judgement("unchanged", 20, 43, "3"))


def test_gold_has_negations_if_any_of_its_relations_is_negated(tmp_path: Path) -> None:
    (relation,) = LINE["relations"]
    denied = LINE | {"doc_id": "12", "relations": [relation | {"negated": True}]}
    assert [each.negations for each in read(tmp_path, json.dumps(LINE)).documents] == [False]
    both = read(tmp_path, f"{json.dumps(LINE)}\n{json.dumps(denied)}")
    assert [each.negations for each in both.documents] == [True, True]


def test_kinds_and_relation_types_are_named_as_in_the_graph(tmp_path: Path) -> None:
    naming = Naming({"Chemical": "Food"}, {"CID": "causes"}, {"Food", "Condition"}, {"causes"})
    (document,) = read(tmp_path, PUBTATOR, naming).documents
    assert [mention.kind for mention in document.mentions] == ["Food", "Condition", "Condition", "Food"]
    assert [relation.predicate for relation in document.relations] == ["causes"]


def test_kinds_that_the_graph_does_not_have_are_counted(tmp_path: Path) -> None:
    gold = read(tmp_path, PUBTATOR, Naming(known_kinds={"Condition"}))
    assert {mention.kind for mention in gold.documents[0].mentions} == {"Condition"}
    assert gold.unmapped.kinds == {"Chemical": 2}
    assert gold.unmapped.predicates == {"CID": 1}


# --- documents that are left out -------------------------------------------------------------------------

SOUND = "22|t|Sound title.\n22|a|Text.\n22\t0\t5\tSound\tDisease\tD009325\n\n"


@pytest.mark.parametrize(
    ("wrong", "line", "reason"),
    [
        (PUBTATOR.replace("\t0\t7\t", "\t0\t7000\t"), 3, "characters 0-7000 are not in its text"),
        (PUBTATOR.replace("12\t18", "11\t17"), 4, "characters 11-17 are ' nause', the mention says 'nausea'"),
        (PUBTATOR.replace("\t0\t7\t", "\t7\t0\t"), 3, "characters 7-0 are not"),
        (PUBTATOR.replace("Aspirin\tChemical\tD001241", "Aspirin"), 3, "neither a mention"),
        (PUBTATOR.replace("11\t0\t7\tAspirin\tChemical\tD001241", "11"), 3, "neither a mention"),
        (PUBTATOR.replace("\t0\t7\t", f"\t{'9' * 5000}\t7\t"), 3, "neither a mention"),
        (PUBTATOR.replace("11\tCID", "12\tCID"), 7, "the line is of '12'"),
        (PUBTATOR.replace("D001241\tD009325\n", "D001241\t-1\n"), 7, "has no concept ('-1')"),
        (PUBTATOR.replace("D001241\tD009325\n", "D001241\tzz\n"), 7, "'zz', neither a mention nor a concept"),
        (f"11|t|{TITLE}\n11|a|A.\n11|a|B.\n\n", 3, "two abstracts"),
        ("11|t|\n11|a|\n\n", 1, "it has no text"),
        (SOUND, 5, "its id is also that of"),
    ],
)
def test_a_wrong_document_is_left_out_and_named_with_its_line(
    tmp_path: Path, wrong: str, line: int, reason: str
) -> None:
    gold = read(tmp_path, f"{SOUND}{wrong}") if wrong is SOUND else read(tmp_path, f"{wrong}{SOUND}")
    assert [document.doc_id for document in gold.documents] == ["22"]
    (fault,) = gold.faults
    assert fault.line == line
    assert reason in fault.reason
    assert f"{tmp_path / 'gold.txt'}, line {line}: document" in str(fault)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mentions": [{"start": -1, "end": 3, "text": "Asp", "kind": "X"}]}, "mentions.0.start"),
        ({"mentions": [{"start": 0, "end": 3, "text": "Asp"}]}, "mentions.0.kind"),
        ({"relations": [{"predicate": "CID", "subject": "a", "object": ""}]}, "relations.0.object"),
        ({"title": "Other"}, "its text does not begin with its title"),
        ({"labels": []}, "labels: Extra inputs"),
        ({"doc_id": ""}, "doc_id"),
        ({"mentions": [LINE["mentions"][0]] * 2}, "two mentions have the id 'a'"),
        (
            {"relations": [{"predicate": "p", "subject": "a", "object": "n", "evidence": [[0, 900]]}]},
            "evidence 0-900 is not in its text",
        ),
    ],
)
def test_a_wrong_line_is_left_out_with_the_field(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    gold = read(tmp_path, f"{json.dumps(LINE | change)}\n{json.dumps(LINE)}\n")
    assert [document.doc_id for document in gold.documents] == ["11"]
    (fault,) = gold.faults
    assert (fault.line, reason in fault.reason) == (1, True), fault


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "it has no id"),
        ({"passages": [{"offset": 10**12, "infons": {}, "text": "Far."}]}, "a passage at 1000000000000"),
        ({"passages": [{"infons": {}, "text": "No offset."}]}, "a part of it is missing"),
        ({"relations": [{"id": "R", "infons": {"type": "CID"}, "nodes": []}]}, "joins 0 annotations"),
    ],
)
def test_a_wrong_document_of_bioc_is_left_out(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    (sound,) = BIOC["documents"]
    gold = read(tmp_path, json.dumps({"documents": [sound | {"id": "12"} | change, sound]}))
    assert [document.doc_id for document in gold.documents] == ["11"]
    assert [reason in fault.reason for fault in gold.faults] == [True], gold.faults


# --- files that cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\x00\x01\x02\x89PNG", "line 1: it is not UTF-8 text"),
        ("11|t|Caf\u00e9\n".encode("latin-1"), "line 1: it is not UTF-8 text"),
        (PUBTATOR.encode("utf-16"), "it is not UTF-8 text"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "XML of <html>, not a BioC <collection>"),
        (b"<html><p>Sign in</html>", "not well-formed XML"),
        (b"<collection><document><id>1</id>", "not well-formed XML"),
        (
            b'<!DOCTYPE c [<!ENTITY a "aaaa">]><collection><document><id>&a;</id></document></collection>',
            "declares entities",
        ),
        (b"<collection/>", "without documents"),
        (b'{"documents": []}', "without documents"),
        (json.dumps(LINE)[:-20].encode(), "line 1: it is not JSON"),
        (json.dumps(BIOC, indent=1)[:-20].encode(), "line 1: it is not JSON"),
        (json.dumps(LINE).encode() + b"\n[1]\n", "line 2: it is not a JSON object"),
        (b"doc_id,text\n1,Aspirin\n", "is in none of the formats"),
        (f"11|t|{TITLE}\n11\t0\t9\tAspirin\tChemical\n".encode(), "has no sound document. The first: "),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_cause(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, content)
    assert str(tmp_path / "gold.txt") in error.value.message
    assert reason in error.value.message


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from(sorted(FORMATS.values())),
    start=st.integers(0, 3000),
    length=st.integers(0, 40),
    inserted=st.sampled_from(
        ["", "\t", "\n", "-1", '"', "{", "}", "<", ">", "null", "[]", "\x00", "\ud800", "9" * 30]
    ),
)
def test_damaged_gold_is_read_or_named_and_never_an_error_of_another_kind(
    tmp_path: Path, content: str, start: int, length: int, inserted: str
) -> None:
    start %= len(content)
    damaged = content[:start] + inserted + content[start + length :]
    try:
        gold = read(tmp_path, damaged.encode("utf-8", "surrogatepass"))
    except UsageError as error:
        assert str(tmp_path / "gold.txt") in error.message
        return
    for document in gold.documents:
        for mention in document.mentions:
            assert document.text[mention.start_char : mention.end_char] == mention.text


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.txt cannot be read: No such file"):
        read_gold([tmp_path / "none.txt"])
