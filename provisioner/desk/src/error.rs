//! Why the desk refuses.

use grid_model::Timestamp;
use grid_plan::environment::promote::KeptBack;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The thing that was named.
    #[error("there is no {what} {name:?}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It exists already, or has changed meanwhile, or cannot be done where it is.
    #[error("{0}")]
    Conflict(String),
    /// What was sent makes no sense.
    #[error("{0}")]
    Bad(String),
    /// A spec with mistakes, as a terminal shows them.
    #[error("the spec is wrong: {first}")]
    Spec {
        /// The first mistake.
        first: String,
        /// All of them, with their places.
        shown: String,
    },
    /// A release is at work on the environment.
    #[error("environment {environment} is held by {by} since {since}: wait for it, or cancel it")]
    Held {
        /// Which.
        environment: String,
        /// Who holds it.
        by: String,
        /// Since when.
        since: Timestamp,
    },
    /// There are as many as may be.
    #[error("there are {max} {what} already: remove one first")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// The database of the desk.
    #[error("{what} the desk's database")]
    Database {
        /// What was tried.
        what: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// Something that was kept does not read.
    #[error("what is kept of {0} does not read")]
    Damaged(String),
    /// A driver did not answer.
    #[error("{0}")]
    Driver(String),
    /// It is being closed.
    #[error("the desk is closed")]
    Closed,
}

impl DeskError {
    /// Something that is not there.
    pub fn none(what: &'static str, name: &str) -> Self {
        Self::NotFound { what, name: name.chars().take(100).collect() }
    }

    pub(crate) fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }

    /// An error of the planner, with its causes.
    pub(crate) fn bad(error: &dyn std::error::Error) -> Self {
        Self::Bad(chain(error))
    }
}

/// An error with all its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Why an override does not travel, in words.
pub(crate) fn kept_back(why: KeptBack) -> &'static str {
    match why {
        KeptBack::Stays => "it belongs to its environment",
        KeptBack::NotPeoples => "a recommendation or a scaling policy wrote it, for the load of its own environment",
        KeptBack::Same => "the target has it already",
        KeptBack::Taken => "the target has another value there",
    }
}
