"""Twins: a line that is learnt from its own records, mirrored, forecast and improved."""
