"""Works of OpenAlex, and pages of its API."""

from __future__ import annotations

import json
from typing import Any


def an_openalex_work(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A work in the shape of OpenAlex' API, with a copy at its journal and one in a repository."""
    journal = {
        "is_oa": True,
        "landing_page_url": f"https://doi.org/10.5555/walks.{number}",
        "pdf_url": f"https://walks.example/articles/{number}.pdf",
        "source": {"id": "https://openalex.org/S1", "display_name": "Journal of Walks", "type": "journal"},
        "license": "cc-by-nc",
        "license_id": "https://openalex.org/licenses/cc-by-nc",
        "version": "publishedVersion",
    }
    repository = journal | {
        "landing_page_url": f"https://repository.example/{number}",
        "pdf_url": f"https://repository.example/{number}/full.pdf",
        "source": None,
        "license": None,
        "version": "acceptedVersion",
    }
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.5555/walks.{number}",
        "title": "Walking and <i>sleep</i>",
        "display_name": "Walking and <i>sleep</i>",
        "publication_year": 2020,
        "publication_date": "2020-05-04",
        "ids": {
            "openalex": f"https://openalex.org/W{number}",
            "doi": f"https://doi.org/10.5555/walks.{number}",
            "pmid": f"https://pubmed.ncbi.nlm.nih.gov/{10000000 + number}",
            "pmcid": f"https://www.ncbi.nlm.nih.gov/pmc/articles/{7000000 + number}",
        },
        "language": "en",
        "primary_location": journal,
        "type": "article",
        "open_access": {"is_oa": True, "oa_status": "hybrid", "oa_url": journal["pdf_url"]},
        "authorships": [
            {
                "author_position": "first",
                "author": {"id": "https://openalex.org/A1", "display_name": "Ann Walker"},
                "institutions": [{"id": "https://openalex.org/I1", "display_name": "University of Hills"}],
                "raw_author_name": "A. Walker",
            }
        ],
        "cited_by_count": 3,
        "is_retracted": False,
        "is_paratext": False,
        "topics": [{"id": "https://openalex.org/T1", "display_name": "Sleep and exercise", "score": 0.9}],
        "keywords": [{"id": "https://openalex.org/keywords/walking", "display_name": "Walking"}],
        "mesh": [
            {"descriptor_ui": "D012890", "descriptor_name": "Sleep", "qualifier_name": "physiology"},
            {"descriptor_ui": "D012890", "descriptor_name": "Sleep", "qualifier_name": None},
        ],
        "locations": [journal, repository],
        "best_oa_location": journal,
        "abstract_inverted_index": {"Walkers": [0], "slept": [1, 4], "longer": [2], "and": [3], "well.": [5]},
        "related_works": [],
        "counts_by_year": [{"year": 2021, "cited_by_count": 3}],
        "updated_date": "2020-06-01T00:00:00",
    } | fields


def an_openalex_page(*works: dict[str, Any], next_cursor: str | None = "Ik5leHQi") -> bytes:
    """A page of the works listing by cursor."""
    meta = {"count": len(works), "page": None, "per_page": 200, "next_cursor": next_cursor}
    return json.dumps({"meta": meta, "results": works, "group_by": []}).encode()
