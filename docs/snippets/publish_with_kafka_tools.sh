#!/bin/sh
# Tell Shouwen of a work injury with Kafka's own console producer: headers, key and body in one line, split by tabs.
# KAFKA_HOME: where Kafka is. KAFKA: broker address. STREAM_PREFIX: stands before the topic on a shared cluster.
set -eu

now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"
headers="ce_specversion:1.0,ce_id:hr-core-4712,ce_type:injury.reported.v1,ce_source:/hr-core"
headers="$headers,ce_subject:injury/2026-0012,ce_time:$now,content-type:application/json"
key="2026-0012" # the part of the subject after its last slash
body="{\"branch\": \"beijing\", \"owner\": \"bj.coordinator\", \"occurred_at\": \"$now\", \"reported_at\": \"$now\"}"

printf '%s\t%s\t%s\n' "$headers" "$key" "$body" |
    "${KAFKA_HOME:-/opt/kafka}/bin/kafka-console-producer.sh" \
        --bootstrap-server "${KAFKA:-127.0.0.1:9092}" --topic "${STREAM_PREFIX:-}group.v1" \
        --reader-property parse.headers=true --reader-property parse.key=true
