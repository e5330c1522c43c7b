"""Joins the processes of one factory over NATS JetStream: transport, never memory."""

from .options import BusOptions

__all__ = ["BusOptions"]
