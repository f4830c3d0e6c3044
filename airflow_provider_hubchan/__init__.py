"""Apache Airflow provider for HubSpot custom channels. This module is read by every Airflow process: it imports nothing."""

__version__ = "0.1.0"

USER_AGENT = f"airflow-provider-hubchan/{__version__}"


def get_provider_info() -> dict[str, object]:
    """What Airflow shows of this provider, and the connection form (airflow/provider.yaml.schema.json)."""
    name = "HubSpot Custom Channels"
    modules = "airflow_provider_hubchan"
    return {
        "package-name": "airflow-provider-hubchan",
        "name": name,
        "description": "Tell HubSpot what became of each outbound message on a custom channel, a whole batch at a time.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://developers.hubspot.com/docs/api-reference/latest/conversations/custom-channels/guide",
                "tags": ["service"],
            }
        ],
        "hooks": [{"integration-name": name, "python-modules": [f"{modules}.hooks"]}],
        "operators": [{"integration-name": name, "python-modules": [f"{modules}.operators"]}],
        "sensors": [{"integration-name": name, "python-modules": [f"{modules}.sensors"]}],
        "triggers": [{"integration-name": name, "python-modules": [f"{modules}.triggers"]}],
        "notifications": [f"{modules}.notifications.MessageStatusNotifier"],
        "extra-links": [f"{modules}.links.InboxLink", f"{modules}.links.ReportLink"],
        "asset-uris": [
            {
                "schemes": ["hubchan"],
                "handler": f"{modules}.assets.sanitize_uri",
                "factory": f"{modules}.assets.channel_asset",
                "to_openlineage_converter": f"{modules}.assets.convert_to_openlineage",
            }
        ],
        "task-decorators": [{"name": "hubchan_status", "class-name": f"{modules}.decorators.hubchan_status"}],
        "connection-types": [
            {
                "connection-type": "hubchan",
                "hook-class-name": f"{modules}.hooks.HubchanHook",
                "hook-name": name,
                # The port stays: the Test button of Airflow 3.3.1 and 3.3.2 sends 0 for a connection saved without one, and is
                # refused, because that differs from what is stored. With a port in it, whatever it is, the button works.
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {"host": "API base URL", "login": "OAuth client ID", "password": "OAuth client secret"},
                    "placeholders": {
                        "host": "https://api.hubapi.com (leave it empty for HubSpot itself)",
                        "login": "of the app that owns the channel: Development > your app > Auth",
                        "password": "of the same app",
                        "port": "443; without it, the Test button of Airflow 3.3.1 and 3.3.2 refuses",
                    },
                },
                "conn-fields": {
                    "refresh_token": {
                        "label": "Refresh token",
                        "description": "From installing the app in the account. Goes with client ID and client secret above; "
                        "access tokens are fetched with the three, and renewed before they end.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "channel_id": {
                        "label": "Channel ID",
                        "description": "For tasks that name none. With it, the Test button also proves that the app owns "
                        "the channel.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "access_token": {
                        "label": "Access token",
                        "description": "Leave it empty, or put a ready bearer token here instead of client ID, client secret "
                        "and refresh token. Tokens of private apps (pat-...) do not work with custom channels.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "api_version": {
                        "label": "API version",
                        "description": "Which of HubSpot's APIs is called, for tokens, too. "
                        "HubSpot supports each for 18 months.",
                        "schema": {
                            "type": ["string", "null"],
                            "enum": ["2026-03", "2026-09", "v3"],
                            "default": "2026-03",
                            "values_display": {
                                "2026-03": "2026-03: what this provider is made for",
                                "2026-09": "2026-09: HubSpot's newest",
                                "v3": "v3: the old addresses, without support from September 2027",
                            },
                        },
                    },
                    "requests_per_10s": {
                        "label": "Requests per 10 seconds",
                        "description": "At most so many, of the account's quota. Empty: all that HubSpot allows.",
                        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 100_000},
                    },
                    "timeout": {
                        "label": "Timeout",
                        "description": "Seconds for connecting, and for each read; at most 300. A whole call ends after three "
                        "times that, however slowly the bytes come.",
                        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 300, "default": 10},
                    },
                },
            }
        ],
    }
