"""A connection to an MQTT broker, by paho's client and without its threads."""
