//! Imports bills: joins the decoder, which knows formats, with the store, which knows what is there. Behind the API's upload
//! and `grid import bill`.
//!
//! All files of one call are one import, visible as a whole or not at all. What becomes of each file (import, skip, replace)
//! is decided by [`grid_decode::bill::plan`]; here are only hands.

mod conformance;
mod source;
mod folder;
mod mapping;

use std::collections::BTreeSet;
use std::sync::Arc;

use grid_api::{BillImporter, BillUpload, ImportOutcome, ImporterError, Importing};
use grid_decode::bill::plan::{self, FileId, Known, Skip};
use grid_decode::bill::{BillError, BillFormat, BillOptions, BillSummary, TotalOverflow};
use grid_model::{TenantId, Timestamp};
use grid_store::catalog::{
    ImportConformance, ImportFile, ImportNote, ImportPeriod, ImportRecord, ImportReject, ImportTotal,
};
use grid_store::{Store, StoreError};
use tokio::sync::mpsc;

use self::conformance::Conformance;
pub(crate) use folder::{Place, ReadManifests};
pub(crate) use mapping::MappingFile;
pub(crate) use source::{Source, from_manifest};

use crate::clock;

/// The export's name if nobody gives one.
pub(crate) const DATASET_DEFAULT: &str = "default";
/// Batches between reader and writer.
const QUEUE: usize = 4;

/// What to import.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Whose bill.
    pub(crate) tenant: TenantId,
    /// The files.
    pub(crate) files: Vec<Source>,
    /// The export's name.
    pub(crate) dataset: Option<String>,
    /// The format, if the header should not decide.
    pub(crate) format: Option<BillFormat>,
    /// What the columns mean, if a mapping file says it.
    pub(crate) mapping: Option<Arc<MappingFile>>,
    /// Version of the manifest that lists the files, and when it was made.
    pub(crate) manifest_version: Option<String>,
    /// When that version was made.
    pub(crate) manifest_made: Option<Timestamp>,
    /// Accounts and periods that the manifest speaks of, so that a version without rows empties them.
    pub(crate) also_replaced: BTreeSet<(String, Timestamp)>,
    /// Replace what is there.
    pub(crate) restate: bool,
    /// Read and reconcile only.
    pub(crate) check: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Rows are stored.
    Stored,
    /// All of it was there already.
    Unchanged,
    /// Read and reconciled as asked, nothing stored.
    Checked,
    /// No row could be taken.
    Nothing,
}

impl State {
    /// The word in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Unchanged => "unchanged",
            Self::Checked => "checked",
            Self::Nothing => "nothing stored",
        }
    }
}

/// What an import did.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// What became of it.
    pub(crate) state: State,
    /// The import: as stored, as it would be, or as it was found.
    pub(crate) record: ImportRecord,
    /// What the header says, `FOCUS 1.2`.
    pub(crate) described: String,
    /// Files left out, with the reason.
    pub(crate) skipped: Vec<(String, Skip)>,
    /// The first rejected rows.
    pub(crate) rejects: Vec<ImportReject>,
    /// What the rules of FOCUS said, of a FOCUS bill that was read.
    pub(crate) conformance: Option<ImportConformance>,
    /// Earlier rows that are hidden now: import, account, start of the billing period.
    pub(crate) replaced: Vec<(String, String, Timestamp)>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BillsError {
    /// A file is no bill.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: BillError,
    },
    /// A file cannot be opened.
    #[error("open {file}")]
    Open {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The mapping does not fit a file.
    #[error("{file}: the mapping does not fit\n{shown}")]
    Mapping {
        /// The file.
        file: String,
        /// The mistake with its place.
        shown: String,
    },
    /// Actual and amortised exports together, and one that may be either.
    #[error(
        "{0} holds no commitment that would tell whether its costs are actual or amortised, and the import has both kinds: name it so \
         (actual, amortized), or import it apart"
    )]
    Undecided(String),
    /// Two formats in one import.
    #[error("{first} is {first_format} and {second} is {second_format}: import them one by one")]
    Mixed {
        /// The first file.
        first: String,
        /// Its format.
        first_format: BillFormat,
        /// Another file.
        second: String,
        /// Its format.
        second_format: BillFormat,
    },
    /// No file.
    #[error("no file is given")]
    NoFiles,
    /// The sums do not match: a defect of ours, so nothing is stored.
    #[error("the totals of currency {0:?} do not reconcile; nothing was stored")]
    Unreconciled(String),
    /// A total left 38 digits.
    #[error(transparent)]
    Overflow(#[from] TotalOverflow),
    /// The store failed.
    #[error("store the bill")]
    Store(#[from] StoreError),
    /// The store refused the import.
    #[error("store the bill")]
    Import(#[from] grid_store::import::ImportError),
    /// The reading thread died.
    #[error("the reader died: {0}")]
    Died(String),
}

/// Imports bills into one store.
#[derive(Clone)]
pub(crate) struct Bills {
    store: Store,
}

impl Bills {
    /// An importer into a store.
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Imports, or reads only. `progress` is told of bytes and rows as they are read.
    pub(crate) async fn take(
        &self,
        request: Request,
        progress: impl Fn(Step) + Send + Sync + 'static,
    ) -> Result<Outcome, BillsError> {
        let request = Arc::new(request);
        let done = self.take_shared(&request, Arc::new(progress)).await;
        done.map_err(|e| match (e, &request.mapping) {
            (BillsError::Unreadable { file, reason: BillError::Mapping(mistake) }, Some(mapping)) => {
                BillsError::Mapping { file, shown: mapping.show(&mistake) }
            }
            (other, _) => other,
        })
    }

    /// An earlier import of the same version of a manifest, by which its files need not even be fetched.
    pub(crate) async fn known_version(
        &self,
        tenant: &TenantId,
        dataset: &str,
        version: &str,
    ) -> Result<Option<ImportRecord>, BillsError> {
        let all = self.store.catalog().imports(tenant).await?;
        Ok(all.into_iter().rfind(|r| r.dataset == dataset && r.manifest_version.as_deref() == Some(version)))
    }

    async fn take_shared(
        &self,
        request: &Arc<Request>,
        progress: Arc<dyn Fn(Step) + Send + Sync>,
    ) -> Result<Outcome, BillsError> {
        let heads = {
            let request = Arc::clone(request);
            blocking(move || heads(&request)).await?
        };
        let first = heads.first().ok_or(BillsError::NoFiles)?;
        let source = first.called.clone();
        let source = source.as_str();
        let described = first.described.clone();
        let dataset = request.dataset.clone().unwrap_or_else(|| DATASET_DEFAULT.to_owned());

        // Held from the decision to the commit, so that no other import slips in between.
        let mut session = self.store.begin_import(&request.tenant).await;
        let earlier = session.known(source, &dataset).await?;
        let known = earlier.iter().map(known).collect::<Vec<_>>();
        let plan = plan::decide(
            &plan::Request {
                files: heads.iter().map(|h| h.id.clone()).collect(),
                version: request.manifest_version.clone(),
                made: request.manifest_made,
                restate: request.restate,
            },
            &known,
        );
        let skipped: Vec<(String, Skip)> = plan.skip.into_iter().map(|(file, why)| (file.name, why)).collect();
        if plan.take.is_empty() {
            let found = skipped.iter().find_map(|(_, why)| match why {
                Skip::Known { import_id } | Skip::Replaced { import_id, .. } | Skip::Older { import_id } => {
                    earlier.iter().find(|r| r.id == *import_id)
                }
                Skip::Twice { .. } => None,
            });
            let record = found.cloned().ok_or(BillsError::NoFiles)?;
            return Ok(Outcome {
                state: State::Unchanged,
                record,
                described,
                skipped,
                rejects: Vec::new(),
                conformance: None,
                replaced: Vec::new(),
            });
        }
        let id = plan::import_id(request.tenant.as_str(), source, &dataset, &plan.take, plan.revision);
        session.start(&id);

        let taken: BTreeSet<&str> = plan.take.iter().map(|f| f.sha256.as_str()).collect();
        let files: Vec<(Source, String, bool)> = heads
            .iter()
            .enumerate()
            .filter(|(i, h)| {
                // Of two files with the same content only the first was taken.
                taken.contains(h.id.sha256.as_str()) && !heads[..*i].iter().any(|o| o.id.sha256 == h.id.sha256)
            })
            .map(|(_, h)| (h.source.clone(), h.id.name.clone(), h.beside_amortized))
            .collect();
        let (batches, mut queue) = mpsc::channel(QUEUE);
        let base = BillOptions { import_id: id.clone(), ..options(request) };
        let reader = tokio::task::spawn_blocking(move || {
            let (mut summary, mut rules) = (BillSummary::default(), Conformance::default());
            for (source, name, beside_amortized) in files {
                let unreadable = |reason| BillsError::Unreadable { file: name.clone(), reason };
                let options = BillOptions { file: name.clone(), beside_amortized, ..base.clone() };
                let mut bill = source.open(options, &progress)?;
                let mut rows = 0;
                rules.begin(&name, &bill.describe());
                while let Some(batch) = bill.next_batch_seen(Some(&mut rules)).map_err(unreadable)? {
                    progress(Step::Rows(bill.rows() - rows));
                    rows = bill.rows();
                    if batches.blocking_send(batch).is_err() {
                        // The writer failed and says why.
                        return Ok((summary, None));
                    }
                }
                summary.merge(bill.finish())?;
            }
            Ok((summary, rules.finish()))
        });
        let mut failure = None;
        while let Some(batch) = queue.recv().await {
            if request.check {
                continue;
            }
            if let Err(e) = session.write(batch).await {
                failure = Some(BillsError::Store(e));
                break;
            }
        }
        drop(queue);
        let read: Result<(BillSummary, Option<ImportConformance>), BillsError> =
            reader.await.unwrap_or_else(|e| Err(BillsError::Died(e.to_string())));
        let (summary, conformance) = match (failure, read) {
            (None, Ok(read)) => read,
            (Some(e), _) | (None, Err(e)) => {
                session.abort().await;
                return Err(e);
            }
        };
        if let Some(currency) = summary.unreconciled() {
            let currency = currency.0.clone();
            session.abort().await;
            return Err(BillsError::Unreconciled(currency));
        }
        let record = record(&id, source, &dataset, &summary, request, &plan.take, plan.replaces);
        let rejects: Vec<ImportReject> = summary.rejects.iter().map(reject).collect();
        let mut outcome = Outcome {
            state: State::Stored,
            record: record.clone(),
            described,
            skipped,
            rejects,
            conformance: conformance.clone(),
            replaced: Vec::new(),
        };
        let empties = plan.replaces && !request.also_replaced.is_empty();
        if request.check || (summary.stored == 0 && !empties) {
            session.abort().await;
            outcome.state = if request.check { State::Checked } else { State::Nothing };
            return Ok(outcome);
        }
        let also = if plan.replaces { request.also_replaced.clone() } else { BTreeSet::new() };
        if let Some(conformance) = conformance {
            session.conformance(conformance);
        }
        let report = session.commit(record, &also, &outcome.rejects).await?;
        outcome.replaced = report.replaced;
        if report.existed {
            outcome.state = State::Unchanged;
        }
        Ok(outcome)
    }
}

impl BillImporter for Bills {
    fn import(&self, upload: BillUpload) -> Importing<'_> {
        Box::pin(async move {
            let format = match upload.format.as_deref() {
                None | Some("auto") => None,
                Some(word) => Some(BillFormat::parse(word).ok_or_else(|| {
                    let names: Vec<&str> = BillFormat::ALL.iter().map(|f| f.name()).collect();
                    ImporterError::Unreadable(format!("there is no format {word:?}; formats are {}", names.join(", ")))
                })?),
            };
            let mapping = match upload.mapping {
                Some(text) => Some(Arc::new(MappingFile::read("mapping", text).map_err(ImporterError::Unreadable)?)),
                None => None,
            };
            let files = upload.files.into_iter().map(|f| Source::File { path: f.path, name: f.name }).collect();
            let request = Request {
                tenant: upload.tenant,
                files,
                dataset: upload.dataset,
                format,
                mapping,
                manifest_version: upload.manifest_version,
                manifest_made: None,
                also_replaced: BTreeSet::new(),
                restate: upload.restate,
                check: upload.check,
            };
            let outcome = self.take(request, |_| ()).await.map_err(|e| match e {
                BillsError::Unreadable { .. }
                | BillsError::Mapping { .. }
                | BillsError::Undecided(_)
                | BillsError::Mixed { .. }
                | BillsError::NoFiles
                | BillsError::Overflow(_) => ImporterError::Unreadable(e.to_string()),
                other => ImporterError::Failed(format!("{:#}", anyhow::Error::from(other))),
            })?;
            if outcome.state == State::Nothing {
                let first =
                    outcome.rejects.first().map(|r| format!(": row {}: {}", r.row, r.reason)).unwrap_or_default();
                return Err(ImporterError::Unreadable(format!("no row of the bill could be taken{first}")));
            }
            Ok(ImportOutcome {
                existed: outcome.state == State::Unchanged,
                skipped_files: outcome.skipped.into_iter().map(|(file, _)| file).collect(),
                rejects: outcome.rejects,
                conformance: outcome.conformance,
                record: outcome.record,
            })
        })
    }
}

/// What an import tells of while it reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// So many more bytes of the files.
    Bytes(u64),
    /// So many more rows.
    Rows(u64),
}

/// What is known of a file before its rows are read.
struct Head {
    source: Source,
    id: FileId,
    format: BillFormat,
    /// What the source is called in the column of that name.
    called: String,
    described: String,
    /// Whether it is an actual export whose amortised one is there too.
    beside_amortized: bool,
}

fn options(request: &Request) -> BillOptions {
    let mapping = request.mapping.as_ref().map(|m| Arc::clone(&m.declared));
    BillOptions { format: request.format, mapping, ..BillOptions::default() }
}

fn heads(request: &Request) -> Result<Vec<Head>, BillsError> {
    let silent: Arc<dyn Fn(Step) + Send + Sync> = Arc::new(|_| ());
    let mut heads: Vec<Head> = Vec::new();
    for source in &request.files {
        let id = FileId { sha256: source.sha256()?, name: source.name().to_owned() };
        let options = BillOptions { file: id.name.clone(), ..options(request) };
        let bill = source.open(options, &silent)?;
        let head = Head {
            source: source.clone(),
            id,
            format: bill.format(),
            called: bill.source().to_owned(),
            described: bill.describe(),
            beside_amortized: false,
        };
        if let Some(first) = heads.first().filter(|f| f.format != head.format) {
            return Err(BillsError::Mixed {
                first: first.id.name.clone(),
                first_format: first.format,
                second: head.id.name,
                second_format: head.format,
            });
        }
        heads.push(head);
    }
    if heads.len() > 1 && heads.iter().all(|h| h.format == BillFormat::Azure) {
        tell_amortized(request, &mut heads, &silent)?;
    }
    Ok(heads)
}

/// Finds the actual exports that have their amortised ones beside them: of those only purchases of commitments count, since
/// everything else is in both.
fn tell_amortized(
    request: &Request,
    heads: &mut [Head],
    silent: &Arc<dyn Fn(Step) + Send + Sync>,
) -> Result<(), BillsError> {
    let mut kinds = Vec::new();
    for head in heads.iter() {
        let name = head.id.name.to_ascii_lowercase();
        let unreadable = |reason| BillsError::Unreadable { file: head.id.name.clone(), reason };
        let bill = head.source.open(BillOptions { file: head.id.name.clone(), ..options(request) }, silent)?;
        let kind = bill.into_amortized().map_err(unreadable)?;
        let by_name = [("amorti", true), ("actual", false)].into_iter().find(|(word, _)| name.contains(word));
        kinds.push(kind.or(by_name.map(|(_, amortized)| amortized)));
    }
    let any = |wanted: bool| kinds.contains(&Some(wanted));
    if !any(true) || !any(false) {
        return Ok(());
    }
    for (head, kind) in heads.iter_mut().zip(kinds) {
        let Some(amortized) = kind else { return Err(BillsError::Undecided(head.id.name.clone())) };
        head.beside_amortized = !amortized;
    }
    Ok(())
}

fn known(record: &ImportRecord) -> Known {
    Known {
        import_id: record.id.clone(),
        files: record.files.iter().map(|f| FileId { sha256: f.sha256.clone(), name: f.name.clone() }).collect(),
        version: record.manifest_version.clone(),
        made: record.manifest_made,
        periods: record.periods.iter().map(|p| ((p.account.clone(), p.start), p.superseded_by.clone())).collect(),
    }
}

fn record(
    id: &str,
    source: &str,
    dataset: &str,
    summary: &BillSummary,
    request: &Request,
    take: &[FileId],
    replaces: bool,
) -> ImportRecord {
    let total = |(currency, t): (&grid_model::Currency, &grid_decode::bill::CurrencyTotal)| ImportTotal {
        currency: currency.0.clone(),
        source: t.source.to_string(),
        stored: t.stored.to_string(),
        residual: t.residual.to_string(),
        rejected: t.rejected.to_string(),
        rows_stored: t.rows_stored,
        rows_rejected: t.rows_rejected,
        rows_unreadable: t.rows_unreadable,
        left_out: t.left_out.to_string(),
        rows_left_out: t.rows_left_out,
        rounding: t
            .rounding
            .iter()
            .filter(|(_, took)| !took.is_zero())
            .map(|(column, took)| ((*column).to_owned(), took.to_string()))
            .collect(),
    };
    let note = |(what, n): (&String, &grid_decode::bill::Note)| ImportNote {
        what: what.clone(),
        count: n.count,
        file: n.file.clone(),
        first_row: n.first_row,
    };
    ImportRecord {
        id: id.to_owned(),
        source: source.to_owned(),
        dataset: dataset.to_owned(),
        started: clock::now(),
        replaces,
        manifest_version: request.manifest_version.clone(),
        manifest_made: request.manifest_made,
        rows_source: summary.rows,
        rows: summary.stored,
        rejected: summary.rejected,
        totals: summary.totals.iter().map(total).collect(),
        notes: summary.notes.iter().map(note).collect(),
        files: take.iter().map(|f| ImportFile { name: f.name.clone(), sha256: f.sha256.clone() }).collect(),
        periods: summary
            .periods
            .iter()
            .map(|(account, start)| ImportPeriod { account: account.clone(), start: *start, superseded_by: None })
            .collect(),
    }
}

fn reject(row: &grid_decode::bill::RejectedRow) -> ImportReject {
    ImportReject {
        file: row.file.clone(),
        row: row.row,
        line: row.line,
        reason: row.reason.clone(),
        cost: row.cost.clone(),
        currency: Some(row.currency.clone()).filter(|c| !c.is_empty()),
        raw: row.raw.clone(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BillsError> + Send + 'static,
) -> Result<T, BillsError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(BillsError::Died(e.to_string())))
}
