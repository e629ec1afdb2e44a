"""The ``cloudevents`` package is the oracle: it reads what we write, and we read what it writes."""

import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage
from cloudevents.core.bindings.http import from_structured as from_structured_http
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as OracleEvent

from shouwen.contracts import samples
from shouwen.contracts.catalogue import parse

EVERY_SAMPLE = pytest.mark.parametrize("sample", list(samples.every()), ids=lambda sample: sample.name)


@EVERY_SAMPLE
def test_the_oracle_reads_what_we_write(sample: samples.Sample) -> None:
    _, headers, body = sample.record()
    ours = parse(headers, body)
    oracle = from_binary(KafkaMessage(headers=dict(ours.headers()), key=ours.key, value=ours.body()), JSONFormat())
    assert oracle.get_id() == ours.id
    assert oracle.get_type() == ours.type
    assert oracle.get_source() == ours.source
    assert oracle.get_subject() == ours.subject
    assert oracle.get_time() == ours.time
    assert oracle.get_specversion() == "1.0"
    assert oracle.get_datacontenttype() == "application/json"
    assert oracle.get_data() == json.loads(ours.body())


@EVERY_SAMPLE
def test_we_read_what_the_oracle_writes(sample: samples.Sample) -> None:
    _, headers, body = sample.record()
    ours = parse(headers, body)
    attributes = {
        "id": ours.id,
        "type": ours.type,
        "source": ours.source,
        "subject": ours.subject,
        "time": ours.time,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        **({"traceparent": ours.traceparent} if ours.traceparent else {}),
    }
    written = to_binary(OracleEvent(attributes=attributes, data=sample.body), JSONFormat())
    assert parse(list(written.headers.items()), written.value) == ours


@EVERY_SAMPLE
def test_the_oracle_reads_our_structured_mode(sample: samples.Sample) -> None:
    _, headers, body = sample.record()
    ours = parse(headers, body)
    message = HTTPMessage(
        headers={"content-type": "application/cloudevents+json"}, body=json.dumps(ours.structured()).encode()
    )
    oracle = from_structured_http(message, JSONFormat())
    assert (oracle.get_id(), oracle.get_subject(), oracle.get_time()) == (ours.id, ours.subject, ours.time)
    assert oracle.get_data() == json.loads(ours.body())
