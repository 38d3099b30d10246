//! How notifications fail for their callers.

use grid_notify_policy::{MatcherError, SilenceError};

use crate::webhook::WebhookError;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The database could not be read or written.
    #[error("{what} in the database of notifications")]
    Database {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// The database holds what this version does not understand.
    #[error("the database of notifications: {0}")]
    Corrupt(String),
    /// There is no such silence, webhook or delivery.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A silence that makes no sense.
    #[error("the silence is refused: {0}")]
    Silence(#[from] SilenceError),
    /// A matcher that cannot be read.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// A webhook that makes no sense.
    #[error("the webhook is refused: {0}")]
    Webhook(#[from] WebhookError),
    /// The same `Idempotency-Key` was used for something else.
    #[error("the Idempotency-Key was used before for another {0}")]
    KeyReused(&'static str),
    /// Too many of something.
    #[error("there are as many {what} as there may be: {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// The server is going down.
    #[error("notifications are closed")]
    Closed,
}

impl NotifyError {
    /// For `map_err`.
    pub(crate) fn database(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { what, source }
    }
}
