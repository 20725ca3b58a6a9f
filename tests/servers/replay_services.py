"""Simulated web services over synthetic records: their paging, filters and refusals.

Each takes its records as a list that a test may change during an enumeration.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tests.servers.replay_server import Parameters, Reply

Record = dict[str, Any]


def in_json(value: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status)


class ClinicalTrialsService:
    """GET /studies with pages, page tokens, filter.ids and a range of update days."""

    def __init__(self, studies: list[Record]) -> None:
        self.studies = studies
        self.page_size: int | None = None

    def __call__(self, path: str, parameters: Parameters) -> Reply:
        if path != "/studies":
            return Reply(b"not found", 404, "text/plain")
        matching = [study for study in self.studies if _wanted(study, parameters)]
        token = parameters.get("pageToken")
        start = 0 if token is None else _start(token)
        if start is None:
            return Reply(b"Incorrect format for pageToken", 400, "text/plain")
        size = self.page_size or int(parameters.get("pageSize", "10"))
        answer: dict[str, Any] = {}
        if start == 0 and parameters.get("countTotal") == "true":
            answer["totalCount"] = len(matching)
        answer["studies"] = matching[start : start + size]
        if start + size < len(matching):
            answer["nextPageToken"] = base64.b64encode(f"at {start + size}".encode()).decode()
        return in_json(answer)


class OpenAlexService:
    """GET /works with cursors, filters by id and by the day of an update."""

    def __init__(self, works: list[Record]) -> None:
        self.works = works
        self.lists_changes = True

    def __call__(self, path: str, parameters: Parameters) -> Reply:
        if path != "/works":
            return in_json({"error": "Not found", "message": path}, 404)
        terms = dict(term.split(":", 1) for term in parameters.get("filter", "").split(",") if term)
        since, ids = terms.get("from_updated_date"), terms.get("openalex_id")
        if since is not None and not self.lists_changes:
            return in_json({"error": "Plan", "message": "from_updated_date needs another plan"}, 403)
        matching = [
            work
            for work in self.works
            if (since is None or work.get("updated_date", "") >= since)
            and (ids is None or work["id"].rpartition("/")[2] in ids.split("|"))
        ]
        cursor, size = parameters.get("cursor", "*"), int(parameters.get("per_page", "25"))
        start = 0 if cursor == "*" else _start(cursor)
        if start is None:
            return in_json({"error": "Invalid cursor", "message": "Cursor value is invalid."}, 400)
        results = matching[start : start + size]
        following = base64.b64encode(f"at {start + size}".encode()).decode() if results else None
        meta = {"count": len(matching), "page": None, "per_page": size, "next_cursor": following}
        return in_json({"meta": meta, "results": results, "group_by": []})


@dataclass
class Entry:
    """A record of an Entrez database."""

    number: str
    modified: date
    xml: bytes


class EntrezService:
    """POST esearch.fcgi with history, efetch.fcgi by history or ids; results last until `forget`."""

    def __init__(self, entries: list[Entry], root: str, most_records: int = 9_999) -> None:
        self.entries = entries
        self._root = root
        self._most_records = most_records
        self._results: dict[str, list[Entry]] = {}

    def forget(self) -> None:
        self._results.clear()

    def __call__(self, path: str, parameters: Parameters) -> Reply:
        if path == "/esearch.fcgi":
            return self._search(parameters)
        if "id" in parameters:
            wanted = set(parameters["id"].split(","))
            return self._set([entry for entry in self.entries if entry.number in wanted])
        result = self._results.get(parameters["WebEnv"])
        if result is None:
            error = b"<eFetchResult><ERROR>Unable to obtain query #1</ERROR></eFetchResult>"
            return Reply(error, 400, "text/xml")
        start, size = int(parameters["retstart"]), int(parameters["retmax"])
        return self._set(result[: self._most_records][start : start + size])

    def _search(self, parameters: Parameters) -> Reply:
        first, last = (
            datetime.strptime(parameters[name], "%Y/%m/%d").date() for name in ("mindate", "maxdate")
        )
        result = [entry for entry in self.entries if first <= entry.modified <= last]
        environment = f"MCID_{len(self._results) + 1}"
        self._results[environment] = result
        answer = {"count": str(len(result)), "retmax": "0", "webenv": environment, "querykey": "1"}
        return in_json({"header": {"type": "esearch", "version": "0.3"}, "esearchresult": answer})

    def _set(self, entries: list[Entry]) -> Reply:
        inside = b"".join(entry.xml for entry in entries)
        opening, closing = f"<{self._root}>".encode(), f"</{self._root}>".encode()
        return Reply(b'<?xml version="1.0" ?>' + opening + inside + closing, media_type="text/xml")


class PlainJsonService:
    """GET /walks with skip and take, and changes from a day on."""

    def __init__(self, walks: list[Record]) -> None:
        self.walks = walks

    def __call__(self, path: str, parameters: Parameters) -> Reply:
        since = parameters.get("changed", "")
        matching = [walk for walk in self.walks if walk["changed"] >= since]
        start, size = int(parameters["skip"]), int(parameters["take"])
        return in_json({"items": matching[start : start + size]})


def _start(token: str) -> int | None:
    try:
        return int(base64.b64decode(token).decode().removeprefix("at "))
    except ValueError:
        return None


def _wanted(study: Record, parameters: Parameters) -> bool:
    protocol = study["protocolSection"]
    ids = parameters.get("filter.ids")
    if ids is not None and protocol["identificationModule"]["nctId"] not in ids.split(","):
        return False
    changed = re.search(
        r"AREA\[LastUpdatePostDate\]RANGE\[(\d{4}-\d\d-\d\d),MAX\]", parameters.get("filter.advanced", "")
    )
    updated = protocol["statusModule"].get("lastUpdatePostDateStruct", {}).get("date", "")
    return changed is None or updated >= changed.group(1)
