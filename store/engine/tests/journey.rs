//! A row's journey through the store: appended, buffered, flushed, compacted, rewritten, expired, backed up, and always there.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt64Type};
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::table::samples::SamplesBuilder;
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{AttrValue, Labels, SeriesDef, Table, TenantId, TimeRange, Timestamp, Write};
use grid_store::catalog::RetentionRule;
use grid_store::{AppendError, OpenError, Snapshot, Store, StoreOptions, parquet_read};

const NOW: i64 = 1_764_547_200_000_000_000;

struct World {
    dir: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), now: Arc::new(AtomicI64::new(NOW)) }
    }
    fn options(&self) -> StoreOptions {
        let now = Arc::clone(&self.now);
        StoreOptions::local(self.dir.path().join("data"), Arc::new(move || Timestamp(now.load(Ordering::Relaxed))))
    }
    async fn open(&self) -> Store {
        Store::open(self.options()).await.unwrap()
    }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn series(name: &str) -> SeriesDef {
    SeriesDef::of_labels(Labels::of(&[("__name__", name), ("job", "test")]))
}

fn samples(rows: &[(&str, i64, f64)]) -> Write {
    let mut write = Write::default();
    let mut b = SamplesBuilder::default();
    for (name, time, value) in rows {
        let id = write.series.add(&series(name)).unwrap();
        b.push_float(id, Timestamp(*time), None, *value);
    }
    write.push(Table::Samples, b.finish());
    write
}

fn logs(rows: &[(i64, &str)]) -> Write {
    let mut b = LogsBuilder::default();
    for (time, body) in rows {
        let row = LogRow { time: Timestamp(*time), body: Some(AttrValue::from(*body)), ..LogRow::default() };
        b.push(&LogOrigin::default(), &row);
    }
    let mut write = Write::default();
    write.push(Table::Logs, b.finish());
    write
}

async fn batches(store: &Store, snapshot: &Snapshot, table: Table) -> Vec<RecordBatch> {
    let mut all = Vec::new();
    for file in snapshot.files(table) {
        all.extend(parquet_read::read_all(table, store.objects().get(&file.path).await.unwrap()).unwrap());
    }
    all.extend(snapshot.buffered(table).to_vec());
    all
}

/// What a reader concludes: per metric and time the value written last.
async fn read_samples(store: &Store) -> Vec<(String, i64, f64)> {
    let snapshot = store.snapshot(&tenant());
    let index = snapshot.series();
    let mut latest = std::collections::BTreeMap::new();
    for batch in batches(store, &snapshot, Table::Samples).await {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let ids = column("series_id").as_primitive::<UInt64Type>();
        let times = column("time").as_primitive::<TimestampNanosecondType>();
        let values = column("value").as_primitive::<Float64Type>();
        for i in 0..batch.num_rows() {
            let metric = index.metric_of(grid_model::SeriesId(ids.value(i))).unwrap().to_string();
            latest.insert((metric, times.value(i)), values.value(i));
        }
    }
    latest.into_iter().map(|((m, t), v)| (m, t, v)).collect()
}

async fn read_bodies(store: &Store) -> Vec<String> {
    let snapshot = store.snapshot(&tenant());
    let mut bodies = Vec::new();
    for batch in batches(store, &snapshot, Table::Logs).await {
        let column = batch.column_by_name("body").unwrap().as_string::<i32>();
        bodies.extend((0..column.len()).map(|i| column.value(i).to_owned()));
    }
    bodies.sort();
    bodies
}

#[tokio::test]
async fn rows_are_there_at_every_station_and_the_later_write_wins() {
    let world = World::new();
    let store = world.open().await;
    let t = |i: i64| NOW - 9 * DAY_NS + i;
    let expected = vec![
        ("a".to_owned(), t(1), 10.0),
        ("a".to_owned(), t(2), 2.0),
        ("b".to_owned(), 5, 5.0),
        ("b".to_owned(), t(1), 3.0),
    ];
    let first =
        store.append(&tenant(), samples(&[("a", t(1), 1.0), ("a", t(2), 2.0), ("b", t(1), 3.0)])).await.unwrap();
    assert_eq!((first.rows, first.new_series), (3, 2));
    store.flush().await.unwrap();
    store.append(&tenant(), samples(&[("b", 5, 5.0), ("a", t(1), 9.0), ("a", t(1), 10.0)])).await.unwrap();
    assert_eq!(read_samples(&store).await, expected, "file and buffer");
    store.flush().await.unwrap();
    assert_eq!(read_samples(&store).await, expected, "files");
    assert_eq!(store.stats().buffered_rows, 0);
    let held = store.snapshot(&tenant());
    let report = store.compact().await.unwrap();
    assert!(report.files_in >= 2 && report.files_deleted == 0, "{report:?}");
    assert_eq!(read_samples(&store).await, expected, "compacted");
    // A reader that began before the compaction still finds its files.
    for file in held.files(Table::Samples) {
        store.objects().get(&file.path).await.unwrap();
    }
    drop(held);
    assert_eq!(store.compact().await.unwrap().files_deleted, report.files_in);
    assert_eq!(store.snapshot(&tenant()).files(Table::Samples).iter().map(|f| f.rows).sum::<u64>(), 4);
    store.close().await.unwrap();
    drop(store);
    let again = world.open().await;
    assert_eq!(read_samples(&again).await, expected, "reopened");
    assert_eq!(again.snapshot(&tenant()).series().len(), 2);
    assert_eq!(again.recovery().records, 0);
}

#[tokio::test]
async fn what_was_acknowledged_survives_without_a_close() {
    let world = World::new();
    let store = world.open().await;
    for i in 0..50 {
        store.append(&tenant(), logs(&[(NOW + i, &format!("line {i:02}"))])).await.unwrap();
        store.append(&tenant(), samples(&[("a", NOW + i, 1.0)])).await.unwrap();
        if i == 20 {
            store.flush().await.unwrap();
        }
    }
    let before = (read_bodies(&store).await, read_samples(&store).await);
    // As after a crash: another process opens a copy of what is on disk.
    let copy = World::new();
    std::process::Command::new("cp")
        .arg("-r")
        .arg(world.dir.path().join("data"))
        .arg(copy.dir.path().join("data"))
        .status()
        .unwrap();
    let recovered = copy.open().await;
    assert_eq!((read_bodies(&recovered).await, read_samples(&recovered).await), before);
    assert_eq!(recovered.recovery().torn, []);
    recovered.append(&tenant(), logs(&[(NOW, "after")])).await.unwrap();
    assert_eq!(read_bodies(&recovered).await.len(), 51);
}

#[tokio::test]
async fn orphan_files_are_removed_at_start() {
    let world = World::new();
    let store = world.open().await;
    store.append(&tenant(), logs(&[(NOW, "a")])).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let orphan = world.dir.path().join("data/files/default/logs/orphan.parquet");
    std::fs::write(&orphan, b"x").unwrap();
    let store = world.open().await;
    assert!(!orphan.exists());
    assert_eq!(read_bodies(&store).await, ["a"]);
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let world = World::new();
    let store = world.open().await;
    store.advertise("http://127.0.0.1:1").unwrap();
    let refused = Store::open(world.options()).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Locked { address: Some(a), .. } if a == "http://127.0.0.1:1"), "{refused}");
}

#[tokio::test]
async fn deleted_rows_are_gone_from_disk() {
    let world = World::new();
    let store = world.open().await;
    store.append(&tenant(), logs(&[(1, "keep"), (2, "secret"), (3, "secret")])).await.unwrap();
    let secret = |batch: &RecordBatch| {
        let bodies = batch.column_by_name("body").unwrap().as_string::<i32>();
        Ok(bodies.iter().map(|b| Some(b == Some("secret"))).collect::<BooleanArray>())
    };
    let range = TimeRange { start: Timestamp(0), end: Timestamp(3) };
    let report = store.rewrite(&tenant(), Table::Logs, range, &secret).await.unwrap();
    assert_eq!((report.rows_deleted, report.files_changed), (1, 1));
    assert_eq!(read_bodies(&store).await, ["keep", "secret"]);
    store.rewrite(&tenant(), Table::Logs, TimeRange::ALL, &secret).await.unwrap();
    assert_eq!(read_bodies(&store).await, ["keep"]);
}

#[tokio::test]
async fn retention_deletes_and_nothing_else_does() {
    let world = World::new();
    let store = world.open().await;
    for days in [1, 10, 100, 20_000] {
        store.append(&tenant(), logs(&[(NOW - days * DAY_NS, &format!("{days:05} days"))])).await.unwrap();
    }
    store.flush().await.unwrap();
    store.compact().await.unwrap();
    assert_eq!(store.expire().await.unwrap().rows_dropped, 0);
    assert_eq!(read_bodies(&store).await.len(), 4);
    let rule = RetentionRule { tenant: tenant(), table: Table::Logs, keep_ns: 5 * DAY_NS };
    store.catalog().set_retention(&rule).await.unwrap();
    let report = store.expire().await.unwrap();
    assert_eq!(report.rows_dropped + report.rows_rewritten, 3, "{report:?}");
    assert_eq!(read_bodies(&store).await, ["00001 days"]);
}

#[tokio::test]
async fn a_backup_opens_like_the_original() {
    let world = World::new();
    let store = world.open().await;
    store.append(&tenant(), samples(&[("a", NOW, 1.0)])).await.unwrap();
    store.append(&tenant(), logs(&[(NOW - 20 * HOUR_NS, "a")])).await.unwrap();
    let backup = world.dir.path().join("backup");
    assert!(store.backup(&backup).await.unwrap().files >= 3);
    store.append(&tenant(), logs(&[(NOW, "later")])).await.unwrap();
    assert!(store.backup(&backup).await.is_err(), "a backup is not overwritten");
    let restored = World::new();
    Store::restore(&backup, &restored.dir.path().join("data")).unwrap();
    let restored = restored.open().await;
    assert_eq!(read_bodies(&restored).await, ["a"]);
    assert_eq!(read_samples(&restored).await.len(), 1);
}

#[tokio::test]
async fn limits_refuse_with_a_type() {
    let world = World::new();
    let mut options = world.options();
    options.limits.series_per_tenant_max = 2;
    let store = Store::open(options).await.unwrap();
    store.append(&tenant(), samples(&[("a", NOW, 1.0)])).await.unwrap();
    let partly =
        store.append(&tenant(), samples(&[("a", NOW + 1, 1.0), ("b", NOW, 1.0), ("c", NOW, 1.0)])).await.unwrap();
    assert_eq!((partly.rows, partly.new_series, partly.rows_over_series_limit), (2, 1, 1));
    let refused = store.append(&tenant(), samples(&[("d", NOW, 1.0)])).await;
    assert!(matches!(refused, Err(AppendError::SeriesLimit { limit: 2, .. })), "{refused:?}");
    assert_eq!(read_samples(&store).await.len(), 3);
    store.close().await.unwrap();
    assert!(matches!(store.append(&tenant(), logs(&[(NOW, "x")])).await, Err(AppendError::Closed)));

    let mut options = World::new().options();
    options.limits.buffer_bytes_max = 1;
    let store = Store::open(options).await.unwrap();
    store.append(&tenant(), logs(&[(NOW, "x")])).await.unwrap();
    assert!(matches!(store.append(&tenant(), logs(&[(NOW, "x")])).await, Err(AppendError::Overloaded { .. })));
    store.flush().await.unwrap();
    store.append(&tenant(), logs(&[(NOW, "x")])).await.unwrap();
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let world = World::new();
    let store = world.open().await;
    let other = TenantId::parse("other*(1)").unwrap();
    store.append(&tenant(), logs(&[(NOW, "mine")])).await.unwrap();
    store.append(&other, logs(&[(NOW, "theirs")])).await.unwrap();
    assert_eq!(read_bodies(&store).await, ["mine"]);
    store.flush().await.unwrap();
    assert_eq!(read_bodies(&store).await, ["mine"]);
    assert_eq!(store.tenants(), [tenant(), other.clone()]);
    let files = store.snapshot(&other).files(Table::Logs).to_vec();
    assert!(std::path::Path::new(&store.objects().public_path(&files[0].path)).exists());
}
