"""From signals to findings: one file is one analysis, pure."""
