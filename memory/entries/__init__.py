"""Entries: what other agents keep in a project under a namespace and a key of their own, sealed and labelled like the rest."""
