"""Tools for environments: collections of providers and sessions, one family a module."""
