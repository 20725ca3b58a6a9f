"""The network sources that ship, each with a service that simulates its API over seven records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from medkg.testing.builders import a_pmc_article, a_pubmed_article, a_study, an_openalex_work
from orchestration.contracts import PagedSource, SourceRequest
from orchestration.sources.clinicaltrials import ClinicalTrialsSource
from orchestration.sources.openalex import OpenAlexSource
from orchestration.sources.pmc import PmcSource
from orchestration.sources.pubmed import PubmedSource
from orchestration.sources.services import SourceServices
from tests.servers.replay_server import Service
from tests.servers.replay_services import ClinicalTrialsService, EntrezService, Entry, OpenAlexService

DAY: Final = date(2024, 5, 1)
NUMBERS: Final = range(1, 8)


@dataclass(frozen=True)
class NetworkSource:
    """A source plugin and the service that it enumerates."""

    plugin: str
    """Name of the source plugin."""
    service: Callable[[], Service]
    url_setting: str
    """Setting that holds the address of the service."""
    paged: Callable[[SourceServices], PagedSource]
    """Makes the plugin alone, where it can be with two records per page."""
    query: str = "EGFR"
    wrong_query: str | None = None
    """A query that it must refuse: none at all, or parameters that are not the user's to set."""
    settings: tuple[tuple[str, str], ...] = ()
    """Keys and contact that its requests carry."""

    @property
    def request(self) -> SourceRequest:
        return SourceRequest(plugin=self.plugin, query=self.query)

    @property
    def wrong_request(self) -> SourceRequest:
        return SourceRequest(plugin=self.plugin, query=self.wrong_query)


def studies(count: int) -> list[dict[str, Any]]:
    return [a_study(f"NCT{number:08}") for number in range(1, count + 1)]


def citations() -> list[Entry]:
    """One per day."""
    return [Entry(str(n), DAY + timedelta(days=n), a_pubmed_article(str(n))) for n in NUMBERS]


def articles() -> list[Entry]:
    """All of one day."""
    return [Entry(str(n), DAY, a_pmc_article(str(n))) for n in NUMBERS]


CONTACT: Final = ("contact", "ann@example.org")

CLINICALTRIALS: Final = NetworkSource(
    "clinicaltrials",
    lambda: ClinicalTrialsService(studies(len(NUMBERS))),
    "clinicaltrials_url",
    lambda services: ClinicalTrialsSource(services, page_size=2),
)
OPENALEX: Final = NetworkSource(
    "openalex",
    lambda: OpenAlexService([an_openalex_work(number) for number in NUMBERS]),
    "openalex_url",
    lambda services: OpenAlexSource(services, page_size=2),
    wrong_query="filter=is_oa:true&page=3",
    settings=(("openalex_api_key", "s3cret"), CONTACT),
)
PUBMED: Final = NetworkSource(
    "pubmed",
    lambda: EntrezService(citations(), "PubmedArticleSet"),
    "ncbi_url",
    PubmedSource,
    query="EGFR[Title]",
    settings=(("ncbi_api_key", "s3cret"), CONTACT),
)
PMC: Final = NetworkSource("pmc", lambda: EntrezService(articles(), "pmc-articleset"), "ncbi_url", PmcSource)
NETWORK_SOURCES: Final = (CLINICALTRIALS, OPENALEX, PUBMED, PMC)

API: Final = "https://service.example"
"""Address of the service in tests that play its answers one by one."""
