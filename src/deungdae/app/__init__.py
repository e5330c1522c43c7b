"""The roof: the only place that knows both doors and thinkers."""
