//! What rests on the disk, as a hostile or broken disk may give it back.

use std::path::Path;
use std::sync::LazyLock;

use arrow::buffer::Buffer;
use grid_model::{Table, TenantId, Timestamp};
use grid_store::catalog::{Catalog, Commit, NewFile, RetentionRule, TokenRow};
use grid_store::wal::record::{Record, encode_payload, header, read};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::runtime::{Builder, Runtime};

/// Reads a segment's body record by record, as a start does.
pub fn check_segment(data: &[u8]) {
    let body = Buffer::from(data);
    let mut at = 0;
    while at < body.len() {
        match read(&body.slice(at)) {
            Ok((record, taken)) => {
                assert!(taken > 0 && taken <= body.len() - at, "a record of {taken} bytes");
                check_record(&record);
                at += taken;
            }
            Err(e) => {
                assert!(!e.to_string().is_empty(), "an error without a reason");
                break;
            }
        }
    }
}

/// Reads a payload whose checksums are right.
pub fn check_payload(data: &[u8]) {
    let mut bytes = header(7, data, crc32c::crc32c(data)).to_vec();
    bytes.extend_from_slice(data);
    check_segment(&bytes);
}

/// What was read can be written and read again, and is the same.
fn check_record(record: &Record) {
    for (table, batch) in &record.batches {
        let own = table.schema();
        let numbers = grid_model::table::samples::number_schema();
        assert!(batch.schema() == own || *table == Table::Samples && batch.schema() == numbers, "{}", table.name());
    }
    let payload = encode_payload(&record.tenant, &record.batches).expect("what was read can be written");
    let mut bytes = header(record.seq, &payload, crc32c::crc32c(&payload)).to_vec();
    bytes.extend_from_slice(&payload);
    let (again, _) = read(&Buffer::from(bytes)).expect("what was written can be read");
    assert_eq!((again.seq, &again.tenant), (record.seq, &record.tenant));
    let rows = |r: &Record| r.batches.iter().map(|(t, b)| (*t, b.num_rows())).collect::<Vec<_>>();
    assert_eq!(rows(&again), rows(record));
}

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime of this thread"));

/// A database as Grid leaves it.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("catalog.db");
    RUNTIME.block_on(fill(&path)).expect("a catalog can be made");
    std::fs::read(&path).expect("the catalog was made")
});

async fn fill(path: &Path) -> Result<(), grid_store::StoreError> {
    let catalog = Catalog::open(path).await?;
    let tenant = TenantId::default_tenant();
    let file = |n: u64| NewFile {
        tenant: tenant.clone(),
        table: Table::ALL[n as usize % Table::ALL.len()],
        path: format!("default/logs/{n}.parquet"),
        bytes: 1000,
        rows: 10,
        min_time: Timestamp(1),
        max_time: Timestamp(2),
        min_seq: n,
        max_seq: n,
        level: 0,
        text_index: (n == 3).then(|| "default/logs/3.idx".to_owned()),
        import_id: (n == 4).then(|| "i".to_owned()),
    };
    let add = (0..8).map(file).collect();
    catalog.commit(Commit { add, flushed_segment: Some(3), ..Commit::default() }).await?;
    catalog.set_retention(&RetentionRule { tenant: tenant.clone(), table: Table::Logs, keep_ns: 1 }).await?;
    let text = |s: &str| s.to_owned();
    let token = TokenRow {
        id: text("a"),
        name: text("b"),
        hash: text("c"),
        tenants: text("*"),
        scopes: text("ingest"),
        created: 1,
        expires: Some(2),
        last_used: None,
    };
    catalog.insert_token(&token).await?;
    catalog.close().await;
    let pool = write_to(path).await?;
    for statement in IMPORT {
        sqlx::query(*statement).execute(&pool).await?;
    }
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await?;
    pool.close().await;
    Ok(())
}

const IMPORT: [&str; 4] = [
    "INSERT INTO imports (id, tenant, dataset, source, state, started, replaces, row_count, reject_count, totals)
     VALUES ('i', 'default', 'd', 'focus', 'done', 1, 1, 1, 1,
     '[{\"currency\":\"USD\",\"source\":\"1\",\"stored\":\"1\",\"residual\":\"0\",\"rejected\":\"0\",\"rows_stored\":1,\"rows_rejected\":0,\"rows_unreadable\":0}]')",
    "INSERT INTO import_files (tenant, import_id, dataset, name, sha256) VALUES ('default', 'i', 'd', 'f', 'ab')",
    "INSERT INTO import_periods (tenant, import_id, dataset, account, period_start, superseded_by)
     VALUES ('default', 'i', 'd', 'acc', 5, 'j')",
    "INSERT INTO import_rejects (tenant, import_id, file, position, reason) VALUES ('default', 'i', 'f', 1, 'bad')",
];

async fn write_to(path: &Path) -> Result<sqlx::SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await
}

/// Columns in which a damaged row may hold anything.
const CELLS: [&str; 21] = [
    "UPDATE files SET tenant = ?",
    "UPDATE files SET table_name = ?",
    "UPDATE files SET path = ? WHERE id = 1",
    "UPDATE files SET bytes = ?",
    "UPDATE files SET row_count = ?",
    "UPDATE files SET min_time = ?",
    "UPDATE files SET max_seq = ?",
    "UPDATE files SET level = ?",
    "UPDATE files SET text_index = ?",
    "UPDATE files SET generation = ?",
    "UPDATE state SET generation = ?",
    "UPDATE state SET flushed_segment = ?",
    "UPDATE retention SET keep_ns = ?",
    "UPDATE retention SET table_name = ?",
    "UPDATE tokens SET tenants = ?",
    "UPDATE tokens SET created = ?",
    "UPDATE imports SET totals = ?",
    "UPDATE imports SET notes = ?",
    "UPDATE imports SET rows_source = ?",
    "UPDATE import_periods SET period_start = ?",
    "UPDATE import_rejects SET position = ?",
];

/// Damages a good catalog as the input says, and reads all of it. The first byte chooses: bytes of the file, or cells of rows.
pub fn check_catalog(data: &[u8]) {
    let Some((kind, edits)) = data.split_first() else { return };
    let folder = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "." }).expect("a folder");
    let path = folder.path().join("catalog.db");
    let mut bytes = GOOD.clone();
    if kind % 2 == 0 {
        damage(&mut bytes, edits);
    }
    std::fs::write(&path, &bytes).expect("the folder can be written");
    RUNTIME.block_on(async {
        if kind % 2 == 1 {
            let pool = write_to(&path).await.expect("a good catalog opens");
            for cell in edits.chunks(24) {
                let Some((column, value)) = cell.split_first() else { continue };
                let statement = sqlx::query(CELLS[usize::from(*column) % CELLS.len()]);
                // What a constraint refuses cannot rest there.
                let _ = match (value.split_first(), std::str::from_utf8(value)) {
                    (Some((0, number)), _) => {
                        let mut n = [0; 8];
                        n.iter_mut().zip(number).for_each(|(to, from)| *to = *from);
                        statement.bind(i64::from_le_bytes(n)).execute(&pool).await
                    }
                    (_, Ok(text)) => statement.bind(text.to_owned()).execute(&pool).await,
                    (_, Err(_)) => statement.bind(value.to_vec()).execute(&pool).await,
                };
            }
            pool.close().await;
        }
        // Any of it may fail; nothing may panic.
        let Ok(catalog) = Catalog::open(&path).await else { return };
        let tenant = TenantId::default_tenant();
        let _ = catalog.check().await;
        let _ = catalog.load().await;
        let _ = catalog.retention().await;
        let _ = catalog.tokens().await;
        for import in catalog.imports(&tenant).await.unwrap_or_default() {
            let _ = (import.is_superseded(), catalog.rejects(&tenant, &import.id).await);
        }
        let _ = catalog.commit(Commit { remove: vec![1], ..Commit::default() }).await;
        catalog.close().await;
    });
}

/// Each three bytes: where (of the file's pages, mostly their heads), and what is put there. A last lone byte cuts the file.
fn damage(bytes: &mut Vec<u8>, edits: &[u8]) {
    let edits = edits.chunks_exact(3);
    if let [cut] = edits.remainder() {
        let keep = bytes.len() * usize::from(*cut) / 256;
        bytes.truncate(keep);
    }
    for edit in edits {
        let at = usize::from(edit[0]) * 4096 / 8 + usize::from(edit[1]);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = edit[2];
        }
    }
}
