"""What is kept for the agent: projects, remembered items and files."""
