"""An event-driven data mesh backbone on Kafka."""
