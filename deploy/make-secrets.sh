#!/bin/sh
# Make the secrets that docker-compose.yml mounts: a folder of files, each named as what it holds.
# What exists is kept, so that running it again after an upgrade only adds what is new.
#   deploy/make-secrets.sh [FOLDER]        default: deploy/secrets
set -eu
umask 077
folder="${1:-$(dirname "$0")/secrets}"
host="${POSTGRES_HOST:-postgres:5432}"
mkdir -p "$folder"

key() { # bytes, as base64 in one line
    head -c "$1" /dev/urandom | base64 | tr -d '\n'
}

keep() { # name, text
    [ -s "$folder/$1" ] || printf '%s' "$2" >"$folder/$1"
    # The services run as another user; the folder itself stays closed to others on this machine.
    chmod 0444 "$folder/$1"
}

keep postgres_password "$(key 24 | tr '+/' '-_')"
# The same for all services: keyed hashes and sealed parts of events are made by one service and read by another.
keep privacy_hash_key "$(key 32)"
keep seal_key "$(key 32)"
for service in intake sla notify review; do
    keep "${service}_privacy_keys" "k1:$(key 32)"
    for role in owner app worker; do
        keep "${service}_${role}_password" "$(key 24 | tr '+/' '-_')"
    done
    for pair in app:database_url worker:worker_database_url owner:migration_database_url; do
        role="${pair%%:*}"
        password="$(cat "$folder/${service}_${role}_password")"
        keep "${service}_${pair#*:}" "postgresql://shouwen_${service}_${role}:${password}@${host}/shouwen_${service}"
    done
done
echo "The secrets are in $folder; keep a copy of *_privacy_keys, privacy_hash_key and seal_key in a safe place:"
echo "without them, encrypted fields cannot be read again."
