//! The database of notifications: `alerts.db` in the data directory (docs/adr/0027-notifications.md says why it is one of its own).
//!
//! All that changes is a list of [`Change`]s, made in one transaction or not at all; `synchronous=FULL`, so that what was committed
//! survives a power cut.

mod read;
mod schema;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::log::{LogEntry, LogKey};
use grid_notify_policy::queue::Queued;
use grid_notify_policy::{Desk, Fingerprint, Held, Silence};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::error::NotifyError;
use crate::webhook::Webhook;

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    pool: SqlitePool,
}

/// One thing to be remembered.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Alert(TenantId, Box<Held>),
    Settle(TenantId, Fingerprint),
    ForgetAlert(TenantId, Fingerprint),
    Log(TenantId, Box<(LogKey, LogEntry)>),
    ForgetLog(TenantId, Box<LogKey>),
    Silence(TenantId, Box<Silence>),
    ForgetSilence(TenantId, String),
    Webhook(TenantId, Box<Webhook>),
    ForgetWebhook(TenantId, String),
    Queue(Box<NewDelivery>),
    /// It waits for another attempt.
    Again {
        id: i64,
        attempts: u32,
        next: Timestamp,
        answer: Answer,
    },
    /// It has arrived.
    Delivered {
        id: i64,
        attempts: u32,
        at: Timestamp,
        answer: Answer,
    },
    /// It is set aside.
    Dead {
        id: i64,
        attempts: u32,
        at: Timestamp,
        answer: Answer,
    },
    /// It waits anew.
    Replay {
        id: i64,
        now: Timestamp,
    },
    /// Up to this time senders could be heard.
    Listened(Timestamp),
    /// What is old of the deliveries goes.
    Trim(Timestamp),
}

/// A message on its way into the queue.
#[derive(Debug, Clone)]
pub(crate) struct NewDelivery {
    pub(crate) id: i64,
    pub(crate) tenant: TenantId,
    pub(crate) target: String,
    pub(crate) group: String,
    /// Stays the same over all attempts, so that receivers can tell repetitions.
    pub(crate) message_id: String,
    pub(crate) message: String,
    pub(crate) created: Timestamp,
}

/// What a receiver said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status of HTTP or SMTP, if there was one.
    pub(crate) status: Option<u16>,
    /// What went wrong.
    pub(crate) error: Option<String>,
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits, or is under way.
    Queued,
    /// The receiver has it.
    Delivered,
    /// It was given up; it can be replayed.
    Dead,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Delivered, Self::Dead];

    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// A delivery for people to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The header `webhook-id`, the same over all attempts.
    pub message_id: String,
    /// To whom.
    pub target: String,
    /// Of which group.
    pub group: String,
    /// The message, Alertmanager's JSON of version 4.
    pub message: String,
    /// When it was queued.
    pub created: Timestamp,
    /// Where it is.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried again, while it waits.
    pub next: Option<Timestamp>,
    /// When it arrived or was given up.
    pub ended: Option<Timestamp>,
    /// The last answer's status.
    pub status: Option<u16>,
    /// The last error.
    pub error: Option<String>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryWanted {
    /// To this target.
    pub target: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Older than this one: newest come first.
    pub before: Option<i64>,
}

/// All that a start needs to know.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) desks: BTreeMap<TenantId, Desk>,
    pub(crate) webhooks: BTreeMap<TenantId, BTreeMap<String, Webhook>>,
    pub(crate) queued: Vec<(TenantId, String, String, Queued)>,
    pub(crate) listened: Timestamp,
    pub(crate) last_id: i64,
}

impl Keep {
    /// Opens or creates the file, which only its owner may read: it holds secrets.
    pub(crate) async fn open(path: &Path) -> Result<Self, NotifyError> {
        private(path).map_err(|e| NotifyError::database("make the file readable by its owner only")(e.into()))?;
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(NotifyError::database("open"))?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        // One connection, as SQLite has one writer; the list of changes makes each hold short.
        let pool = SqlitePoolOptions::new().max_connections(1).min_connections(1).connect_with(options).await;
        let pool = pool.map_err(NotifyError::database("open"))?;
        schema::migrate(&pool).await?;
        Ok(Self { pool })
    }

    /// Writes a consistent copy to a new file.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<(), NotifyError> {
        let text = path.to_string_lossy().into_owned();
        let done = sqlx::query("VACUUM INTO ?").bind(text).execute(&self.pool).await;
        done.map(drop).map_err(NotifyError::database("copy"))
    }

    /// Ends well.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Creates the file with the rights of its owner alone; SQLite gives its own files the same.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}
