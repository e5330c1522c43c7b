"""Protocols as bytes and links: what a client of machines and a virtual machine both speak."""
