#!/bin/sh
# Tell Shouwen of a work injury over HTTP, as one JSON object (CloudEvents structured mode).
# INTAKE: address of intake. TOKEN: a bearer token with the role "system" and the event's branch.
set -eu

now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"
curl --silent --show-error --fail-with-body "${INTAKE:-http://127.0.0.1:8101}/api/events" \
    --header "Authorization: Bearer $TOKEN" \
    --header "Content-Type: application/cloudevents+json" \
    --data @- <<EOF
{
  "specversion": "1.0",
  "id": "hr-core-4713",
  "type": "injury.reported.v1",
  "source": "/hr-core",
  "subject": "injury/2026-0012",
  "time": "$now",
  "data": {
    "branch": "beijing",
    "owner": "bj.coordinator",
    "occurred_at": "$now",
    "reported_at": "$now"
  }
}
EOF
