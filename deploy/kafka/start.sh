#!/usr/bin/env bash
# The command of the Kafka container: the mounted server.properties plus what must not stand in a file of the
# repository. Passwords come from /run/secrets, go into private files and never onto a command line.
#   MESH_ADVERTISED   what clients are told: CLIENT://kafka:9092,HOST://127.0.0.1:19092
#   MESH_HEAP         options for the heap
set -euo pipefail
umask 077
here="$(dirname "$0")"
work=/tmp/kafka
data=/var/lib/kafka/data
mkdir -p "$work"
rm -f "$work/answered"

random() { head -c "$1" /dev/urandom | base64 | tr '+/' '-_' | tr -d '='; }
secret() { tr -d '\n' <"/run/secrets/$1"; }
scram() { printf -- '--add-scram "SCRAM-SHA-512=[name=%s,password=%s]"\n' "$1" "$(secret "$1")"; }

# Only this node speaks on INTERNAL and CONTROLLER, so their password may be another one at each start.
internal="$(random 24)"
plain="org.apache.kafka.common.security.plain.PlainLoginModule required username=\"_internal\" password=\"$internal\" user__internal=\"$internal\";"
{
    cat "$here/server.properties"
    echo
    echo "advertised.listeners=$MESH_ADVERTISED,INTERNAL://127.0.0.1:9093"
    echo "listener.name.internal.plain.sasl.jaas.config=$plain"
    echo "listener.name.controller.plain.sasl.jaas.config=$plain"
} >"$work/server.properties"

cat >"$work/health.properties" <<PROPERTIES
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="_mesh.health" password="$(secret _mesh.health)";
PROPERTIES

java=(java -XX:+UseSerialGC "-Dlog4j2.configurationFile=$here/log4j2.properties")
if [ ! -f "$data/meta.properties" ]; then
    # A cluster id is 16 random bytes; the tool takes one that begins with - for an option.
    cluster="$(random 16)"
    {
        echo "-cp /opt/kafka/libs/*"
        echo "kafka.tools.StorageTool format --standalone --config $work/server.properties --cluster-id ${cluster/#-/A}"
        scram _mesh.admin
        scram _mesh.health
    } >"$work/format"
    # What it prints holds the users' salted keys, so it is shown only when there are none yet.
    "${java[@]}" -Xmx128m "@$work/format" >"$work/format.log" 2>&1 || { tail -n 5 "$work/format.log" >&2; exit 1; }
    rm "$work/format" "$work/format.log"
fi
# shellcheck disable=SC2086 # several options
exec "${java[@]}" ${MESH_HEAP:--Xms64m -Xmx512m} -cp '/opt/kafka/libs/*' kafka.Kafka "$work/server.properties"
