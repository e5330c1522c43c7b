"""Machines in digital form: pure, seeded, in SI units."""
