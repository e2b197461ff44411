"""The models Joule can ask. The only place from which a conversation may leave the process."""
