"""What is put into a sandbox that has a way out."""
