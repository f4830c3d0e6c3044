"""When the next request may be sent. `limiter` never lets this process exceed HubSpot's limit; `fair_share` says how much of
the limit this process should use when others use the same account.
"""
