"""The exposition: counters of facts and readings of the moment, as prometheus_client renders them.

Comes in: the state of the metrics reader, and readings. Leaves: text in the Prometheus or OpenMetrics
format. Every sample is checked against the registry: a name or a number of labels that it does not have is a
defect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import accumulate
from typing import Final

import structlog
from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from orchestration.errors import MedkgError
from orchestration.metrics.counters import Counters, Series
from orchestration.metrics.names import METRICS, Metric
from orchestration.metrics.readings import Readings, Sample

__all__ = ["MedkgCollector", "registry_of"]

FROM_FACTS: Final = "facts"


class MedkgCollector(Collector):
    """Collects everything that one scrape shows; thread-safe, each scrape reads everything again."""

    def __init__(self, counters: Callable[[], Counters | None], readings: Readings) -> None:
        """`counters`: of the metrics reader; None while its place cannot be read."""
        self._counters = counters
        self._readings = readings
        self._log = structlog.get_logger(__name__)

    def collect(self) -> Iterator[Family]:
        """All families with a sample, in the order of the registry."""
        samples = [Sample("medkg_build_info", (version("medkg"),), 1)]
        counters = None
        for part, read in {FROM_FACTS: None, **self._readings.parts()}.items():
            started = time.perf_counter()
            try:
                if read is None:
                    counters = self._counters()
                else:
                    samples += list(read())
                read_well = read is not None or counters is not None
            except (MedkgError, OSError) as error:
                self._log.warning("metrics_part_unread", part=part, error=str(error))
                read_well = False
            except Exception:  # noqa: BLE001 - a part, also of Dagster's storage, hides no other
                self._log.exception("metrics_part_unread", part=part)
                read_well = False
            samples.append(Sample("medkg_scrape_part_up", (part,), read_well))
            samples.append(Sample("medkg_scrape_part_seconds", (part,), time.perf_counter() - started))
        yield from _families(counters or Counters(), samples)


def registry_of(collector: MedkgCollector) -> CollectorRegistry:
    """A registry with this collector alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry


def _families(counters: Counters, samples: Sequence[Sample]) -> Iterator[Family]:
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    unknown = sorted(by_name.keys() - METRICS.keys())
    assert not unknown, f"metrics without an entry in the registry: {unknown}"
    for name, metric in METRICS.items():
        if metric.source == FROM_FACTS:
            folded = counters.series(name)
            if folded:
                yield _of_facts(metric, folded)
        elif name in by_name:
            yield _of_samples(metric, by_name[name])


def _of_samples(metric: Metric, samples: Sequence[Sample]) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for sample in samples:
        family.add_metric(sample.labels, float(sample.value))
    return family


def _of_facts(metric: Metric, folded: Mapping[tuple[str, ...], Series]) -> Family:
    if metric.kind == "histogram":
        return _histogram(metric, folded)
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, series in sorted(folded.items()):
        family.add_metric(labels, series["value"])
    return family


def _histogram(metric: Metric, folded: Mapping[tuple[str, ...], Series]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    for labels, series in sorted(folded.items()):
        counts = list(accumulate(series["counts"]))
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for number, (bound, count) in enumerate(zip(bounds, counts, strict=True)):
            exemplar = _exemplar(series, str(number))
            buckets.append((bound, count, exemplar) if exemplar is not None else (bound, count))
        family.add_metric(labels, buckets, sum_value=series["sum"])
    return family


def _exemplar(series: Series, bucket: str) -> Exemplar | None:
    if bucket not in series["exemplars"]:
        return None
    trace_id, value, moment = series["exemplars"][bucket]
    return Exemplar({"trace_id": trace_id}, value, moment)
