"""What an organisation's documents say: reading, indexing, searching and forgetting them."""
