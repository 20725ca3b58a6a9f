"""What brings documents in: parsers, sources, the web client and its policies, converters of PDFs.

Comes in: settings and the installed plugins. Leaves: each of these, made when it is first asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from orchestration.assembly.stores import AssembledStores
from orchestration.contracts import AskedConverter, Parser, PdfConverter, Source, WebClient
from orchestration.errors import ConfigurationError
from orchestration.plugins.entry_points import load_plugins
from orchestration.plugins.isolated_stage import installed_parsers
from orchestration.topology.shipped import shipped_folder

if TYPE_CHECKING:
    from orchestration.assembly.observed_facts import ObservedFacts
    from orchestration.events.kafka_cluster import KafkaCluster
    from orchestration.projection.service import Projection
    from orchestration.resilience.decisions import Observer

__all__ = ["AssembledInputs"]


class AssembledInputs(AssembledStores):
    """Ways in of one data folder."""

    @cached_property
    def policies(self) -> Any:
        from orchestration.resilience.policies import ResiliencePolicyLoader

        folder = self.settings.topologies_dir or shipped_folder()
        return ResiliencePolicyLoader(folder)

    @cached_property
    def guard_observers(self) -> Sequence[Observer]:
        """What hears each decision of every guard of this process: retries, waits, breaker moves."""
        from orchestration.resilience.decision_log import log_decision

        return (log_decision, self.observed_facts)

    @cached_property
    def observed_facts(self) -> ObservedFacts:
        """Decisions of guards as facts of the outbox."""
        from orchestration.assembly.observed_facts import ObservedFacts

        return ObservedFacts(lambda: self.ledger.outbox.note)

    def observe_search(self, tenant_id: str, seconds: Mapping[str, float], left_out: Collection[str]) -> None:
        """Note how long a search and its legs took, and which legs it went without."""
        self.observed_facts.search(tenant_id, seconds, left_out)

    @cached_property
    def projection(self) -> Projection | None:
        """The projection of the graph to the server of the settings; None if none is set."""
        if self.settings.neo4j_url is None:
            return None
        from orchestration.assembly.projection import assembled_projection

        return assembled_projection(self.settings, self.ledger, self.policies.load, self.guard_observers)

    @cached_property
    def kafka(self) -> KafkaCluster:
        """The Kafka cluster of the settings; raises ConfigurationError if they name none."""
        from orchestration.contracts.pdf_queue import MINERU_DEAD_LETTERS, MINERU_QUEUE
        from orchestration.events.kafka_cluster import EVENTS_TOPIC, KafkaCluster

        queue = (MINERU_QUEUE, MINERU_DEAD_LETTERS) if self.settings.pdf_queue == "kafka" else ()
        return KafkaCluster.of(self.settings, (EVENTS_TOPIC, *queue))

    @cached_property
    def parsers(self) -> Mapping[str, Parser]:
        return installed_parsers()

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        from orchestration.sources.factory import SourceFactory
        from orchestration.sources.services import SourceServices

        services = SourceServices(lambda: self.web, self.settings)
        return SourceFactory(self.parsers, lambda: self.objects, services).sources(
            load_plugins("medkg.sources")
        )

    @cached_property
    def web(self) -> WebClient:
        """Web services, each at the rate of its policy for all processes of this folder."""
        from orchestration.resilience.guard import Guards
        from orchestration.resilience.shared_rate_limit import SharedRateLimiter
        from orchestration.web.client import PoliteWebClient, user_agent

        settings = self.settings
        guards = Guards(
            self.policies.load,
            settings.unavailable_seconds,
            self.guard_observers,
            limiter=lambda host, limit: SharedRateLimiter(settings.rate_limits_dir, host, limit),
        )
        agent = user_agent(version("medkg"), settings.contact)
        return PoliteWebClient(partial(guards.guard, "web"), agent, settings.private_hosts)

    def pdf_converter(self, requested: AskedConverter) -> PdfConverter:
        """A converter as a topology asks for it.

        Raises ConfigurationError for one that is not installed, has no such option or lacks a setting.
        """
        kinds = load_plugins("medkg.pdf_converters")
        if requested.name not in kinds:
            raise ConfigurationError(
                f"a topology asks for PDF converter {requested.name!r}, which is not installed; installed: "
                f"{', '.join(sorted(kinds)) or 'none'} (entry point group medkg.pdf_converters)."
            )
        kind: Any = kinds[requested.name]
        options = json.loads(requested.options)
        try:
            converter: PdfConverter = (
                kind.from_settings(options, self.settings)
                if hasattr(kind, "from_settings")
                else kind(**options)
            )
        except TypeError as error:
            raise ConfigurationError(
                f"PDF converter {requested.name!r} does not take the options {requested.options}: {error}. "
                "See what its class takes."
            ) from error
        return converter
