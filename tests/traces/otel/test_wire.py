"""Nothing leaves but what is on the list, whoever made the span."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from joule.kernel.errors import Misconfigured
from tests.support.collector import attributes, collecting
from traces.otel import names
from traces.otel.errors import ExportFailed
from traces.otel.wire import backend

SECRET = "our next campaign is called Nightjar"


def foreign() -> InMemorySpanExporter:
    """Spans as another library makes them: content in the name, in attributes, in an event and in the status."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("another library")
    with tracer.start_as_current_span(f"chat about {SECRET}") as span:
        span.set_attribute("gen_ai.input.messages", SECRET)
        span.set_attribute(names.TOOL, SECRET)
        span.set_attribute(names.PROVIDER, "openai")
        span.record_exception(ValueError(SECRET))
        span.set_status(StatusCode.ERROR, SECRET)
    return memory


def test_a_span_of_another_library_is_stripped() -> None:
    memory = foreign()
    with collecting() as collector:
        to = backend(collector.url, headers={"authorization": "Bearer key"}, service="joule")
        to.export(memory.get_finished_spans())  # type: ignore[attr-defined]

    assert SECRET in str([(span.name, dict(span.attributes or {})) for span in memory.get_finished_spans()])
    assert SECRET.encode() not in b"".join(collector.raw)
    (span,) = collector.spans
    assert span.name == "joule.foreign"
    assert attributes(span)[names.PROVIDER] == "openai"
    assert attributes(span)["joule.otel.attributes_dropped"] == 2
    assert len(span.events) == 0
    assert collector.headers[0]["authorization"] == "Bearer key"


def test_a_backend_that_refuses_is_said_to() -> None:
    with collecting() as collector:
        collector.status = 400
        to = backend(collector.url, headers={}, service="joule")
        with pytest.raises(ExportFailed):
            to.export(foreign().get_finished_spans())  # type: ignore[attr-defined]


@pytest.mark.parametrize("endpoint", ["http://collector.example.com:4318", "ftp://127.0.0.2", "collector"])
def test_a_backend_in_clear_is_refused(endpoint: str) -> None:
    with pytest.raises(Misconfigured):
        backend(endpoint, headers={}, service="joule")
