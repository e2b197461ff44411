"""The pages of integrations: the catalogue, one provider, one connection, and the way back from a provider."""

from joule.web.admin.integrations import callback, catalogue, connection, provider

routers = (catalogue.router, provider.router, connection.router)
ways_back = (callback.router,)
