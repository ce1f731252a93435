"""`/metrics`: figures of the store in the format that Prometheus reads."""

from collections.abc import Iterable

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agent0es import __version__
from agent0es.log import EventLog
from agent0es.projections import metrics
from agent0es.runs import scheduling
from agent0es.service.context import Service, asked


def router() -> APIRouter:
    """The endpoint. What it said is said again while the log has not grown."""
    routes = APIRouter()
    said: tuple[int, bytes] = (-1, b"")

    @routes.get("/metrics", include_in_schema=False, response_class=Response)
    def scrape(service: Service = Depends(asked)) -> Response:  # noqa: B008 — FastAPI's way
        """The store's figures. Asks for the token where the service has one."""
        nonlocal said
        with service.tables() as tables:
            if said[0] != tables.position:
                found = [*metrics.collect(tables), (metrics.DUE, due(service.log))]
                said = (tables.position, exposition(found))
        return Response(said[1], media_type=CONTENT_TYPE_LATEST)

    return routes


def due(log: EventLog) -> list[metrics.Sample]:
    """When the next job of each schedule is due, seconds since 1970; in the past where nobody began it."""
    waiting = {name: scheduling.next_time(one) for name, one in scheduling.known(log).items() if one.open is None}
    return [metrics.Sample((name,), (time,)) for name, time in waiting.items() if time is not None]


def exposition(found: Iterable[tuple[metrics.Metric, list[metrics.Sample]]]) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found([_family(metric, samples) for metric, samples in found]))
    return generate_latest(registry)


class _Found(Collector):
    """What was collected already."""

    def __init__(self, families: list[Metric]) -> None:
        build = GaugeMetricFamily(f"{metrics.PREFIX}build_info", "Version of agent0es.", labels=["version"])
        build.add_metric([__version__], 1.0)
        self._families = [build, *families]

    def collect(self) -> Iterable[Metric]:
        return self._families


def _family(metric: metrics.Metric, samples: list[metrics.Sample]) -> Metric:
    name, labels = f"{metrics.PREFIX}{metric.name}", list(metric.labels)
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(name, metric.help, labels=labels)
        for sample in samples:
            count, total, *upto = sample.values
            ends = [*(str(end) for end in metrics.BUCKETS), "+Inf"]
            histogram.add_metric(
                list(sample.labels), buckets=list(zip(ends, [*upto, count], strict=True)), sum_value=total
            )
        return histogram
    family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(name, metric.help, labels=labels)
    for sample in samples:
        family.add_metric(list(sample.labels), sample.values[0])
    return family
