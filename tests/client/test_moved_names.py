"""Names that the pages once named under another module can still be imported from there."""

from __future__ import annotations

from importlib import import_module

import pytest

CLIENT = "airflow_provider_hubchan.client"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{CLIENT}.account.Account", f"{CLIENT}.models.Account"),
        (f"{CLIENT}.patience.Patience", f"{CLIENT}.flow.RetryConfig"),
        (f"{CLIENT}.report.BatchIncomplete", "airflow_provider_hubchan.batch.report.BatchIncomplete"),
        (f"{CLIENT}.report.Report", "airflow_provider_hubchan.batch.report.Report"),
        (f"{CLIENT}.watch.WatchFailed", f"{CLIENT}.errors.StatusPollFailed"),
    ],
)
def test_a_documented_path_of_before_leads_to_the_same_name(old: str, new: str) -> None:
    """One class, so that ``except`` and ``isinstance`` work with either path."""
    (old_module, old_name), (new_module, new_name) = old.rsplit(".", 1), new.rsplit(".", 1)
    assert getattr(import_module(old_module), old_name) is getattr(import_module(new_module), new_name)


def test_what_such_a_module_never_had_is_an_import_error() -> None:
    """As it would be for any module."""
    with pytest.raises(ImportError, match="cannot import name 'Sheet'"):
        from airflow_provider_hubchan.client.report import Sheet  # type: ignore[import-not-found]  # noqa: F401
