"""What the MQTT doors share: packets, one link to a broker, acknowledgement when durable."""
