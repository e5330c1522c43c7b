"""MQTT, as a client speaks it: packets, one link to a broker, acknowledgement when durable."""
