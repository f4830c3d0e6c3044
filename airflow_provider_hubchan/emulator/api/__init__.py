"""HubSpot's API, written down from its side: a request in, a response out."""
