"""What finds mentions and claims: installed extractors, the graph schema, and the check of what they find.

Input: settings and the installed plugins. Output: each of these, made when it is first asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from orchestration.assembly.models import AssembledModels
from orchestration.contracts import (
    BatchExtractor,
    CountedExtraction,
    Extraction,
    Extractor,
    ExtractorServices,
    Linker,
    Outcome,
    ShapedExtractor,
    TextTagger,
)
from orchestration.errors import ConfigurationError, MedkgError, UsageError
from orchestration.plugins.entry_points import load_plugins
from orchestration.records import Document, StageContext
from orchestration.topology.shipped import shipped_folder

if TYPE_CHECKING:
    from orchestration.assembly.stage_resources import StageResources
    from orchestration.extraction.graph_schema import GraphSchema
    from orchestration.stages.extract import Extract
    from orchestration.topology.graph import StageNode, TopologyGraph
    from orchestration.vocabularies.folder import VocabularyFolder

__all__ = ["AssembledExtraction"]

MEASURING_SECONDS = 600.0
"""Time-out of a document, or of a micro-batch on the plane, where extraction is measured."""


NO_MODEL: Final = "none"
"""Model of the extractor `encoder` where the profile has none."""


class AssembledExtraction(AssembledModels):
    """Extraction in one data folder."""

    @cached_property
    def extractors(self) -> Mapping[str, type]:
        return load_plugins("medkg.extractors")

    @cached_property
    def graph_schema(self) -> GraphSchema:
        """Kinds and predicates; raises ConfigurationError for a folder without a valid graph.yaml."""
        from orchestration.extraction.graph_schema import load_graph_schema

        return load_graph_schema(self.settings.topologies_dir or shipped_folder())

    @cached_property
    def linker(self) -> Linker | None:
        """What gives mentions their concepts, from vocabularies and lexicons."""
        from orchestration.vocabularies.linking import VocabularyLinker

        return VocabularyLinker(self.vocabularies)

    def extractors_within(
        self, timeout_seconds: float, tagger: TextTagger | None = None
    ) -> Mapping[str, Callable[[], Extractor | BatchExtractor]]:
        """What makes each installed extractor; starts nothing. `timeout_seconds`: of a micro-batch.

        `tagger`: the plane in runs; None: the running plane's, else one that this process loads.
        """
        tagger = tagger or self.available_tagger
        return {
            name: partial(self._extractor, kind, timeout_seconds, tagger)
            for name, kind in self.extractors.items()
        }

    def _extractor(self, kind: Any, timeout_seconds: float, tagger: TextTagger) -> Extractor | BatchExtractor:
        if not hasattr(kind, "from_services"):
            return kind()  # type: ignore[no-any-return]
        services = ExtractorServices(
            tagger,
            self.extraction_model(),
            lambda: self.web,
            timeout_seconds,
            self.graph_schema,
            self.settings,
            self.linker,
        )
        return kind.from_services(services)  # type: ignore[no-any-return]

    @cached_property
    def vocabularies(self) -> VocabularyFolder:
        """The vocabularies of the data folder."""
        from orchestration.vocabularies.folder import VocabularyFolder

        return VocabularyFolder(self.settings.vocabularies_dir)

    def check_extraction(self, document: Document, extraction: Extraction) -> tuple[Extraction, Counter[str]]:
        """The grounded part of an extraction, and how much of it was dropped by reason."""
        from orchestration.extraction.grounding import grounded

        result = grounded(document, extraction, self.graph_schema)
        return result.extraction, result.dropped

    def extract_stage(self, node: StageNode) -> Extract:
        """The extract stage of a node; raises ConfigurationError for an extractor that is not installed."""
        from orchestration.stages.extract import Extract

        seconds = self.policies.load(node.policy).timeout_seconds
        return Extract(
            self.extractors_within(seconds),
            self.check_extraction,
            **node.config,
            timeout_seconds=seconds,
            linker=self.linker,
        )

    def extract_by(self, name: str, documents: Sequence[Document]) -> Sequence[Outcome[CountedExtraction]]:
        """What one extractor finds in documents, after the checks and the linker of the extract stage."""
        from orchestration.stages.extract import Extract

        dropped: dict[str, Counter[str]] = {}
        stage = Extract(
            self.extractors_within(MEASURING_SECONDS),
            self.check_extraction,
            {"default": [name]},
            timeout_seconds=MEASURING_SECONDS,
            linker=self.linker,
            report=dropped.__setitem__,
        )
        outcomes = stage.execute_batch([(_context(document), document) for document in documents])
        return [
            outcome
            if isinstance(outcome, MedkgError)
            else CountedExtraction(*outcome, dropped.get(document.doc_id, {}))
            for document, outcome in zip(documents, outcomes, strict=True)
        ]

    def extractor(self, name: str) -> Extractor | BatchExtractor:
        """An installed extractor, for what it offers besides extraction; raises UsageError."""
        makers = self.extractors_within(MEASURING_SECONDS)
        if name not in makers:
            raise UsageError(
                f"there is no extractor {name!r}; installed: {', '.join(sorted(makers)) or 'none'}."
            )
        return makers[name]()

    def graph_shape(self, graph: TopologyGraph) -> dict[str, Any]:
        """What shapes the mentions and claims of a topology, as JSON; empty for one without extractors."""
        named = {name for node in graph.nodes if node.stage_type == "extract" for name in _named(node)}
        if not named:
            return {}
        makers = self.extractors_within(0)
        return {
            "extractors": {name: _shape(makers[name]()) for name in sorted(named) if name in makers},
            "graph_schema": self.graph_schema.version,
            "linker": self.linker.version if self.linker is not None else "",
        }

    @cached_property
    def stage_resources(self) -> StageResources:
        """Models of stages, and GPUs of this machine if the profile's models are on them."""
        from gpu_actors import plane
        from orchestration.assembly.stage_resources import StageResources

        here = self.profile.device == "cuda" and self.settings.ray_address is None
        return StageResources(self.model_ids, self.extractor_models, plane.gpu_use if here else None)

    def extractor_models(self, node: StageNode) -> dict[str, str]:
        """Ids of the models of an extract step's extractors, by extractor."""
        if node.stage_type != "extract":
            return {}
        makers = self.extractors_within(0)
        shapes = {name: _shape(makers[name]()) for name in _named(node) if name in makers}
        return {
            name: shape["model"] for name, shape in shapes.items() if shape.get("model", NO_MODEL) != NO_MODEL
        }


def _shape(extractor: Extractor | BatchExtractor) -> dict[str, str]:
    """Everything that shapes an extractor's output."""
    others = extractor.shape if isinstance(extractor, ShapedExtractor) else {}
    return {"version": str(extractor.version), **others}


def _context(document: Document) -> StageContext:
    """The context of a document that no run processes."""
    return StageContext(
        tenant_id=document.tenant_id,
        job_id="eval-extract",
        doc_id=document.doc_id,
        correlation_id=document.doc_id,
        metadata={"source": document.source, "version": document.version},
        pipeline_name="eval-extract",
        pipeline_version="",
    )


def _named(node: StageNode) -> set[str]:
    """The extractors that a node of the shipped extract stage names; raises ConfigurationError."""
    by_source = node.config.get("extractors")
    lists = list(by_source.values()) if isinstance(by_source, Mapping) else []
    if not lists or not all(isinstance(names, list | tuple) for names in lists):
        raise ConfigurationError(
            f"stage {node.name!r} of topology {node.pipeline} needs `extractors` with a list of names per "
            "source, e.g. `default: [registry]`."
        )
    return {str(name) for names in lists for name in names}
