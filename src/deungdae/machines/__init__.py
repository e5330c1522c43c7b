"""South doors: one file is one protocol, as a client."""
