"""Every call to a language model."""
