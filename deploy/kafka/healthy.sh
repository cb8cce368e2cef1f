#!/usr/bin/env bash
# Healthy when a client that logs in is answered. That takes a JVM seconds, so once it was seen an open port will do.
set -euo pipefail
seen=/tmp/kafka/answered
if [ -f "$seen" ]; then
    exec 3<>/dev/tcp/127.0.0.1/9092
else
    /opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server 127.0.0.1:9092 \
        --command-config /tmp/kafka/health.properties >/dev/null
    touch "$seen"
fi
