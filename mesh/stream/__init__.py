"""Processors: programs that read products and publish derived ones, with the parents of every record."""
