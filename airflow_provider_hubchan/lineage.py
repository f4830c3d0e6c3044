"""What a batch tells OpenLineage: the channel that it wrote to, and the counters. Its modules are imported when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_hubchan.assets import channel_asset, convert_to_openlineage
from airflow_provider_hubchan.batch.report import Report

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

#: Key of the run facet.
FACET = "hubchan_status_updates"


def facets(report: Report | None, portal: int | None, channel_id: str | None) -> OperatorLineage[Any, Any]:
    """The lineage of a run.

    :param report: what became of the batch, None if none was begun.
    :param portal: id of the account, None if HubSpot has not told it; then there is no dataset.
    :param channel_id: id of the custom channel, None if nothing says it; then there is none, either.
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
    share = report.rejected / report.rows if report.rows else 0.0
    outputs = []
    if portal is not None and channel_id:
        dataset = convert_to_openlineage(channel_asset(portal, channel_id))
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=report.updated)
        outputs.append(OutputDataset(dataset.namespace, dataset.name, outputFacets={"outputStatistics": statistics}))
    return OperatorLineage(outputs=outputs, run_facets={FACET: StatusUpdatesRunFacet(*counters, share)})
