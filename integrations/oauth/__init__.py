"""Speaks OAuth to providers: the wire only. Keeping and renewing tokens is the room's own business, not this package's."""
