//! One group over time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grid_model::Timestamp;
use grid_rules::group::{Evaluated, Notice};
use grid_rules::slot::{Due, Slots};
use grid_rules::{Group, GroupView};
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::host::StoreHost;
use super::keeper::Shared;
use super::limits::NOTICES_AT_ONCE;
use super::sink::{Alert, AlertStatus};
use super::source::GroupKey;

/// An evaluation may take this long even if its interval is shorter.
const DEADLINE_MIN: Duration = Duration::from_secs(10);

/// How a group was last seen, shared with who shows it.
pub(super) type Seen = Arc<RwLock<Arc<GroupView>>>;

/// A group that is evaluated until its token is cancelled; it is handed back then.
pub(super) struct GroupTask {
    pub(super) shared: Arc<Shared>,
    pub(super) key: GroupKey,
    pub(super) seen: Seen,
    pub(super) token: CancellationToken,
}

impl GroupTask {
    pub(super) async fn run(self, mut group: Group) -> Group {
        let options = &self.shared.options.group;
        let interval_ns = group.interval_ns(options);
        let slots = Slots::new(interval_ns, hash(&self.key));
        let mut last = None;
        loop {
            let now = (self.shared.clock)();
            let due = slots.due(last, now).filter(|_| last.is_some());
            let Some(Due { at, missed }) = due else {
                // The first evaluation waits for its slot, so that restarts keep the times.
                last = last.or(Some(slots.next(now).saturating_add(-interval_ns)));
                let wait_ns = slots.next(now).0.saturating_sub(now.0).max(0);
                let wait = Duration::from_nanos(wait_ns.unsigned_abs());
                tokio::select! {
                    () = self.token.cancelled() => return group,
                    () = tokio::time::sleep(wait) => continue,
                }
            };
            last = Some(at);
            group.missed += missed;
            let permit = tokio::select! {
                () = self.token.cancelled() => return group,
                permit = Arc::clone(&self.shared.turns).acquire_owned() => permit,
            };
            // The semaphore is never closed.
            let Ok(permit) = permit else { return group };
            let spare = Group::new(Arc::clone(&group.spec), true);
            let (work, shared, key, token) = (group, Arc::clone(&self.shared), self.key.clone(), self.token.clone());
            let deadline = Duration::from_nanos(interval_ns.unsigned_abs()).max(DEADLINE_MIN);
            let done = tokio::task::spawn_blocking(move || {
                let done = evaluate(work, at, &shared, &key, token, deadline);
                drop(permit);
                done
            });
            let evaluated;
            (group, evaluated) = match done.await {
                Ok((group, evaluated)) => (group, evaluated),
                Err(e) => {
                    warn!(group = %self.key, error = %e, "evaluation of a group was lost; it begins anew");
                    (spare, Evaluated::default())
                }
            };
            self.publish(&group, evaluated);
        }
    }

    fn publish(&self, group: &Group, evaluated: Evaluated) {
        let view = Arc::new(group.view(&self.key.file, &self.shared.options.group));
        for rule in view.rules.iter().filter(|rule| rule.last_error.is_some()) {
            let (name, error) = (rule.spec.name(), rule.last_error.as_deref().unwrap_or_default());
            debug!(tenant = %self.key.tenant, group = %self.key, rule = name, error, "rule failed");
        }
        *self.seen.write() = view;
        self.shared.totals.count(&evaluated, group.rules.len());
        let mut alerts: Vec<Alert> = evaluated.notices.into_iter().map(|n| self.alert(n)).collect();
        while !alerts.is_empty() {
            let rest = alerts.split_off(alerts.len().min(NOTICES_AT_ONCE));
            self.shared.sink.send(&self.key.tenant, alerts);
            alerts = rest;
        }
    }

    fn alert(&self, notice: Notice) -> Alert {
        let labels: BTreeMap<String, String> =
            notice.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let url = &self.shared.options.group.external.url;
        Alert {
            labels,
            annotations: notice.annotations,
            starts_at: notice.starts_at,
            ends_at: notice.ends_at,
            generator_url: format!(
                "{}{}",
                url.trim_end_matches('/'),
                grid_rules::template::table_link(&notice.expression)
            ),
            status: if notice.resolved { AlertStatus::Resolved } else { AlertStatus::Firing },
        }
    }
}

fn evaluate(
    mut group: Group,
    at: Timestamp,
    shared: &Shared,
    key: &GroupKey,
    token: CancellationToken,
    deadline: Duration,
) -> (Group, Evaluated) {
    let begin = Instant::now();
    let mut host = StoreHost {
        tenant: key.tenant.clone(),
        engine: Arc::clone(&shared.engine),
        writer: Arc::clone(&shared.writer),
        runtime: Handle::current(),
        deadline: begin + deadline,
        token,
        begin,
    };
    let options = &shared.options.group;
    let evaluated = group.evaluate(at, options, &mut host);
    // Alerts must be there, and what they build on: so states are looked for after the second evaluation, as in Prometheus.
    if group.needs_restoring() && group.evaluations >= 2 {
        for error in group.restore(at, options, &mut host) {
            warn!(tenant = %key.tenant, group = %key, error, "former states of an alert are not restored");
        }
    }
    (group, evaluated)
}

/// A hash of a group's name that is the same on every machine.
fn hash(key: &GroupKey) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{}\0{}\0{}", key.tenant, key.file, key.name).as_bytes())
}
