"""HubSpot's API as structure alone, and the tools that keep it.

Each JSON file here is the structure of one of HubSpot's OpenAPI files: paths, methods, parameters, schemas, types, constants
and scopes, without HubSpot's texts. ``python -m tests.contract.extract`` makes them, ``python -m tests.contract.compare`` tells
what a newer file of HubSpot's changes. The one of the custom channels in 2026-09 is derived from that of 2026-03.
"""
