"""Speaks OTLP over HTTP, with OpenTelemetry's own exporters behind one list of what may leave.

The library is named here alone. Nothing of it is registered for the process: what other libraries trace by it goes
nowhere, and a span that is handed in here from anywhere is stripped like our own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from joule.kernel.errors import Misconfigured
from traces.otel import names
from traces.otel.errors import ExportFailed
from traces.otel.measuring import Distribution, Measures
from traces.otel.projecting import Span, SpanKind

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TIMEOUT: Final = 10.0  # seconds for one batch, tries included


class Backend(Protocol):
    """Where spans go."""

    def send(self, spans: Sequence[Span], measures: Measures | None) -> None:
        """Deliver all of it; blocks. Raises `ExportFailed` when it is not sure that it arrived."""
        ...


def backend(endpoint: str, *, headers: Mapping[str, str], service: str, metrics: bool = True) -> Backend:
    """The backend at `endpoint`, the base address of its OTLP/HTTP receiver.

    Raises `Misconfigured` for one that would be spoken with in clear, and where the library is not installed.
    """
    address = urlsplit(endpoint)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        raise Misconfigured(
            "the OpenTelemetry backend would be spoken with in clear",
            advice="Set JOULE_OTEL_ENDPOINT to an https address, or to a collector on this machine.",
        )
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401 - only whether it is there
    except ImportError:
        raise Misconfigured(
            "JOULE_OTEL_ENDPOINT is set, but OpenTelemetry is not installed", advice="Install `joule-agent[otel]`."
        ) from None
    return _Otlp(endpoint.rstrip("/"), headers, service, metrics)


class _Otlp:
    def __init__(self, endpoint: str, headers: Mapping[str, str], service: str, metrics: bool) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource

        given = dict(headers)
        self._spans = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=given, timeout=_TIMEOUT)
        self._with_metrics = metrics
        self._metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=given, timeout=_TIMEOUT)
        about = {"service.name": service, "service.version": version("joule-agent")}
        self._resource = Resource(about, names.SCHEMA)

    def send(self, spans: Sequence[Span], measures: Measures | None) -> None:
        """See `Backend`."""
        if spans:
            self.export([_readable(span, self._resource) for span in spans])
        if measures is not None and self._with_metrics:
            from opentelemetry.sdk.metrics.export import MetricExportResult

            if self._metrics.export(_metrics(measures, self._resource)) is not MetricExportResult.SUCCESS:
                raise ExportFailed

    def export(self, spans: Sequence[Any]) -> None:
        """Send spans of the library's own kind, whoever made them, stripped to what may leave."""
        from opentelemetry.sdk.trace.export import SpanExportResult

        if self._spans.export([_stripped(span, self._resource) for span in spans]) is not SpanExportResult.SUCCESS:
            raise ExportFailed


def _readable(span: Span, resource: Any) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanKind as Kind
    from opentelemetry.trace import Status, StatusCode

    return ReadableSpan(
        name=span.name,
        context=_context(span.trace, span.id),
        parent=_context(span.trace, span.parent) if span.parent else None,
        resource=resource,
        attributes=span.attributes,
        kind=Kind.CLIENT if span.kind is SpanKind.CLIENT else Kind.INTERNAL,
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=_nanoseconds(span.start),
        end_time=_nanoseconds(span.end),
        instrumentation_scope=_scope(),
    )


def _stripped(span: Any, resource: Any) -> Any:
    """The same span without events, links, messages, and whatever attribute or name is not on the list."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status

    kept, dropped = names.allowed(span.attributes or {})
    known = names.SPAN_NAME.fullmatch(span.name) is not None
    if dropped:
        kept["joule.otel.attributes_dropped"] = dropped
    if not known:
        kept["joule.otel.foreign"] = True
    return ReadableSpan(
        name=span.name if known else "joule.foreign",
        context=span.context,
        parent=span.parent,
        resource=resource,
        attributes=kept,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=_scope(),
    )


def _metrics(measures: Measures, resource: Any) -> Any:
    from opentelemetry.sdk.metrics import export as sdk

    start, end = _nanoseconds(measures.start), _nanoseconds(measures.end)
    by_name: dict[str, list[Distribution]] = {}
    for each in measures.distributions:
        by_name.setdefault(each.name, []).append(each)
    found = [
        sdk.Metric(
            name,
            "",
            of[0].unit,
            sdk.Histogram([_point(each, start, end) for each in of], sdk.AggregationTemporality.DELTA),
        )
        for name, of in by_name.items()
    ]
    for name, count in measures.counts.items():
        counted = sdk.NumberDataPoint({}, start, end, count)
        found.append(sdk.Metric(name, "", "1", sdk.Sum([counted], sdk.AggregationTemporality.DELTA, True)))
    for level in measures.levels:
        found.append(
            sdk.Metric(level.name, "", level.unit, sdk.Gauge([sdk.NumberDataPoint({}, end, end, level.value)]))
        )
    scope = sdk.ScopeMetrics(_scope(), found, names.SCHEMA)
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], names.SCHEMA)])


def _point(each: Distribution, start: int, end: int) -> Any:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    kept, _ = names.allowed(each.attributes)
    return HistogramDataPoint(
        kept, start, end, sum(each.counts), each.total, each.counts, each.bounds, each.least, each.most
    )


def _context(trace: str, span: str) -> Any:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace, 16), int(span, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _scope() -> Any:
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return InstrumentationScope("joule", version("joule-agent"), names.SCHEMA)


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
