//! What every cloud can do, for one resource at a time. An implementation holds the keys of one account; the runner decides when it is asked.

use std::fmt;

use async_trait::async_trait;
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};

/// A name of one attempt to do one step, the same however often it is repeated: hash of plan, step and resource. It travels with the call as the
/// cloud's idempotency token, and is put on the resource as a tag, because some clouds, and most emulators, ignore tokens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(String);

/// The key of the tag that a resource carries the last token under.
pub const TOKEN_TAG: &str = "grid:token";

impl Token {
    /// The token of a step of a plan.
    pub fn of(plan: grid_plan::PlanId, address: &Address, action: Action) -> Self {
        let text = format!("{plan}/{address}/{action}");
        let halves = [0_u64, 1].map(|seed| xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), seed));
        Self(format!("grid-{:016x}{:016x}", halves[0], halves[1]))
    }

    /// One that was written down.
    pub fn of_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text: `grid-` and 32 hexadecimal digits.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a cloud is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// The resource.
    pub address: &'a Address,
    /// Create or update; a replacement is a deletion and a creation.
    pub action: Action,
    /// What is there, if something is.
    pub before: Option<&'a Observed>,
    /// All fields as they are to be.
    pub fields: &'a Fields,
    /// Its name.
    pub token: &'a Token,
}

/// A field that somebody else sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// The field, in the names of Grid's type where it has one there.
    pub field: String,
    /// Who sets it, by the name that the cloud knows them under.
    pub by: String,
}

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is set by {:?}", self.field, self.by)
    }
}

/// Why a cloud did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// It is busy, or asks to come again; nothing was done.
    #[error("the cloud asks to come again{}: {why}", after_ns.map(|ns| format!(" in {} s", ns / 1_000_000_000)).unwrap_or_default())]
    Again {
        /// When, in nanoseconds from now, if it says.
        after_ns: Option<i64>,
        /// What it said.
        why: String,
    },
    /// Nobody knows whether it was done: the answer was lost.
    #[error("the answer was lost: {0}")]
    Lost(String),
    /// It will not do it, however often it is asked.
    #[error("the cloud refuses: {0}")]
    Refused(String),
    /// Others set these fields, and nobody said that they are to be taken over. Nothing was done.
    #[error("{}: {advice}", owned.iter().map(Owned::to_string).collect::<Vec<_>>().join(", "))]
    Owned {
        /// The fields.
        owned: Vec<Owned>,
        /// What can be done about it.
        advice: String,
    },
    /// The driver cannot do this for this kind.
    #[error("{driver} cannot {action} {kind}")]
    Unsupported {
        /// Which driver.
        driver: &'static str,
        /// What.
        action: &'static str,
        /// Of what kind.
        kind: String,
    },
}

/// A cloud.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Its name in records.
    fn name(&self) -> &'static str;

    /// Whether it can make something of a kind. Who cannot is not asked to replace it either: the first half of that is its end.
    fn creates(&self, _kind: &str) -> bool {
        true
    }

    /// What is there under an id of the cloud; `None` if nothing is.
    async fn read(&self, address: &Address, id: &str) -> Result<Option<Observed>, CloudError>;

    /// What is there that carries a token as its tag, wherever it is: how an action whose outcome is not known is found again. What has been
    /// deleted by the token is not there, so nothing is found.
    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError>;

    /// What the cloud itself says that a step would do, in words: its dry run. Changes nothing.
    async fn diff(&self, step: &Step) -> Result<String, CloudError>;

    /// Creates or updates.
    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError>;

    /// Deletes what is there under an id. What is gone already is deleted.
    async fn destroy(&self, address: &Address, id: &str, token: &Token) -> Result<(), CloudError>;

    /// What is there under an id that Grid does not know yet, to be taken over.
    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError>;
}

/// Where time comes from, and how it is waited.
#[async_trait]
pub trait Time: Send + Sync {
    /// Now.
    fn now(&self) -> grid_model::Timestamp;

    /// Comes back after so many nanoseconds.
    async fn wait(&self, ns: i64);
}
