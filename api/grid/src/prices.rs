//! Imports lists of prices: joins the decoder, which knows formats, with the store, which keeps books. Behind the API's upload and
//! `grid import prices`.
//!
//! A list is a book. Files of one command that have the same book are one edition of it; storing an edition replaces the book as
//! a whole.

use std::collections::BTreeMap;

use bytes::Bytes;
use grid_api::{ImporterError, PriceImporter, PriceImporting, PriceOutcome, PriceUpload};
use grid_decode::price::{self, PriceError, PriceFormat, PriceOptions};
use grid_model::table::prices::{self, PriceRow};
use grid_model::time::DAY_NS;
use grid_model::{Table, TenantId, Timestamp};
use grid_store::{Store, StoreError};
use tokio::sync::mpsc;

use crate::clock;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// Batches between reader and writer.
const QUEUE: usize = 4;
/// The book of the snapshot in the binary, which no import replaces.
const BUNDLED: &str = "bundled";

/// One list.
#[derive(Debug, Clone)]
pub(crate) struct PriceList {
    /// The file's name.
    pub(crate) name: String,
    /// The file.
    pub(crate) bytes: Bytes,
}

/// What to import.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Whose books.
    pub(crate) tenant: TenantId,
    /// The lists.
    pub(crate) lists: Vec<PriceList>,
    /// The format, if the content should not decide.
    pub(crate) format: Option<PriceFormat>,
    /// The book of all lists, if their names should not decide.
    pub(crate) book: Option<String>,
    /// When they were published, if neither lists nor names say.
    pub(crate) as_of: Option<Timestamp>,
    /// Read only.
    pub(crate) check: bool,
}

/// Why no book was stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PricesError {
    /// A file is no list.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: PriceError,
    },
    /// The book's name is taken.
    #[error("the book {BUNDLED:?} comes with Grid and is not replaced: give another name with --book")]
    Bundled,
    /// Nothing in it is a price.
    #[error("{file} holds no price ({rejected} entries rejected, the first: {first})")]
    Empty {
        /// The file.
        file: String,
        /// Entries that are none.
        rejected: u64,
        /// Why the first is none.
        first: String,
    },
    /// The store failed.
    #[error("store the book")]
    Store(#[from] StoreError),
    /// The reader died.
    #[error("the reader ended unexpectedly: {0}")]
    Died(String),
}

/// Imports into a store.
#[derive(Clone)]
pub(crate) struct PriceBooks {
    store: Store,
}

impl PriceBooks {
    /// An importer into a store.
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Imports all lists, book by book; one outcome per book.
    pub(crate) async fn take(&self, request: Request) -> Result<Vec<PriceOutcome>, PricesError> {
        let mut books: BTreeMap<String, Vec<PriceList>> = BTreeMap::new();
        for list in request.lists.iter().cloned() {
            let book = request.book.clone().unwrap_or_else(|| price::name_and_date(&list.name).0);
            if book == BUNDLED {
                return Err(PricesError::Bundled);
            }
            books.entry(book).or_default().push(list);
        }
        let mut outcomes = Vec::new();
        for (book, lists) in books {
            outcomes.push(self.take_book(&request, book, lists).await?);
        }
        Ok(outcomes)
    }

    async fn take_book(
        &self,
        request: &Request,
        book: String,
        lists: Vec<PriceList>,
    ) -> Result<PriceOutcome, PricesError> {
        let mut session = self.store.begin_part(&request.tenant, Table::Prices, &book);
        let mut outcome: Option<PriceOutcome> = None;
        for list in lists {
            let format = request.format.or_else(|| PriceFormat::detect(&list.bytes));
            let options = PriceOptions {
                format,
                file: list.name.clone(),
                book: Some(book.clone()),
                as_of: request.as_of.or_else(|| own_word(format, &list.name)),
            };
            let (batches, mut received) = mpsc::channel(QUEUE);
            let bytes = list.bytes.clone();
            let reader = tokio::task::spawn_blocking(move || {
                let mut pending: Vec<PriceRow> = Vec::new();
                // A writer that has failed closes the queue; what is still read then is for nobody.
                let mut sink = |row: PriceRow| {
                    pending.push(row);
                    if pending.len() == BATCH_ROWS {
                        let _ = batches.blocking_send(prices::batch(&std::mem::take(&mut pending)));
                    }
                };
                let decoded = price::decode(&bytes, &options, &mut sink);
                if decoded.is_ok() && !pending.is_empty() {
                    let _ = batches.blocking_send(prices::batch(&pending));
                }
                decoded
            });
            while let Some(batch) = received.recv().await {
                if !request.check {
                    session.write(batch).await?;
                }
            }
            let decoded = reader.await.map_err(|e| PricesError::Died(e.to_string()))?;
            let decoded = decoded.map_err(|reason| PricesError::Unreadable { file: list.name.clone(), reason })?;
            if decoded.rows == 0 {
                let first = decoded.rejects.first().map_or_else(String::new, |r| format!("{}: {}", r.at, r.reason));
                return Err(PricesError::Empty { file: list.name, rejected: decoded.rejected, first });
            }
            add(&mut outcome, decoded, !request.check);
        }
        if !request.check {
            session.commit().await?;
        }
        outcome.ok_or_else(|| PricesError::Died("a book without lists".to_owned()))
    }
}

/// A list of one's own is what its author says today, unless its name says otherwise.
fn own_word(format: Option<PriceFormat>, name: &str) -> Option<Timestamp> {
    let dated = price::name_and_date(name).1;
    (format == Some(PriceFormat::Own) && dated.is_none()).then(|| Timestamp(clock::now().0 / DAY_NS * DAY_NS))
}

fn add(outcome: &mut Option<PriceOutcome>, decoded: price::Decoded, stored: bool) {
    let rejects = decoded.rejects.into_iter().map(|r| (r.at, r.reason));
    match outcome {
        None => {
            *outcome = Some(PriceOutcome {
                book: decoded.book,
                version: decoded.version,
                format: decoded.format.name().to_owned(),
                as_of: decoded.as_of,
                rows: decoded.rows,
                rejected: decoded.rejected,
                rejects: rejects.collect(),
                notes: decoded.notes.into_iter().collect(),
                stored,
            });
        }
        Some(whole) => {
            whole.rows += decoded.rows;
            whole.rejected += decoded.rejected;
            whole.rejects.extend(rejects);
            whole.rejects.truncate(price::REJECTS_LISTED_MAX);
            // The oldest of its lists tells how old a book is.
            whole.as_of = whole.as_of.min(decoded.as_of);
            for (what, n) in decoded.notes {
                match whole.notes.iter_mut().find(|(known, _)| *known == what) {
                    Some((_, count)) => *count += n,
                    None => whole.notes.push((what, n)),
                }
            }
        }
    }
}

impl PriceImporter for PriceBooks {
    fn import_prices(&self, upload: PriceUpload) -> PriceImporting<'_> {
        Box::pin(async move {
            let format = match upload.format.as_deref() {
                None => None,
                Some(word) => Some(format(word).map_err(ImporterError::Unreadable)?),
            };
            let request = Request {
                tenant: upload.tenant,
                lists: vec![PriceList { name: upload.name, bytes: upload.bytes }],
                format,
                book: upload.book,
                as_of: upload.as_of,
                check: upload.check,
            };
            let mut done = self.take(request).await.map_err(|e| match e {
                PricesError::Unreadable { .. } | PricesError::Empty { .. } => ImporterError::Unreadable(e.to_string()),
                PricesError::Bundled => ImporterError::Refused(e.to_string()),
                PricesError::Store(_) | PricesError::Died(_) => ImporterError::Failed(e.to_string()),
            })?;
            done.pop().ok_or_else(|| ImporterError::Failed("no book came of the upload".to_owned()))
        })
    }
}

/// A format by its name.
pub(crate) fn format(word: &str) -> Result<PriceFormat, String> {
    let names = PriceFormat::ALL.map(PriceFormat::name).join(", ");
    PriceFormat::parse(word).ok_or_else(|| format!("there is no format {word:?} of prices; formats are auto, {names}"))
}
