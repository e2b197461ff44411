"""Sandboxes in small virtual machines somewhere else, at E2B or at a server of one's own that speaks as E2B does."""
