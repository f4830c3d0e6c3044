"""The page at ``/``: its files, the data that it shows, and the events that keep it up to date."""
