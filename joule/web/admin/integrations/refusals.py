"""Why the answer of a provider was not taken, in words for the person at the browser. Pure.

The words are ours alone: nothing a provider or a stranger put into the address is ever shown.
"""

from collections.abc import Mapping

from integrations.errors import (
    AdminsGive,
    AnotherAccount,
    AnswerRefused,
    ClientRefused,
    ConsentDeclined,
    ConsentUnusable,
    GrantDead,
    HostRefused,
    NoClient,
    NotAllowedHere,
    ProviderBusy,
)
from integrations.oauth.errors import CallbackRefused, DiscoveryRefused, RequestRefused
from joule.kernel.errors import JouleError, Refused
from joule.web.admin.integrations.views import Refusal

_AGAIN = "Start again from the provider's page, and finish it in this browser within ten minutes."

REFUSALS: Mapping[str, Refusal] = {
    "incomplete": Refusal(
        title="There was no usable answer",
        words="The provider sent you back without a code. Joule takes codes alone: a token in the address, behind a #, is "
        "never read, because anybody could have put it there.",
        advice="Start again from the provider's page. If it happens each time, the app is registered there for the wrong "
        "kind of answer: it has to be “authorization code”.",
    ),
    "unusable": Refusal(
        title="This answer does not belong to a connection begun here",
        words="Joule connects an account only when the same person, in the same browser, comes back from the provider they "
        "set out for, once and within ten minutes. Something of that is different here.",
        advice=f"{_AGAIN} If somebody sent you this address, do not use it: they may want you to connect their account.",
    ),
    "replay": Refusal(
        title="This answer was used already",
        words="An answer works once. It may be that you went back, or loaded the page again.",
        advice="See under Integrations whether the account is connected; if it is not, start again.",
    ),
    "expired": Refusal(
        title="This took too long",
        words="The answer came more than ten minutes after you had set out.",
        advice=_AGAIN,
    ),
    "declined": Refusal(
        title="Nothing was allowed",
        words="You, or the provider, said no on its own page.",
        advice="If it was not you: the provider may want its own admin to agree first. Otherwise there is nothing to do.",
    ),
    "refused": Refusal(
        title="The provider refused the request",
        words="It did not get as far as asking you.",
        advice="See whether the app is registered there with exactly the redirect address on the provider's page here, and "
        "whether it may ask for these permissions.",
    ),
    "busy": Refusal(
        title="The provider did not answer",
        words="Your consent was fine, but the provider could not be reached to finish it.",
        advice="Wait a moment, then start again. Nothing is lost.",
    ),
    "client": Refusal(
        title="The provider does not know the app any more",
        words="It refused the client id and secret that are saved here.",
        advice="Enter them again on the provider's page, under “Registered app”: the secret may have been replaced.",
    ),
    "answer": Refusal(
        title="The provider's answer cannot be believed",
        words="What it sent is not what the standard, or this provider, should send.",
        advice="Start again once. If it stays so, the provider has changed: tell support the code below.",
    ),
    "forbidden": Refusal(
        title="Your organisation does not allow this",
        words="A rule or a policy of your organisation stands against it.",
        advice="An admin can change it on the provider's page, under “What your organisation allows”.",
    ),
    "admins": Refusal(
        title="This permission is not yours to give",
        words="Your organisation leaves it to owners and admins, or has changed its rule since you set out.",
        advice="Ask an owner or admin. Your task waits, and goes on by itself once the permission is given.",
    ),
    "account": Refusal(
        title="That was another account",
        words="The permission was asked for the account that is connected, and the provider gave it for another one.",
        advice="Sign in at the provider with the account that is connected, then give the permission again.",
    ),
    "unexpected": Refusal(
        title="The account could not be connected",
        words="Something went wrong on our side after you came back.",
        advice="Start again; if it happens once more, give support the code below.",
    ),
}

_KINDS: tuple[tuple[type[JouleError], str], ...] = (
    (ConsentDeclined, "declined"),
    (CallbackRefused, "unusable"),
    (GrantDead, "unusable"),
    (RequestRefused, "refused"),
    (ProviderBusy, "busy"),
    (ClientRefused, "client"),
    (NoClient, "client"),
    (AnswerRefused, "answer"),
    (HostRefused, "answer"),
    (DiscoveryRefused, "answer"),
    (AdminsGive, "admins"),
    (AnotherAccount, "account"),
    (NotAllowedHere, "forbidden"),
    (Refused, "forbidden"),
)
_REASONS = {"it was used before": "replay", "it took longer than ten minutes": "expired"}
_STATUS = {"busy": 503, "forbidden": 403, "admins": 403, "unexpected": 500}


def why(error: JouleError) -> str:
    """The word for an error in an address; `unexpected` for whatever is not listed."""
    if isinstance(error, ConsentUnusable):
        return _REASONS.get(error.reason, "unusable")
    if isinstance(error, ConsentDeclined) and error.error != "access_denied":
        return "refused"
    return next((word for kind, word in _KINDS if isinstance(error, kind)), "unexpected")


def refusal(word: str) -> tuple[str, Refusal, int]:
    """The word, what it means, and its HTTP status. A word nobody here wrote is taken for `unusable`."""
    known = word if word in REFUSALS else "unusable"
    return known, REFUSALS[known], _STATUS.get(known, 422)
