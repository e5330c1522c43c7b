"""Memory: what the factory said, what was concluded, what was commanded."""
