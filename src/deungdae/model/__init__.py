"""The factory described, after ISA-95 and ISA-88."""
