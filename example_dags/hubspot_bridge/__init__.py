"""The other half of a custom channel, to copy: from an agent's reply in HubSpot to the gateway, and back to its status.

    receiver     a web server: HubSpot's webhooks and the gateway's status callbacks go into the outbox
    events       HubSpot's event as a message of the outbox
    outbox       the table of messages, in SQLite or PostgreSQL
    delivery     hands pending messages to the gateway; never twice
    marking      notes what HubSpot has accepted
    signals      tells Airflow at once that there is something new, if you want that
    schedules    when the DAGs run: every minute, or on a signal
    signatures   HubSpot's, and one of our own for callbacks
    settings     environment variables, which receiver and DAGs share
    gateway      a stand-in for an SMS gateway, to try all of it

The DAGs beside this folder, ``deliver_outbox.py`` and ``mark_receipts.py``, import it: Airflow has the folder of a DAG bundle
on ``sys.path``. ``.airflowignore`` keeps the DAG processor from taking these modules for DAG files. SQLAlchemy, Starlette,
uvicorn and requests come with Airflow.
"""
