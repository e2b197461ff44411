"""The closed lists of remembered items: their states, what they can come from, and the classes that training asks about."""

from enum import StrEnum


class ItemState(StrEnum):
    """Whether an item is used. A proposed one is shown to people, never to the agent, until somebody agrees to it."""

    LIVE = "live"
    PROPOSED = "proposed"


class SourceKind(StrEnum):
    """What an item can be made from. A message is named by the task it began, what was typed by hand by its person."""

    MESSAGE = "message"
    DOCUMENT = "document"
    CONNECTION = "connection"
    FILE = "file"
    PERSON = "person"


class SwitchScope(StrEnum):
    """Where memory can be switched off."""

    PROJECT = "project"
    THREAD = "thread"


class DataClass(StrEnum):
    """The seven classes of customers' data that no model is trained on unless an owner has said so, one by one."""

    PROMPTS = "prompts"
    FILES = "files"
    CHAT_HISTORY = "chat_history"
    KNOWLEDGE = "knowledge"
    MEMORY = "memory"
    INTEGRATIONS = "integrations"
    OUTPUTS = "outputs"


class Withheld(StrEnum):
    """Why an item was left out of an export for training."""

    NO_CONSENT = "no_consent"  # for at least one of the classes it is made of
    UNKNOWN_SOURCE = "unknown_source"  # made from something no class speaks of
    PROPOSED = "proposed"  # nobody has agreed to it
    SOME_READERS = "some_readers"  # meant for some people only
    PERSONAL_DATA = "personal_data"  # a detector marked it
