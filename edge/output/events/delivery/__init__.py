"""Events on their way out: to MQTT brokers and to webhooks, at least once and in the order of each camera."""
