"""A channel of an account as an Airflow asset, ``hubchan://62515/channels/100200``, and as an OpenLineage dataset."""

from __future__ import annotations

import logging
import os
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.asset import AssetNameRef, AssetUniqueKey, AssetUriRef
from airflow.sdk.lineage import get_hook_lineage_collector

from airflow_provider_hubchan.best_effort import best_effort

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseHook, Context

    from airflow_provider_hubchan.batch.report import Report

log = logging.getLogger(__name__)

SCHEME = "hubchan"
#: Key of the run facet for OpenLineage.
RUN_FACET = "hubchan_status_updates"

#: The first hook that wrote to each channel: Airflow counts what one hook records as one output, that of another as another.
_first_writers: dict[tuple[int, str], BaseHook] = {}
_lock = Lock()


def _renew_lock() -> None:
    """In a process that was forked: a lock that another thread held at that moment would stay locked for ever."""
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_renew_lock)


def channel_asset(portal: int | str, channel_id: str, *, extra: dict[str, Any] | None = None) -> Asset:
    """The asset of a channel in an account, for ``outlets`` and ``schedule``.

    :param portal: the account's id ("Hub ID"), a number.
    :param channel_id: id of the custom channel.
    :param extra: what Airflow is to keep with the asset, as JSON; a batch's counters go into its events instead.
    :raises ValueError: *portal* is not a number, or *channel_id* is empty.
    """
    return Asset(uri=f"{SCHEME}://{portal}/channels/{quote(str(channel_id), safe='')}", extra=extra or {})


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check a URI of our scheme, for Airflow.

    :raises ValueError: it is not ``hubchan://{portal}/channels/{channel_id}``.
    """
    match uri.path.strip("/").split("/"):
        case ("channels", channel_id) if uri.netloc.isdecimal() and channel_id:
            return uri._replace(path=f"/channels/{channel_id}", query="", fragment="")
    raise ValueError(
        f"{uri.geturl()!r} is not hubchan://{{portal}}/channels/{{channel_id}}, such as hubchan://62515/channels/100200"
    )


def convert_to_openlineage(asset: Asset, lineage_context: Any = None) -> Dataset:
    """The OpenLineage dataset of a channel: the account is its namespace."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    rest = asset.uri.removeprefix(f"{SCHEME}://")
    portal, _, name = rest.partition("/")
    return Dataset(namespace=f"{SCHEME}://{portal}", name=unquote(name))


def record_lineage(hook: BaseHook, portal: int | None, channel_id: str) -> None:
    """Tell Airflow's hook lineage that a hook has written to a channel. Each channel is recorded once, whoever wrote to it.
    Never raises: what could not be recorded is logged.

    :param portal: the account's id; None if HubSpot has not told it, then there is no asset to name.
    """
    if portal is not None:
        asset_kwargs = {"portal": portal, "channel_id": channel_id}
        # threads that come at once would each make a collector, and all but one be lost
        with best_effort(log.warning, "The lineage could not be recorded; what was written to HubSpot stands"), _lock:
            context = _first_writers.setdefault((portal, channel_id), hook)
            get_hook_lineage_collector().add_output_asset(context=context, scheme=SCHEME, asset_kwargs=asset_kwargs)


def emit_event(context: Context, outlets: list[Any], portal: int | None, channel_id: str, counters: dict[str, Any]) -> None:
    """Put the counters of a batch into the task's asset events: those of its channel, and those of its aliases.
    Never raises: an outlet that does not take them is logged, and the others get them all the same.

    :param portal: the account's id, None if HubSpot has not told it; then its channel's number is enough, and aliases get no
        event.
    """
    for outlet in outlets:
        with best_effort(log.warning, "An asset event goes without the counters of the batch; the task ends as it would have"):
            _add_counters(context, outlet, portal, channel_id, counters)


def openlineage_facets(report: Report | None, portal: int | None, channel_id: str | None) -> OperatorLineage[Any, Any]:
    """The OpenLineage facets of a run: the channel that it wrote to, and the counters.

    :param report: what became of the batch, None if none was begun.
    :param portal: id of the account, None if HubSpot has not told it; then there is no dataset.
    :param channel_id: id of the custom channel, None if it is not known; then there is no dataset, either.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
        RunFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage
    from attrs import define

    @define
    class StatusUpdatesRunFacet(RunFacet):
        rows: int
        updated: int
        skipped: int
        rejected: int
        unresolved: int
        rejectedShare: float  # noqa: N815  # as OpenLineage writes its fields

    if report is None:
        return OperatorLineage()
    counters = (report.rows, report.updated, report.skipped, report.rejected, report.unresolved)
    rejected_share = report.rejected / report.rows if report.rows else 0.0
    outputs = []
    if portal is not None and channel_id:
        dataset = convert_to_openlineage(channel_asset(portal, channel_id))
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=report.updated)
        outputs.append(OutputDataset(dataset.namespace, dataset.name, outputFacets={"outputStatistics": statistics}))
    return OperatorLineage(outputs=outputs, run_facets={RUN_FACET: StatusUpdatesRunFacet(*counters, rejected_share)})


def _is_of(uri: str, portal: int | None, channel_id: str) -> bool:
    """True if it is the URI of this channel, in an account that is not another one."""
    scheme, _, place = uri.partition("://")
    account, _, channel = place.partition("/channels/")
    return scheme == SCHEME and unquote(channel) == channel_id and portal in (None, int(account))


def _add_counters(context: Context, outlet: object, portal: int | None, channel_id: str, counters: dict[str, Any]) -> None:
    events = context["outlet_events"]
    match outlet:
        case AssetAlias():
            if portal is not None:
                events[outlet].add(channel_asset(portal, channel_id), extra=counters)
        case AssetNameRef():
            key = events[outlet].key  # Airflow asks its server which asset has this name
            if isinstance(key, AssetUniqueKey) and _is_of(key.uri, portal, channel_id):
                events[outlet].extra = counters
        case Asset(uri=uri) | AssetUriRef(uri=uri) if _is_of(uri, portal, channel_id):
            events[outlet].extra = counters
