"""Measurements: a URL in, a report out."""
