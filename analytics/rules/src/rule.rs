//! One rule over time.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use grid_model::Timestamp;
use grid_promql::Labels;

use crate::alert::{Alert, AlertState, Fate, Patience};
use crate::file::{Action, Expression, METRIC, RuleSpec};
use crate::host::{Host, NewSample, Sample, SampleValue};
use crate::limits::{ALERT_TEXT_BYTES_MAX, ALERTS_PER_RULE_MAX};
use crate::template::{self, External};

/// The series of alerts that are pending or firing.
pub const ALERTS: &str = "ALERTS";
/// The series that say since when, by which states are restored.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// The label of an alert's name.
pub const ALERT_NAME: &str = "alertname";
/// The label of an alert's state.
const ALERT_STATE: &str = "alertstate";

/// How a rule's last evaluation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// There was none.
    #[default]
    Unknown,
    /// Well.
    Good,
    /// It failed.
    Bad,
}

impl Health {
    /// As in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// A rule and what has become of it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it says.
    pub spec: Arc<RuleSpec>,
    /// How its last evaluation went.
    pub health: Health,
    /// Why it failed.
    pub last_error: Option<String>,
    /// When it was.
    pub last_evaluation: Option<Timestamp>,
    /// How long it took, in nanoseconds.
    pub evaluation_ns: i64,
    /// Its alerts by their labels, those that ended a while ago among them.
    pub(crate) alerts: BTreeMap<Labels, Alert>,
    /// Whether former states have been looked for. Until then its series are not written: they would overwrite these.
    pub(crate) restored: bool,
    /// Series that it wrote at its last good evaluation.
    pub(crate) written: HashSet<Labels>,
}

/// When and with what a rule is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    pub(crate) at: Timestamp,
    pub(crate) query_offset_ns: i64,
    pub(crate) limit: usize,
    pub(crate) external: &'a External,
}

impl Evaluation<'_> {
    /// The time of queries and samples in milliseconds.
    pub(crate) fn sample_time(self) -> i64 {
        self.at.saturating_add(self.query_offset_ns.saturating_neg()).0.div_euclid(1_000_000)
    }
}

impl Rule {
    /// One that was never evaluated. If `restored`, nothing of it is looked for in the store.
    pub fn new(spec: Arc<RuleSpec>, restored: bool) -> Self {
        Self {
            spec,
            health: Health::Unknown,
            last_error: None,
            last_evaluation: None,
            evaluation_ns: 0,
            alerts: BTreeMap::new(),
            restored,
            written: HashSet::new(),
        }
    }

    /// Its alerts that are pending or firing, by their labels.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.is_active())
    }

    /// The worst state of its alerts; `None` of a recording rule.
    pub fn state(&self) -> Option<AlertState> {
        match self.spec.action {
            Action::Record { .. } => None,
            Action::Alert { .. } => Some(self.active().map(|a| a.state).max().unwrap_or(AlertState::Inactive)),
        }
    }

    /// Asks, and answers the samples to be written.
    pub(crate) fn evaluate(&mut self, e: Evaluation<'_>, host: &mut dyn Host) -> Result<Vec<NewSample>, String> {
        let time = e.sample_time();
        let found = match &self.spec.expression {
            Expression::Promql(query) => host.promql(query, time)?,
            Expression::Sql(query) => host.sql(query, time)?,
        };
        let spec = Arc::clone(&self.spec);
        match &spec.action {
            Action::Record { metric } => record(&spec, metric, found, time, e.limit),
            Action::Alert { name, hold, keep_firing, annotations } => {
                let current = instances(&spec, name, annotations, found, e, host)?;
                let patience = Patience {
                    hold_ns: hold.saturating_mul(1_000_000),
                    keep_firing_ns: keep_firing.saturating_mul(1_000_000),
                };
                self.advance(current, patience, e)
            }
        }
    }

    fn advance(
        &mut self,
        current: BTreeMap<Labels, Alert>,
        patience: Patience,
        e: Evaluation<'_>,
    ) -> Result<Vec<NewSample>, String> {
        let present: BTreeSet<Labels> = current.keys().cloned().collect();
        for (labels, new) in current {
            match self.alerts.get_mut(&labels) {
                Some(alert) if alert.state != AlertState::Inactive => {
                    alert.value = new.value;
                    alert.annotations = new.annotations;
                }
                _ => {
                    self.alerts.insert(labels, new);
                }
            }
        }
        let (mut samples, mut active) = (Vec::new(), 0_usize);
        let (time, restored) = (e.sample_time(), self.restored);
        self.alerts.retain(|labels, alert| {
            let fate = alert.advance(present.contains(labels), e.at, patience);
            if fate == Fate::Active {
                active += 1;
                if restored {
                    samples.extend(series_of(alert, time));
                }
            }
            fate != Fate::Forgotten
        });
        let limit = if e.limit == 0 { ALERTS_PER_RULE_MAX } else { e.limit };
        if active > limit {
            self.alerts.clear();
            return Err(format!("exceeded limit of {limit} with {active} alerts"));
        }
        Ok(samples)
    }
}

/// The two series of an active alert.
fn series_of(alert: &Alert, time: i64) -> [NewSample; 2] {
    let since = alert.active_at.0.div_euclid(1_000_000_000) as f64;
    let state = alert.labels.with(ALERT_STATE, alert.state.as_str()).with(METRIC, ALERTS);
    let start = alert.labels.with(METRIC, ALERTS_FOR_STATE);
    let sample = |labels, value| NewSample { labels, time, value: SampleValue::Float(value) };
    [sample(state, 1.0), sample(start, since)]
}

fn record(
    spec: &RuleSpec,
    metric: &str,
    found: Vec<Sample>,
    time: i64,
    limit: usize,
) -> Result<Vec<NewSample>, String> {
    let mut seen = HashSet::with_capacity(found.len());
    let mut samples = Vec::with_capacity(found.len());
    for Sample { labels, value } in found {
        let own = spec.labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let labels = Labels::new(labels.iter().chain([(METRIC, metric)]).chain(own));
        if !seen.insert(labels.clone()) {
            return Err("vector contains metrics with the same labelset after applying rule labels".to_owned());
        }
        samples.push(NewSample { labels, time, value });
    }
    if limit > 0 && samples.len() > limit {
        return Err(format!("exceeded limit of {limit} with {} series", samples.len()));
    }
    Ok(samples)
}

/// The alerts that are there now, as if each had just come up.
fn instances(
    spec: &RuleSpec,
    name: &str,
    annotations: &BTreeMap<String, String>,
    found: Vec<Sample>,
    e: Evaluation<'_>,
    host: &mut dyn Host,
) -> Result<BTreeMap<Labels, Alert>, String> {
    if found.len() > ALERTS_PER_RULE_MAX.max(e.limit) {
        return Err(format!("exceeded limit of {} with {} alerts", ALERTS_PER_RULE_MAX.max(e.limit), found.len()));
    }
    let mut alerts = BTreeMap::new();
    let mut bytes = 0;
    for sample in found {
        let mut query = |text: &str| host.promql(text, e.at.0.div_euclid(1_000_000));
        let mut context = template::Context {
            labels: sample.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            value: sample.value.clone(),
            external: e.external,
            time: e.at,
            query: &mut query,
        };
        let mut expand = |text: &str| {
            template::expand(text, &mut context).unwrap_or_else(|error| {
                format!("<error expanding template: error executing template __alert_{name}: {error}>")
            })
        };
        let own: Vec<(&str, String)> = spec.labels.iter().map(|(k, v)| (k.as_str(), expand(v))).collect();
        let texts: BTreeMap<String, String> = annotations.iter().map(|(k, v)| (k.clone(), expand(v))).collect();
        bytes += own.iter().map(|(_, v)| v.len()).chain(texts.values().map(String::len)).sum::<usize>();
        if bytes > ALERT_TEXT_BYTES_MAX {
            return Err(format!("labels and annotations of the alerts have more than {ALERT_TEXT_BYTES_MAX} bytes"));
        }
        let bare = sample.labels.with(METRIC, "");
        let own = own.iter().map(|(k, v)| (*k, v.as_str()));
        let labels = Labels::new(bare.iter().chain(own).chain([(ALERT_NAME, name)]));
        let alert = Alert::new(labels.clone(), texts, sample.value.number(), e.at);
        if alerts.insert(labels, alert).is_some() {
            return Err("vector contains metrics with the same labelset after applying alert labels".to_owned());
        }
    }
    Ok(alerts)
}
