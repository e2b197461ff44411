"""Envelope encryption: sealed records, data keys, and the keys that wrap them."""
