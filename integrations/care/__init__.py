"""Keeps connected accounts sound over the years: their keys, what their issuers publish, and whether they still live."""
