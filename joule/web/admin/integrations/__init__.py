"""The pages of integrations: the catalogue, one provider, one connection, MCP servers, and the way back from a provider."""

from joule.web.admin.integrations import callback, catalogue, connection, mcp, provider

# The fixed place stands before the providers', which would take its name for one of theirs.
routers = (catalogue.router, mcp.router, provider.router, connection.router)
ways_back = (callback.router,)
