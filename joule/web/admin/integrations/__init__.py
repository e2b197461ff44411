"""The pages of integrations: the catalogue, one provider, one connection, MCP servers, and the way back from a provider."""

from joule.web.admin.integrations import allowing, callback, catalogue, connection, mcp, mcp_sign_in, provider

# The fixed places stand before the providers', which would take its name for one of theirs.
routers = (catalogue.router, mcp.router, mcp_sign_in.router, allowing.router, provider.router, connection.router)
ways_back = (callback.router, mcp_sign_in.documents)
