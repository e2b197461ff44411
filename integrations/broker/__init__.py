"""The only way out to a provider's API: names checked, addresses pinned, tokens attached here and nowhere else."""
