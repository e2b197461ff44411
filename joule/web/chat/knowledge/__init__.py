"""The knowledge base on the pages: what it holds and how far it is, one document by page, search, and forgetting."""

from joule.web.chat.knowledge.accounts import router as of_accounts
from joule.web.chat.knowledge.document import router as of_one_document
from joule.web.chat.knowledge.listing import router as of_all

routers = (of_all, of_accounts, of_one_document)  # a document's address would take any word for an id
