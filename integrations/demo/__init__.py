"""The demonstration: a pretend customer list with OAuth of its own, on this computer, clearly labelled.

It stands for a provider and knows nothing of Joule; it imports no other part of the house, so that it stays small.
"""

PROVIDER = "demo_crm"
CLIENT_ID = "joule-on-this-computer"
CLIENT_SECRET = "not-a-secret-everything-here-is-pretend"  # noqa: S105 - everybody may know it; the data is invented
ACCOUNT = "Harbour Coffee (pretend)"  # the one account there is
CALLBACK = f"/integrations/callback/{PROVIDER}"
