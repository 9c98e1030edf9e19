"""Kinds of objects against their schemas: those of Kubernetes, and those that CRDs define."""
