"""MCP servers as connectors: added by an admin, every tool off until a person has read it and switched it on."""
