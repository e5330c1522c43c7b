"""The mirror of machines: one file is one protocol, as a server with a sim behind it."""
