#!/usr/bin/env bash
# Runs a class of Kafka with the options Kafka's own scripts take from the environment.
set -eu
logging="${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.yaml}"
# shellcheck disable=SC2086 # these variables hold several options each
exec java ${KAFKA_HEAP_OPTS:--Xmx1G} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseG1GC} ${KAFKA_OPTS:-} ${KAFKA_JMX_OPTS:-} \
    $logging -cp '/opt/kafka/libs/*' "$@"
