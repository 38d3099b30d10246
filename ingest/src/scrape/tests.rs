#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use grid_guard::{Guard, GuardConfig};
use grid_model::{Table, Timestamp};
use grid_store::{Store, StoreOptions};

use super::*;
use crate::accept::IngestOptions;

/// A clock that advances with every look at it.
fn clock() -> Clock {
    static NOW: AtomicU64 = AtomicU64::new(1_767_225_600_000_000_000);
    Arc::new(|| Timestamp(i64::try_from(NOW.fetch_add(1_000_000, Ordering::Relaxed)).unwrap()))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} did not happen");
}

#[tokio::test]
async fn jobs_follow_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::local(dir.path(), clock())).await.unwrap();
    let ingest =
        Ingest::new(store.clone(), Guard::in_memory(GuardConfig::default()), IngestOptions::default(), clock());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = ([("content-type", "text/plain; version=0.0.4")], "a 1\nb 2\n");
    let router = Router::new().route("/metrics", get(move || async move { page }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut scraper = Scraper::new(ingest, TenantId::parse("scraped").unwrap());
    let status = scraper.status();
    let config = |more: &str, targets: &[String]| {
        let text = format!(
            "global: {{scrape_interval: 100ms}}\nscrape_configs:\n- job_name: j\n{more}  static_configs: [{{targets: {targets:?}}}]\n"
        );
        Config::parse(&text, Path::new("/")).unwrap()
    };
    let count = |name: &str| status.counters_now().into_iter().find(|(n, _, _)| *n == name).unwrap().2;
    let stale = || count("grid_scrape_stale_markers_total");
    let (good, bad) = (address.to_string(), "127.0.0.1:1".to_owned());

    scraper.apply(config("", &[good.clone(), bad.clone()])).await;
    let all = |holds: fn(&ActiveTarget) -> bool| status.active().len() == 2 && status.active().iter().all(holds);
    until("a scrape of both", || all(|t| t.progress.health != Health::Unknown)).await;
    let active = status.active();
    assert_eq!(active.iter().map(|t| t.progress.health).collect::<Vec<_>>(), [Health::Down, Health::Up]);
    assert_eq!((active[1].url.clone(), active[1].job.as_str()), (format!("http://{address}/metrics"), "j"));
    assert!(!active[0].progress.last_error.is_empty() && active[1].progress.last_error.is_empty());

    // Another configuration of the job takes its targets over.
    let drop_b = "  metric_relabel_configs: [{action: drop, source_labels: [__name__], regex: b}]\n";
    scraper.apply(config(drop_b, std::slice::from_ref(&good))).await;
    until("the series about scrapes of the bad target end", || stale() == 5).await;
    let scrapes = count("grid_scrape_scrapes_total");
    until("further scrapes", || count("grid_scrape_scrapes_total") > scrapes + 2).await;

    // More targets than allowed: all fail, and what was alive is stale.
    scraper.apply(config("  target_limit: 1\n", &[good.clone(), bad.clone()])).await;
    until("the limit", || all(|t| t.progress.last_error.contains("target_limit"))).await;
    until("stale markers", || stale() >= 6).await;

    let dropped = "  relabel_configs: [{action: drop}]\n";
    scraper.apply(config(dropped, std::slice::from_ref(&good))).await;
    until("no target", || status.active().is_empty()).await;
    assert_eq!(status.dropped().len(), 1);
    assert_eq!(status.dropped()[0].discovered.get("__address__"), good);
    scraper.apply(Config::default()).await;
    assert!(status.dropped().is_empty());
    scraper.stop().await;
    let rows = |tenant: &str| -> usize {
        let snapshot = store.snapshot(&TenantId::parse(tenant).unwrap());
        snapshot.buffered(Table::Samples).iter().map(|b| b.num_rows()).sum()
    };
    assert!(rows("scraped") > 10);
    assert_eq!(rows("default"), 0);
}
