//! What to change: machines that are idle, too large or needed at some hours only, what nobody uses, and commitments.
//!
//! [`machines`] joins use, price book and bills; [`unused`] reads charges alone. Their proposals claim what they change, so that no cost is spared
//! twice, and are joined with those of the last run, so that they do not flutter.

mod machines;
mod unused;

use std::collections::BTreeSet;

use grid_findings::claim::{Claim, settle};
use grid_findings::limits::RECOMMENDATIONS_MAX;
use grid_findings::size::Saving;
use grid_findings::steady::{EXPIRES_NS, join};
use grid_model::table::recommendations::RecommendationRow;

use super::{Job, JobError, Run};
use crate::keep;

pub(super) async fn run(run: &Run<'_>) -> Result<(usize, bool), JobError> {
    let job = Job::Recommend.name();
    let mut judged = BTreeSet::new();
    let mut rows = machines::find(run, &mut judged).await?;
    rows.extend(unused::find(run, &mut judged).await?);
    let claims: Vec<Claim> = rows.iter().map(claim).collect();
    let held = settle(&claims);
    let mut rows: Vec<RecommendationRow> = rows
        .into_iter()
        .zip(held)
        .filter_map(|(row, saving)| {
            let Saving { low, likely, high } = saving?;
            Some(RecommendationRow { saving_low: low, saving: likely, saving_high: high, ..row })
        })
        .collect();
    rows.truncate(RECOMMENDATIONS_MAX);
    let before: Vec<RecommendationRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let decisions = keep::decisions(run.store, run.tenant).await?;
    let rows = join(&before, rows, &judged, &decisions, run.until);
    let count = rows.len();
    Ok((count, keep::replace(run.store, run.tenant, job, &before, rows).await?))
}

fn claim(row: &RecommendationRow) -> Claim {
    Claim {
        id: row.recommendation_id.clone(),
        resources: vec![(row.resource_id.clone(), row.monthly_cost)],
        saving: Saving { low: row.saving_low, likely: row.saving, high: row.saving_high },
        risk: row.risk,
        is_exclusive: true,
    }
}

/// What every proposal of a run has in common.
fn common(run: &Run<'_>) -> RecommendationRow {
    RecommendationRow {
        created_time: run.until,
        expires_time: run.until.saturating_add(EXPIRES_NS),
        job: Job::Recommend.name().to_owned(),
        generation: run.generation,
        language: "sql".to_owned(),
        made_time: run.until,
        ..RecommendationRow::default()
    }
}
