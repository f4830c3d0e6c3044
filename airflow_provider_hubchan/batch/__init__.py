"""One batch of updates: rows in, a report out. Nothing here knows Airflow or HTTP."""
