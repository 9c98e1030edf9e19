"""Clients of the gateway; all they know of it is a URL."""
