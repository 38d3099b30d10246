//! The tokens: kept in the catalog, read through a copy in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use grid_model::Timestamp;
use grid_model::time::MINUTE_NS;
use grid_store::Store;
use grid_store::catalog::TokenRow;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::auth::{AuthError, Issued, NewToken, Secret, TOKEN_NAME_BYTES_MAX, TokenHash, TokenInfo, mint, same};
use crate::caller::Scopes;
use crate::tenant::Tenants;

/// How many tokens may exist.
pub const TOKENS_MAX: usize = 10_000;
/// How long the copy in memory is believed. Changes through this process are seen at once; this is for others that share
/// the catalog.
const COPY_AGE_MAX: Duration = Duration::from_secs(10);
/// How exact `last_used` is: a write per request would be the bottleneck of every request.
const LAST_USED_STEP_NS: i64 = MINUTE_NS;
/// "Never used".
const NEVER: i64 = i64::MIN;

/// Why tokens cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The catalog does not answer.
    #[error("{0}")]
    Catalog(String),
    /// The catalog holds a token that cannot be read.
    #[error("token {id} in the catalog is damaged")]
    Damaged {
        /// Its id.
        id: String,
    },
    /// There are [`TOKENS_MAX`] tokens.
    #[error("there are {TOKENS_MAX} tokens already, revoke some")]
    Full,
    /// A token needs a name of 1 to [`TOKEN_NAME_BYTES_MAX`] bytes without control characters.
    #[error("a token needs a name of 1 to {TOKEN_NAME_BYTES_MAX} bytes without control characters")]
    NameInvalid,
    /// A token that may do nothing.
    #[error("a token needs at least one scope")]
    NoScope,
    /// A token that never works.
    #[error("the time of expiry is in the past")]
    ExpiresInPast,
}

/// Where tokens rest.
pub(crate) enum Shelf {
    /// In the store's catalog.
    Catalog(Store),
    /// In memory, for tests of rooms that need a guard but no store.
    Memory(Mutex<Vec<TokenRow>>),
}

#[derive(Debug)]
struct Entry {
    info: TokenInfo,
    hash: TokenHash,
    last_used: AtomicI64,
}

type Copy = Arc<HashMap<String, Arc<Entry>>>;

/// The tokens.
pub(crate) struct Book {
    shelf: Shelf,
    copy: RwLock<Option<(Instant, Copy)>>,
}

impl Book {
    pub(crate) fn new(shelf: Shelf) -> Self {
        Self { shelf, copy: RwLock::new(None) }
    }

    /// The token that a text is, if it is one that still counts.
    pub(crate) async fn check(&self, text: &str, now: Timestamp) -> Result<TokenInfo, AuthError> {
        let secret = Secret::parse(text)?;
        let copy = self.copy().await?;
        let entry = copy.get(secret.id()).ok_or(AuthError::TokenUnknown)?;
        if !same(&entry.hash, &secret.hash()) {
            return Err(AuthError::TokenUnknown);
        }
        if let Some(at) = entry.info.expires.filter(|at| *at <= now) {
            return Err(AuthError::TokenExpired { name: entry.info.name.clone(), at });
        }
        self.touch(entry, now).await;
        Ok(entry.info.clone())
    }

    /// Makes a token.
    pub(crate) async fn issue(&self, new: NewToken, random: [u8; 32], now: Timestamp) -> Result<Issued, BookError> {
        if new.name.is_empty() || new.name.len() > TOKEN_NAME_BYTES_MAX || new.name.chars().any(char::is_control) {
            return Err(BookError::NameInvalid);
        }
        if new.scopes.is_empty() {
            return Err(BookError::NoScope);
        }
        if new.expires.is_some_and(|at| at <= now) {
            return Err(BookError::ExpiresInPast);
        }
        if self.copy().await?.len() >= TOKENS_MAX {
            return Err(BookError::Full);
        }
        let text = mint(random);
        let secret = Secret::parse(&text).map_err(|e| BookError::Catalog(e.to_string()))?;
        let row = TokenRow {
            id: secret.id().to_owned(),
            name: new.name,
            hash: hex::encode(secret.hash()),
            tenants: new.tenants.to_string(),
            scopes: new.scopes.to_string(),
            created: now.0,
            expires: new.expires.map(|t| t.0),
            last_used: None,
        };
        let info = entry(&row)?.info;
        match &self.shelf {
            Shelf::Catalog(store) => store.catalog().insert_token(&row).await.map_err(catalog)?,
            Shelf::Memory(rows) => rows.lock().push(row),
        }
        *self.copy.write() = None;
        Ok(Issued { secret: text, info })
    }

    /// All tokens, oldest first.
    pub(crate) async fn list(&self) -> Result<Vec<TokenInfo>, BookError> {
        let copy = self.copy().await?;
        let mut tokens: Vec<TokenInfo> = copy
            .values()
            .map(|e| {
                let last = e.last_used.load(Ordering::Relaxed);
                TokenInfo { last_used: (last != NEVER).then_some(Timestamp(last)), ..e.info.clone() }
            })
            .collect();
        tokens.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(tokens)
    }

    /// Makes a token worthless, at once; whether there was one.
    pub(crate) async fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, BookError> {
        let found = match &self.shelf {
            Shelf::Catalog(store) => store.catalog().revoke_token(id, now.0).await.map_err(catalog)?,
            Shelf::Memory(rows) => {
                let mut rows = rows.lock();
                let before = rows.len();
                rows.retain(|r| r.id != id);
                rows.len() < before
            }
        };
        *self.copy.write() = None;
        Ok(found)
    }

    async fn copy(&self) -> Result<Copy, BookError> {
        if let Some((at, copy)) = &*self.copy.read()
            && at.elapsed() < COPY_AGE_MAX
        {
            return Ok(Arc::clone(copy));
        }
        let rows = match &self.shelf {
            Shelf::Catalog(store) => store.catalog().tokens().await.map_err(catalog)?,
            Shelf::Memory(rows) => rows.lock().clone(),
        };
        let mut fresh = HashMap::with_capacity(rows.len());
        for row in rows {
            fresh.insert(row.id.clone(), Arc::new(entry(&row)?));
        }
        let fresh: Copy = Arc::new(fresh);
        *self.copy.write() = Some((Instant::now(), Arc::clone(&fresh)));
        Ok(fresh)
    }

    async fn touch(&self, entry: &Entry, now: Timestamp) {
        let last = entry.last_used.load(Ordering::Relaxed);
        if last != NEVER && now.0.saturating_sub(last) < LAST_USED_STEP_NS {
            return;
        }
        // Of several requests at once, one writes.
        if entry.last_used.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let touched = match &self.shelf {
            Shelf::Catalog(store) => store.catalog().touch_token(&entry.info.id, now.0).await.map_err(catalog),
            Shelf::Memory(rows) => {
                rows.lock().iter_mut().filter(|r| r.id == entry.info.id).for_each(|r| r.last_used = Some(now.0));
                Ok(())
            }
        };
        if let Err(error) = touched {
            tracing::warn!(token = %entry.info.id, %error, "token's last use not noted");
        }
    }
}

fn catalog(error: grid_store::StoreError) -> BookError {
    BookError::Catalog(error.to_string())
}

fn entry(row: &TokenRow) -> Result<Entry, BookError> {
    let damaged = || BookError::Damaged { id: row.id.clone() };
    let mut hash: TokenHash = [0; 32];
    hex::decode_to_slice(&row.hash, &mut hash).map_err(|_| damaged())?;
    Ok(Entry {
        info: TokenInfo {
            id: row.id.clone(),
            name: row.name.clone(),
            tenants: Tenants::parse(row.tenants.split(',')).map_err(|_| damaged())?,
            scopes: Scopes::parse(&row.scopes).map_err(|_| damaged())?,
            created: Timestamp(row.created),
            last_used: row.last_used.map(Timestamp),
            expires: row.expires.map(Timestamp),
        },
        hash,
        last_used: AtomicI64::new(row.last_used.unwrap_or(NEVER)),
    })
}
