"""The deployment's own scope: the nil organisation.

What belongs to no customer stands under it, bound by the same row-level security as everything else: the key under
which addresses are looked up, the tries at passwords, and the record of sign-ins with an address nobody has. No person
is ever in it.
"""

from uuid import UUID

from joule.kernel.ids import OrgId

DEPLOYMENT = OrgId(UUID(int=0))
