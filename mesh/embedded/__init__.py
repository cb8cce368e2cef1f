"""A real Kafka from wheels and jars, and the supervisor behind ``mesh up``."""
