"""A made-up provider for tests, small enough to read in one look."""

from typing import Any

import yaml

from integrations.catalogue.load import build
from integrations.catalogue.model import Operation, Provider

TEXT = """
title: Blue Bike CRM
group: Customer data
what_it_is: Customer records of bicycle shops.
could: {read: Customers., write: Notes., publish: Nothing., spend: Nothing.}
splits_read_from_write: true
token_life_words: One hour at a time.
settings_url: https://bluebike.example/settings/apps
settings_words: Blue Bike, Settings, Apps.
registers_at: https://bluebike.example/developers
registers_words: Make an app.
authorization_url: https://bluebike.example/oauth/authorize
token_url: https://api.bluebike.example/oauth/token
pkce: required
refresh: {kind: rotating, access_seconds: 3600}
revocation: {kind: rfc7009, url: 'https://api.bluebike.example/oauth/revoke', kills: Every token of the consent.}
hosts: [api.bluebike.example]
scopes:
  customers.read: {words: See your customers., risk: R1P}
  customers.write: {words: Change your customers., risk: R4, implies: [customers.read]}
  notes.write: {words: Write notes., risk: R2}
operations:
  list_customers:
    title: List customers
    words: Customers of one city.
    method: GET
    host: api.bluebike.example
    path: /v1/cities/{city}/customers
    query: {limit: '{limit}', after: '{page}', tag: '{tags}', labels: '{tags|csv}', since: 'day:{since}'}
    arguments:
      city: {type: string, maxLength: 100}
      limit: {type: integer, minimum: 1, maximum: 100, default: 25}
      page: {type: string, maxLength: 100}
      tags: {type: array, maxItems: 3, items: {type: string, maxLength: 20}}
      since: {type: string, maxLength: 10, pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'}
    required: [city]
    any_of: [[customers.read]]
    risk: R1P
    effect: read
    projection: ['customers[].id', 'customers[].name', total]
    paging: {kind: cursor, argument: page, next: next}
    example: {city: ghent, limit: 10}
  write_note:
    title: Write a note
    words: Writes a note on a file of a customer.
    method: POST
    host: api.bluebike.example
    path: /v1/files/{file|slashes}/notes
    headers: {X-Manager: '{manager}'}
    body: {note: {text: '{text}', pinned: '{pinned}', by: '{by}'}}
    arguments:
      file: {type: string, maxLength: 100}
      text: {type: string, maxLength: 500}
      pinned: {type: boolean}
      by: {type: string, maxLength: 20}
      manager: {type: string, maxLength: 20}
    required: [file, text]
    any_of: [[customers.read, notes.write], [customers.write]]
    risk: R2
    effect: write_draft
    projection: [id]
    example: {file: 2026/plan, text: Called them.}
unverified: [settings_url]
sources: [made up for tests]
"""


def told(**changes: Any) -> str:
    """The provider's file with some top-level parts changed (None takes one away)."""
    read = yaml.safe_load(TEXT)
    read.update(changes)
    return yaml.safe_dump({key: value for key, value in read.items() if value is not None})


def with_operation(name: str = "list_customers", **changes: Any) -> str:
    """The provider's file with one operation changed."""
    operations = yaml.safe_load(TEXT)["operations"]
    operations[name] = {key: value for key, value in {**operations[name], **changes}.items() if value is not None}
    return told(operations=operations)


def blue_bike(text: str = TEXT) -> Provider:
    return build({"blue_bike.yaml": text}).provider("blue_bike")


def listing() -> Operation:
    return blue_bike().operations["list_customers"]
