"""The settings of a data folder: environment, folders, limits.

Values come from MEDKG_* environment variables or the command line, are validated here once, and are
handed on as one frozen object. Nothing else in medkg reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from orchestration.errors import ConfigurationError

__all__ = ["Settings", "describe_unknown", "load_settings", "send_no_usage_reports", "unknown_variables"]

NO_USAGE_REPORTS: Final = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Switches off the usage statistics of the libraries."""

OBJECTS_PATTERN = re.compile(
    r"file:///[^?#]+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_~@=+-][A-Za-z0-9._~@=+-]{0,100}){0,5}/?"
)
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s?#]+[^\s?#/]$")]
"""An address that paths are put behind."""
LOG_PAGE: Final = r"^https?://\S*\{(trace_id|window|job)\}\S*$"
SQLITE_URL: Final = "sqlite:///"
"""Followed by a path, which is relative unless it starts with a slash."""
OTHER_VARIABLES: Final = ("MEDKG_DAGSTER_URL",)
"""Variables that medkg's processes pass to each other."""
TEST_VARIABLES: Final = "MEDKG_TEST_"
"""Start of the variables that the tests read."""
TENANT_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Settings(BaseSettings):
    """One data folder, one profile, one tenant; every field can be set as MEDKG_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="MEDKG_", frozen=True, extra="forbid")

    data_dir: Path = Field(default=Path(".medkg"), description="Folder of the ledger, index and vectors.")
    ledger_url: str = Field(
        default_factory=lambda known: f"sqlite:///{known['data_dir'] / 'ledger.sqlite'}",
        repr=False,  # it may hold a password
        description="Ledger database, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; Dagster's storage "
        "goes with it. Default: SQLite in the data folder.",
    )
    profile: Literal["cpu", "gpu", "gpu-large"] = Field(default="cpu", description="Models and devices.")
    tenant: str = Field(default="default", description="Tenant that owns what is read and written.")
    topologies_dir: Path | None = Field(default=None, description="Folder of topologies; default: shipped.")
    embedding_model: str | None = Field(
        default=None, description="Folder or hub id of another sentence-transformers model for the profile."
    )
    embedding_dimensions: Annotated[int, Field(ge=1, le=16_384)] | None = Field(
        default=None, description="Leading dimensions kept of a Matryoshka model's vectors; default: all."
    )
    sparse_model: str | None = Field(
        default=None,
        description="Folder or hub id of another SPLADE model for the profile; none: no sparse leg.",
    )
    rerank_model: str | None = Field(
        default=None,
        description="Folder or hub id of a cross-encoder that scores the best hits of a search again.",
    )
    extraction_model: str | None = Field(
        default=None,
        description="Folder of another model for the extractor `encoder`; none: it extracts nothing.",
    )
    search_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=8, description="Seconds that a search waits for its legs in all."
    )
    search_leg_seconds: dict[Literal["bm25", "sparse", "dense", "rerank"], Annotated[float, Field(gt=0)]] = (
        Field(
            default_factory=dict,
            description='Seconds that a leg may take, where not 5, as JSON: {"dense": 2}.',
        )
    )
    rerank_depth: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=50, description="Hits of a search that the cross-encoder scores."
    )
    engine: Literal["torch", "vllm"] | None = Field(
        default=None, description="What runs the dense model; default: the profile's."
    )
    vllm_command: str | None = Field(
        default=None, description="vLLM's executable; default: beside medkg's, or on the PATH."
    )
    replicas: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Of each model; default: one a GPU of the cluster, or a node without."
    )
    ray_address: str | None = Field(default=None, description="Ray cluster to attach to; default: own.")
    search_store: Literal["sqlite", "opensearch"] = Field(
        default="sqlite", description="What keeps chunks with their words and sparse terms."
    )
    vector_store: Literal["faiss", "opensearch"] = Field(
        default="faiss", description="What keeps and searches dense vectors."
    )
    opensearch_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="OpenSearch server, http(s)://[USER:PASSWORD@]HOST:PORT.",
    )
    opensearch_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")] = Field(
        default="medkg", description="First part of the names of our OpenSearch indexes."
    )
    opensearch_synonyms: Path | None = Field(
        default=None, description="File of synonyms that widen queries, a line each: 'heart attack, MI'."
    )
    opensearch_shards: Annotated[int, Field(ge=1, le=1024)] = Field(
        default=1, description="Shards of a new index: one holds some ten million chunks."
    )
    opensearch_replicas: Annotated[int, Field(ge=0, le=10)] = Field(
        default=0, description="Copies of each shard of a new index, on other nodes."
    )
    neo4j_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="Neo4j server that the graph is projected to, bolt://[USER:PASSWORD@]HOST:PORT, or "
        "neo4j:// of a cluster; +s for TLS.",
    )
    neo4j_database: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{2,62}$")] | None = Field(
        default=None, description="Database of the Neo4j server; default: the user's home database."
    )
    objects_url: str = Field(
        default_factory=lambda known: known["data_dir"].as_uri(),
        description="What keeps artifacts: file:///FOLDER, or s3://BUCKET[/PREFIX], which then keeps vectors "
        "of FAISS, documents and run output too, with AWS_* as usual. Default: the data folder.",
    )
    contact: Annotated[str, Field(pattern=r"^[^@\s()]+@[^@\s()]+$")] | None = Field(
        default=None, description="E-mail address by which services can reach you; they ask for one."
    )
    clinicaltrials_url: WebAddress = Field(
        default="https://clinicaltrials.gov/api/v2", description="API of ClinicalTrials.gov."
    )
    openalex_url: WebAddress = Field(default="https://api.openalex.org", description="API of OpenAlex.")
    openalex_api_key: SecretStr | None = Field(default=None, description="Key of OpenAlex, free of charge.")
    ncbi_url: WebAddress = Field(
        default="https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="E-utilities of NCBI."
    )
    ncbi_api_key: SecretStr | None = Field(
        default=None, description="Key of NCBI; with it 10 requests a second are allowed, not 3."
    )
    llm_url: WebAddress | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="API of an OpenAI-compatible server for the extractor llm, e.g. http://127.0.0.1:8000/v1.",
    )
    llm_model: str | None = Field(default=None, description="Its model, by the name that it serves.")
    llm_api_key: SecretStr | None = Field(default=None, description="Its key, where it asks for one.")
    json_sources_dir: Path | None = Field(
        default=None, description="Folder of YAML files that describe JSON services, each a source."
    )
    schedules_dir: Path | None = Field(
        default=None,
        description="Folder of YAML files, each a schedule; default: schedules/ in the data folder.",
    )
    private_hosts: frozenset[str] = Field(
        default=frozenset(),
        description="HOST or HOST:PORT of private networks that documents may be downloaded from, as JSON.",
    )
    mineru_url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", description="MinerU service (mineru-api)."
    )
    kafka_brokers: Annotated[str, Field(pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")] | None = Field(
        default=None, description="Kafka brokers that events go to, HOST:PORT[,HOST:PORT ...]; default: none."
    )
    kafka_config: Path | None = Field(
        default=None, description="File of further librdkafka properties, NAME=VALUE lines: TLS, SASL."
    )
    pdf_queue: Literal["kafka"] | None = Field(
        default=None,
        description="Queue between the host and workers that convert PDFs; default: none, the host calls "
        "converters itself.",
    )
    events_file: Path | None = Field(
        default=None, description="File that events are appended to, a JSON line each; default: none."
    )
    events_webhook: WebAddress | None = Field(
        default=None,
        repr=False,  # it may hold a token
        description="Address that events are posted to, as batches of CloudEvents in JSON; default: none.",
    )
    events_webhook_token: SecretStr | None = Field(
        default=None, description="Bearer token that the webhook asks for."
    )
    outbox_days: Annotated[float, Field(gt=0)] = Field(
        default=7,
        description="Days that facts for events and metrics are kept once all readers have had them.",
    )
    outbox_facts: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        default=500_000,
        description="Facts that are kept at most; the oldest go, also if a reader has not had them.",
    )
    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        default=None, description="Port at which `medkg up` serves /metrics for Prometheus; default: not."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address that /metrics listens on; 0.0.0.0: all of the machine's."
    )
    window_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2, description="Window worker processes, so windows that run at once."
    )
    window_size: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=500, description="Documents of one Dagster run."
    )
    lease_seconds: Annotated[float, Field(ge=5, le=3600)] = Field(
        default=60, description="Seconds without a heartbeat until a window is claimed again."
    )
    unavailable_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=120, description="Seconds a stage waits for an unavailable service before handing back."
    )
    max_document_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = Field(
        default=64_000_000, description="Largest single record in bytes; larger ones are dead-lettered."
    )
    download_hosts: frozenset[str] = Field(
        default=frozenset(),
        description='The only hosts that PDFs are fetched from, as JSON: ["europepmc.org"].',
    )
    download_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        default=120, description="Seconds that a try to fetch a PDF may take; the next one goes on there."
    )
    artifact_days: Annotated[float, Field(gt=0)] = Field(
        default=3,
        description="Days until artifacts, Dagster runs and the single documents of ended jobs are pruned.",
    )
    history_days: Annotated[float, Field(gt=0)] = Field(
        default=90,
        description="Days until ended jobs, replayed dead letters and rows of deleted documents are pruned; "
        "the newest jobs stay.",
    )
    log_megabytes: Annotated[float, Field(ge=1, le=10_000)] = Field(
        default=50, description="Size at which a log starts again; one previous part of it is kept."
    )
    trace_url_template: Annotated[str, Field(pattern=r"^https?://\S*\{trace_id\}\S*$")] | None = Field(
        default=None,
        description="Page of a trace, which runs in the Dagster UI link to: "
        "http://jaeger:16686/trace/{trace_id}.",
    )
    log_url_template: Annotated[str, Field(pattern=LOG_PAGE)] | None = Field(
        default=None,
        description="Page of a run's log lines, with {trace_id}, {window} or {job}, which runs in the "
        "Dagster UI link to.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="Least severe log lines that are written."
    )

    @field_validator("tenant")
    @classmethod
    def _tenant_is_a_plain_name(cls, value: str) -> str:
        if not TENANT_PATTERN.fullmatch(value) or ".." in value:
            raise ValueError("a tenant is 1-63 lower-case letters, digits, '.', '_' or '-', e.g. 'oncology'")
        return value

    @field_validator("objects_url")
    @classmethod
    def _objects_have_a_place(cls, value: str) -> str:
        if not OBJECTS_PATTERN.fullmatch(value):
            raise ValueError("it is file:///FOLDER or s3://BUCKET[/PREFIX], e.g. 's3://medkg/production'")
        return value.rstrip("/")

    @field_validator(
        "data_dir",
        "topologies_dir",
        "json_sources_dir",
        "schedules_dir",
        "opensearch_synonyms",
        "kafka_config",
        "events_file",
        mode="after",
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value is not None else None

    @field_validator("embedding_model", "sparse_model", "rerank_model", "extraction_model", mode="after")
    @classmethod
    def _folders_are_absolute(cls, value: str | None) -> str | None:
        """A model's folder, which the host may look for from another one; a hub id stays as it is."""
        return str(Path(value).absolute()) if value and Path(value).is_dir() else value

    @field_validator("ledger_url", mode="after")
    @classmethod
    def _file_is_absolute(cls, value: str) -> str:
        path = value.removeprefix(SQLITE_URL)
        relative = value.startswith(SQLITE_URL) and path and not path.startswith(("/", ":", "?"))
        return f"{SQLITE_URL}{Path(path).absolute()}" if relative else value

    @property
    def search_dir(self) -> Path:
        return self.data_dir / "search"

    @property
    def documents_path(self) -> Path:
        return self.data_dir / "documents.sqlite"

    @property
    def vocabularies_dir(self) -> Path:
        """Index files of vocabularies."""
        return self.data_dir / "vocabularies"

    @property
    def vectors_dir(self) -> Path:
        return self.data_dir / "vectors"

    @property
    def objects_on_s3(self) -> bool:
        """Whether no machine's disk holds what must not be lost but for the ledger and the search index."""
        return self.objects_url.startswith("s3:")

    @property
    def vectors_cache(self) -> Path:
        return self.data_dir / "cache" / "vectors"

    @property
    def downloads_dir(self) -> Path:
        return self.data_dir / "cache" / "downloads"

    @property
    def rate_limits_dir(self) -> Path:
        """The next free slot of each web host, for all processes of the folder."""
        return self.data_dir / "cache" / "hosts"

    @property
    def schedules_folder(self) -> Path:
        return self.schedules_dir or self.data_dir / "schedules"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"

    @property
    def projection_problems_path(self) -> Path:
        """Why the graph is not projected to its server, as the process that does it notes."""
        return self.data_dir / "cache" / "graph-projection.json"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment with command-line overrides (None = not given).

    Raises ConfigurationError naming the variable and what would be valid.
    """
    overridden = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**overridden)  # type: ignore[arg-type]
    except SettingsError as error:  # it names the field
        raise ConfigurationError(
            f"MEDKG_*: {error}. Its value is no JSON; write e.g. '{{\"dense\": 2}}'."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigurationError(
            f"--{name.replace('_', '-')} (MEDKG_{name.upper()}) is {first.get('input')!r}: {first['msg']}."
        ) from error


def unknown_variables(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return the MEDKG_ variables of an environment that no setting has, each with the closest one's name."""
    known = [f"MEDKG_{name.upper()}" for name in Settings.model_fields]
    unknown = [
        name
        for name in sorted(environment)
        if name.upper().startswith("MEDKG_")
        and name.upper() not in {*known, *OTHER_VARIABLES}
        and not name.upper().startswith(TEST_VARIABLES)
    ]
    return {name: next(iter(get_close_matches(name.upper(), known, 1)), None) for name in unknown}


def describe_unknown(variables: Mapping[str, str | None]) -> str:
    """Return one sentence per variable from `unknown_variables`."""
    return " ".join(
        f"{name} is no setting" + (f"; did you mean {closest}?" if closest else ".")
        for name, closest in variables.items()
    )


def send_no_usage_reports() -> None:
    """Switch off usage statistics for this process and its children, unless the environment sets them."""
    for name, value in NO_USAGE_REPORTS.items():
        os.environ.setdefault(name, value)
