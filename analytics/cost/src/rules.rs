//! Rules as code: `allocation.toml`. Reading order: [`Rules`] (what the file says), [`Field`] (what rules look at), [`Rule`] and [`Action`]
//! (who pays), [`Share`] (what becomes of idle and of overhead).
//!
//! Rules are tried in order of priority, then of the file; the first that matches and can be carried out decides.

mod read;
pub mod pattern;
mod mistake;

use std::collections::BTreeMap;
use std::sync::Arc;

use grid_model::Timestamp;
use grid_model::table::charges::Column;
use grid_model::time::{DAY_NS, HOUR_NS};
use xxhash_rust::xxh3::xxh3_64;

pub use mistake::RuleMistake;
pub use pattern::Pattern;
pub use read::parse_date;

/// The rules that hold where a tenant has written none: owners are read off the usual tags.
pub const DEFAULT: &str = include_str!("rules/default.toml");

/// A file of rules, checked.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long a row of `allocations` is.
    pub window: WindowSize,
    /// What rules, dimensions and templates look at: a charge brings a value for each, in this order.
    pub fields: Vec<Field>,
    /// Virtual tags, in order.
    pub dimensions: Vec<Dimension>,
    /// What is known of owners, by name.
    pub owners: BTreeMap<String, Owner>,
    /// In order of precedence.
    pub rules: Vec<Rule>,
    /// What becomes of costs that the rules made idle, or gave to an owner that is overhead.
    pub shares: Vec<Share>,
    /// Measurements that splits weigh by.
    pub metrics: BTreeMap<String, Metric>,
    source: String,
}

/// How long a row of `allocations` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowSize {
    /// An hour.
    Hour,
    /// A day, UTC.
    Day,
}

impl WindowSize {
    /// The length.
    pub fn nanos(self) -> i64 {
        match self {
            Self::Hour => HOUR_NS,
            Self::Day => DAY_NS,
        }
    }

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// Something of a charge that rules look at. Absent is the empty text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// A text column of `charges`.
    Column(Column),
    /// A tag: `tag.KEY`.
    Tag(String),
    /// A column of the source that FOCUS does not know: `x.NAME`.
    Extra(String),
    /// `account`: the sub-account, else the billing account.
    Account,
    /// `provider`: who sells the service, by the name of FOCUS 1.3 or of earlier versions.
    Provider,
}

/// What a pattern or template reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `fields[i]`.
    Field(usize),
    /// `dimensions[i]`.
    Dimension(usize),
}

/// A virtual tag: the first of its sources that has a value, with drift mapped to one spelling.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its name.
    pub name: Arc<str>,
    /// Where to look, in order; dimensions among them stand earlier in the file.
    pub from: Vec<Subject>,
    /// Spellings (matched loosely) and what they mean, in order.
    pub values: Vec<(Pattern, Arc<str>)>,
    /// The value where no source has one.
    pub default: Option<Arc<str>>,
}

/// What is known of an owner.
#[derive(Debug, Clone, Default)]
pub struct Owner {
    /// Other spellings of the name, matched loosely; the name itself always is one.
    pub aliases: Vec<Pattern>,
    /// Dimensions of all its rows, unless a rule says otherwise.
    pub dimensions: BTreeMap<String, String>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, as rows of `allocations` carry it.
    pub name: Arc<str>,
    /// Higher ones first; 0 by default.
    pub priority: i64,
    /// It decides on charges whose window begins at or after this.
    pub from: Option<Timestamp>,
    /// It decides on charges whose window begins before this.
    pub until: Option<Timestamp>,
    /// All must match; of the patterns of one, any.
    pub matches: Vec<(Subject, Vec<Pattern>)>,
    /// None may match.
    pub excludes: Vec<(Subject, Vec<Pattern>)>,
    /// What then.
    pub action: Action,
}

/// What a rule does with a charge.
#[derive(Debug, Clone)]
pub enum Action {
    /// One owner pays, unless the template of the owner is empty: then the rule does not apply.
    Assign(Vec<(Arc<str>, Template)>),
    /// Several pay.
    Split(Split),
    /// Paid for and not used.
    Idle,
    /// Nobody's, on purpose.
    Unallocated,
}

/// Text with holes: `{tag.team}-{dim.environment}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Itself.
    Text(String),
    /// What the charge says.
    Hole(Subject),
}

/// How a shared cost is split.
#[derive(Debug, Clone)]
pub struct Split {
    /// By what.
    pub by: By,
    /// Who pays; `None` = every owner with direct cost (for a metric: every owner that it names).
    pub to: Option<Vec<Arc<str>>>,
    /// What happens where the weights are all zero or missing.
    pub otherwise: Otherwise,
    /// Further dimensions of the parts.
    pub dimensions: Vec<(Arc<str>, Arc<str>)>,
}

/// By what a cost is split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Equal parts.
    Even,
    /// Fixed shares, one per target, in units of their own.
    Fixed(Vec<u64>),
    /// In proportion to what the targets cost themselves in the same billing period and currency.
    Proportional,
    /// By a measurement of the charge's window.
    Metric(String),
}

/// What becomes of a cost that cannot be split as the rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// It is unallocated, under the rule's name.
    Unallocated,
    /// It is split into equal parts.
    Even,
}

/// A second step: what rules made idle, or gave to an owner that is overhead, is shared among others.
#[derive(Debug, Clone)]
pub struct Share {
    /// What is shared.
    pub of: ShareOf,
    /// How, and among whom. Owners that are shared themselves never pay.
    pub split: Split,
}

/// What a [`Share`] takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareOf {
    /// All idle cost.
    Idle,
    /// The cost of one owner.
    Owner(Arc<str>),
}

/// A measurement that splits weigh by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// How it is asked for, at every hour of a billing period.
    pub query: MetricQuery,
    /// The label or column that names the owner.
    pub owner: String,
    /// The label or column that names the resource, if each resource's cost is split by its own measurement.
    pub resource: Option<String>,
    /// Labels or columns that become dimensions.
    pub dimensions: Vec<String>,
}

/// How a metric is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricQuery {
    /// PromQL, evaluated at the end of each hour.
    Promql(String),
    /// SQL with columns `time` and `value` beside those that name owner and resource.
    Sql(String),
    /// Requests and usage of the pods of Kubernetes nodes, see [`crate::cluster`].
    Kubernetes,
}

impl Rules {
    /// Reads `allocation.toml`; answers all mistakes at once, in order of their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<RuleMistake>> {
        read::read(text)
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether weights of shared cost depend on what owners cost themselves, so that charges are read twice.
    pub fn needs_direct(&self) -> bool {
        let depends = |split: &Split| match &split.by {
            By::Proportional => true,
            By::Even => split.to.is_none(),
            By::Fixed(_) => false,
            By::Metric(_) => split.otherwise == Otherwise::Even,
        };
        self.rules.iter().any(|r| matches!(&r.action, Action::Split(s) if depends(s)))
            || self.shares.iter().any(|s| depends(&s.split))
    }

    /// The metrics that some rule or share uses.
    pub fn used_metrics(&self) -> impl Iterator<Item = (&str, &Metric)> {
        let used = |name: &str| {
            let by = |split: &Split| matches!(&split.by, By::Metric(m) if m == name);
            self.rules.iter().any(|r| matches!(&r.action, Action::Split(s) if by(s)))
                || self.shares.iter().any(|s| by(&s.split))
        };
        self.metrics.iter().filter(move |(name, _)| used(name)).map(|(name, metric)| (name.as_str(), metric))
    }

    /// Changes if, and only if, what the rules say of the windows in `start..end` may have changed: rules that are not valid then do not
    /// count. So a rule that begins in May recomputes no April.
    pub fn fingerprint(&self, start: Timestamp, end: Timestamp) -> u64 {
        let valid = |r: &&Rule| r.from.is_none_or(|f| f < end) && r.until.is_none_or(|u| u > start);
        let rules: Vec<&Rule> = self.rules.iter().filter(valid).collect();
        let said = format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{rules:?}\n{:?}\n{:?}",
            self.window, self.fields, self.dimensions, self.owners, self.shares, self.metrics
        );
        xxh3_64(said.as_bytes())
    }
}
