"""Texts as vectors: what `Embedder` promises, the model that comes along, and the one a provider offers."""
