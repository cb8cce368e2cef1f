#!/usr/bin/env bash
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256M}"
exec "$(dirname "$0")/kafka-run-class.sh" kafka.Kafka "$@"
