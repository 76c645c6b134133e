"""Environments, one folder each, found by name through entry points."""
