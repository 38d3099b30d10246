//! What to change: machines that are idle, too large or needed at some hours only, groups of them, what pods ask for, databases, what nobody uses, and
//! commitments.
//!
//! [`sources`] says where metrics have the id that the bill knows; [`machines`] joins use, price book and bills; [`workloads`] are the pods on them, [`fleets`] the groups that they make; [`databases`] are likewise
//! measured and billed; [`unused`] reads charges alone; [`commitments`] turns what to buy into the same shape. Their proposals claim what they change, so
//! that no cost is spared twice, and are joined with those of the last run, so that they do not flutter.

mod sources;
mod machines;
mod workloads;
mod fleets;
mod databases;
mod unused;
mod commitments;

use std::collections::BTreeSet;

use grid_finance::exact::rounded_text;
use grid_findings::claim::{Claim, settle};
use grid_findings::limits::RECOMMENDATIONS_MAX;
use grid_findings::size::{Replay, Saving};
use grid_findings::steady::{EXPIRES_NS, join};
use grid_model::Amount;
use grid_model::table::recommendations::RecommendationRow;
use serde_json::json;

use super::{Done, Job, JobError, Run};
use crate::keep;

pub(super) use machines::GROUPS;
pub(super) use workloads::{endings, maker};

pub(super) async fn run(run: &Run<'_>) -> Result<Done, JobError> {
    let job = Job::Recommend.name();
    let Parts { proposed, judged, failed } = Parts::of(run).await;
    // What saves nothing takes no money from anybody: higher limits.
    let (free, paid): (Vec<Proposed>, Vec<Proposed>) = proposed.into_iter().partition(|p| p.row.saving_high.0 == 0);
    let claims: Vec<Claim> = paid.iter().map(Proposed::claim).collect();
    let held = settle(&claims);
    let rows = paid.into_iter().map(|p| p.row);
    let mut rows: Vec<RecommendationRow> = rows
        .zip(held)
        .filter_map(|(row, saving)| {
            let now = saving?;
            let before = Saving { low: row.saving_low, likely: row.saving, high: row.saving_high };
            // What is told is what is left.
            let title = row.title.replace(&said(&before, &row.currency), &said(&now, &row.currency));
            let Saving { low, likely, high } = now;
            Some(RecommendationRow { title, saving_low: low, saving: likely, saving_high: high, ..row })
        })
        .collect();
    rows.extend(free.into_iter().map(|p| p.row));
    rows.sort_by(|a, b| b.saving.cmp(&a.saving).then_with(|| a.recommendation_id.cmp(&b.recommendation_id)));
    rows.truncate(RECOMMENDATIONS_MAX);
    let before: Vec<RecommendationRow> = keep::rows_of(run.engine, run.tenant, job).await?;
    let decisions = keep::decisions(run.store, run.tenant).await?;
    let rows = join(&before, rows, &judged, &decisions, run.until);
    let count = rows.len();
    Ok(Done { rows: count, changed: keep::replace(run.store, run.tenant, job, &before, rows).await?, failed })
}

/// What the parts of a run propose. One that fails is told and judges nothing, so that what it said the last time stands.
#[derive(Default)]
struct Parts {
    proposed: Vec<Proposed>,
    judged: BTreeSet<String>,
    failed: Vec<(&'static str, JobError)>,
}

impl Parts {
    async fn of(run: &Run<'_>) -> Self {
        let mut parts = Self::default();
        match machines::read(run).await {
            Ok(park) => parts.on_machines(run, &park).await,
            Err(e) => parts.failed.push(("machines", e)),
        }
        let mut judged = BTreeSet::new();
        let found = databases::find(run, &mut judged).await;
        parts.take("databases", judged, found);
        let mut judged = BTreeSet::new();
        let found = unused::find(run, &mut judged).await;
        parts.take("unused resources", judged, found);
        parts
    }

    /// Machines and what rests on knowing them: groups of them, pods on them, commitments to them.
    async fn on_machines(&mut self, run: &Run<'_>, park: &machines::Park) {
        let mut of_pods = BTreeSet::new();
        let (pods, asked) = match workloads::find(run, park, &mut of_pods).await {
            Ok((pods, asked)) => (Ok(pods), asked),
            Err(e) => (Err(e), workloads::Asked::default()),
        };
        let mut judged = BTreeSet::new();
        let found = async {
            let mut found = machines::find(run, park, &mut judged).await?;
            fleets::find(run, park, &asked, &mut judged, &mut found).await?;
            Ok(found)
        };
        let found = found.await;
        self.take("machines", judged, found);
        self.take("pods", of_pods, pods);
        let mut judged = BTreeSet::new();
        let found = commitments::find(run, park, &mut judged).await;
        self.take("commitments", judged, found);
    }

    fn take(&mut self, part: &'static str, judged: BTreeSet<String>, found: Result<Vec<Proposed>, JobError>) {
        match found {
            Ok(found) => {
                self.proposed.extend(found);
                self.judged.extend(judged);
            }
            Err(e) => self.failed.push((part, e)),
        }
    }
}

/// A proposal with what it claims.
struct Proposed {
    row: RecommendationRow,
    /// What it changes or makes cheaper, with what each costs a month.
    resources: Vec<(String, Amount)>,
    is_exclusive: bool,
}

impl Proposed {
    /// It changes its own resource.
    fn changes(row: RecommendationRow) -> Self {
        let resources = vec![(row.resource_id.clone(), row.monthly_cost)];
        Self { row, resources, is_exclusive: true }
    }

    fn claim(&self) -> Claim {
        Claim {
            id: self.row.recommendation_id.clone(),
            resources: self.resources.clone(),
            saving: Saving { low: self.row.saving_low, likely: self.row.saving, high: self.row.saving_high },
            risk: self.row.risk,
            is_exclusive: self.is_exclusive,
        }
    }
}

/// What is saved, as people read it.
fn said(saving: &Saving, currency: &str) -> String {
    let money = |a: Amount| rounded_text(a, 2);
    if saving.low == saving.high {
        format!("saves {} {currency} a month", money(saving.likely))
    } else {
        format!("saves {} to {} {currency} a month", money(saving.low), money(saving.high))
    }
}

/// A replay as JSON.
fn replayed(replay: &Replay) -> String {
    json!({
        "hours": replay.hours,
        "violations": replay.violations,
        "peak": (replay.peak * 1e4).round() / 1e4,
    })
    .to_string()
}

/// A probability as it is told.
fn rounded(risk: f64) -> f64 {
    (risk * 1e4).round() / 1e4
}

/// Text, if there is any.
fn full(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|t| !t.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_is_told_and_judges_nothing() {
        let proposal = || Proposed::changes(RecommendationRow { resource_id: "db-1".to_owned(), ..Default::default() });
        let judged = |id: &str| BTreeSet::from([id.to_owned()]);
        let mut parts = Parts::default();
        parts.take("machines", judged("vm-1"), Err(JobError::Time));
        parts.take("databases", judged("db-1"), Ok(vec![proposal()]));
        assert_eq!(parts.judged, judged("db-1"));
        assert_eq!(parts.proposed.iter().map(|p| p.row.resource_id.as_str()).collect::<Vec<_>>(), ["db-1"]);
        assert!(matches!(parts.failed[..], [("machines", JobError::Time)]));
    }
}
