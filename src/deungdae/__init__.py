"""Deungdae (등대, "lighthouse"): an open smart-factory platform."""

__version__ = "0.1.0"
