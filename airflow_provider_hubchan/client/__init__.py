"""HubSpot's custom-channels API: decide what to send, send it, keep the rate limit, authenticate. No Airflow, no batches."""
