#!/bin/sh
# A database and three roles for each service, as shouwen.runtime.migrate.provision makes them:
# owner migrates, app serves requests of people, worker handles events. Runs once, on an empty data folder.
# SERVICES: names, separated by spaces. SECRETS_FOLDER: holds NAME_owner_password and so on, one text per file.
set -eu

secrets="${SECRETS_FOLDER:-/run/secrets}"

secret() {
    file="$secrets/$1"
    [ -r "$file" ] || { echo "The secret $1 is missing: run deploy/make-secrets.sh" >&2; exit 1; }
    cat "$file"
}

for service in ${SERVICES:-intake sla notify review}; do
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
        --set database="shouwen_${service}" \
        --set owner="shouwen_${service}_owner" --set owner_password="$(secret "${service}_owner_password")" \
        --set app="shouwen_${service}_app" --set app_password="$(secret "${service}_app_password")" \
        --set worker="shouwen_${service}_worker" --set worker_password="$(secret "${service}_worker_password")" <<'SQL'
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'app_password';
CREATE ROLE :"worker" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD :'worker_password';
CREATE DATABASE :"database" OWNER :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"app", :"worker";
SQL
    echo "Created database shouwen_${service} and its roles"
done
