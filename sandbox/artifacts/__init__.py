"""What comes out of sandboxes and is kept for a while."""
