"""The journal: what was decided and done, in order, sealed and chained."""
