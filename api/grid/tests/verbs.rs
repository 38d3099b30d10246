//! The verbs that read files or look after a directory: straight on it, and through a running server, with the same words.
#![allow(missing_docs, clippy::unwrap_used)]

#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "smoke/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::Output;

use process::{Server, run};
use serde_json::{Value, json};

const BILL: &str = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,\
ChargePeriodStart,ChargePeriodEnd,ContractedCost,EffectiveCost,ListCost,ServiceName,ServiceCategory,ProviderName,PublisherName,InvoiceIssuerName
1.10,acct,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,Usage,2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,1.10,1.10,1.10,VM,Compute,X,X,X
2.205,acct,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,Usage,2026-10-02T00:00:00Z,2026-10-03T00:00:00Z,2.205,2.205,2.205,VM,Compute,X,X,X
oops,acct,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,Usage,2026-10-03T00:00:00Z,2026-10-04T00:00:00Z,1,1,1,VM,Compute,X,X,X
";

const METRICS: &str = "# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{code=\"200\"} 1027 1795428000 # {trace_id=\"0102030405060708090a0b0c0d0e0f10\"} 5 1795427999
http_requests_created{code=\"200\"} 1795420000 1795428000
# EOF
";

const LOGS: &str = "2026-11-23T09:00:00Z INFO plain words\n{\"time\":\"2026-11-23T09:00:01Z\",\"msg\":\"an object\",\"level\":\"error\",\"n\":7}\n";

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn ok(out: &Output) -> String {
    assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// Where a verb works: `--data-dir DIR` or `--url URL`.
struct Place(String, String);

impl Place {
    fn run(&self, args: &[&str]) -> Output {
        let mut all = args.to_vec();
        all.extend([self.0.as_str(), self.1.as_str()]);
        run(&all)
    }

    fn rows(&self, sql: &str) -> Value {
        serde_json::from_str(&ok(&self.run(&["query", sql, "-o", "json"]))).unwrap()
    }
}

fn imports(place: &Place, files: &Path) {
    let metrics = write(files, "scrape.txt", METRICS);
    let logs = write(files, "checkout.log", LOGS);
    let bill = write(files, "bill.csv", BILL);
    let (metrics, logs, bill) = (metrics.to_str().unwrap(), logs.to_str().unwrap(), bill.to_str().unwrap());

    let text = ok(&place.run(&["import", "metrics", metrics]));
    assert!(text.contains("stored 1 samples, rejected 0 (OpenMetrics text"), "{text}");
    assert_eq!(
        place.rows("SELECT value, code FROM metrics.\"http_requests_total\""),
        json!([{ "value": 1027.0, "code": "200" }])
    );
    let start = place.rows("SELECT start_time FROM samples");
    assert_eq!(start[0]["start_time"], "2026-11-23T07:46:40Z");

    let report: Value = serde_json::from_str(&ok(&place.run(&["import", "logs", logs, "-o", "json"]))).unwrap();
    assert_eq!((&report["accepted"], &report["rejected"]), (&json!(2), &json!(0)), "{report}");
    let rows = place.rows("SELECT service, severity, body, attributes FROM logs ORDER BY time");
    assert_eq!(rows[0]["body"], "2026-11-23T09:00:00Z INFO plain words");
    assert_eq!((&rows[1]["service"], &rows[1]["severity"]), (&json!("checkout"), &json!("error")));
    assert_eq!(rows[1]["attributes"]["n"], 7);

    let checked: Value =
        serde_json::from_str(&ok(&place.run(&["import", "bill", bill, "--check", "-o", "json"]))).unwrap();
    assert_eq!(checked["outcome"], "checked");
    assert_eq!(place.rows("SELECT count(*) AS n FROM charges"), json!([{ "n": 0 }]), "--check stores nothing");
    let report: Value = serde_json::from_str(&ok(&place.run(&["import", "bill", bill, "-o", "json"]))).unwrap();
    assert_eq!(report["outcome"], "stored");
    assert_eq!((&report["rows_stored"], &report["rows_rejected"]), (&json!(2), &json!(1)));
    let total = &report["reconciliation"][0];
    let amounts = ["currency", "source", "stored", "rejected"].map(|k| total[k].as_str().unwrap());
    assert_eq!(amounts, ["USD", "3.305", "3.305", "0"]);
    assert_eq!(report["rejects"][0]["row"], 3);
    let again = ok(&place.run(&["import", "bill", bill]));
    assert!(again.contains("skipped bill.csv") && again.contains("unchanged"), "{again}");
    assert_eq!(place.rows("SELECT sum(billed_cost) AS cost FROM charges"), json!([{ "cost": "3.305" }]));

    let nothing = write(files, "nothing.csv", "a,b\n1,2\n");
    let out = place.run(&["import", "bill", nothing.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1), "nothing could be imported");
    let garbage = write(files, "garbage.txt", "not a metric at all\n");
    let out = place.run(&["import", "metrics", garbage.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stdout).contains("rejected 1"));
}

fn upkeep(place: &Place, backup: &str) -> Value {
    let text = ok(&place.run(&["retention", "set", "logs", "30d"]));
    assert_eq!(text, "");
    assert_eq!(
        ok(&place.run(&["retention", "show"])).split_whitespace().collect::<Vec<_>>(),
        ["default", "logs", "30d"]
    );
    ok(&place.run(&["retention", "set", "logs", "forever"]));
    assert_eq!(ok(&place.run(&["retention", "show"])), "");
    assert_eq!(ok(&place.run(&["delete", "logs", "--where", "severity = 'error'", "--yes"])), "deleted 1 rows\n");
    assert_eq!(place.rows("SELECT count(*) AS n FROM logs"), json!([{ "n": 1 }]));
    ok(&place.run(&["compact"]));
    assert!(ok(&place.run(&["backup", backup])).starts_with("backed up "));

    let out = place.run(&["token", "create", "--name", "ci", "--scope", "ingest,query", "--ttl", "90d", "-o", "json"]);
    let token: Value = serde_json::from_str(&ok(&out)).unwrap();
    assert!(token["token"].as_str().unwrap().starts_with("grid_"));
    let id = token["id"].as_str().unwrap();
    let list: Value = serde_json::from_str(&ok(&place.run(&["token", "list", "-o", "json"]))).unwrap();
    assert_eq!((&list[0]["id"], &list[0]["name"]), (&json!(id), &json!("ci")));
    assert!(list[0].get("token").is_none(), "a list holds no secrets");
    ok(&place.run(&["token", "revoke", id]));
    assert_eq!(place.run(&["token", "revoke", id]).status.code(), Some(1));

    let findings: Value = serde_json::from_str(&ok(&place.run(&["doctor", "-o", "json"]))).unwrap();
    assert!(findings.as_array().unwrap().iter().all(|f| f["level"] != "error"), "{findings}");
    place.rows("SELECT service, body FROM logs")
}

#[test]
fn on_a_directory() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Place("--data-dir".to_owned(), dir.path().to_str().unwrap().to_owned());
    let out = place.run(&["query", "SELECT 1"]);
    assert_eq!(out.status.code(), Some(1), "reading from nowhere is refused");
    imports(&place, files.path());

    let backup = files.path().join("backup");
    let rows = upkeep(&place, backup.to_str().unwrap());
    let restored = files.path().join("restored");
    ok(&run(&["restore", backup.to_str().unwrap(), "--data-dir", restored.to_str().unwrap()]));
    let there = Place("--data-dir".to_owned(), restored.to_str().unwrap().to_owned());
    assert_eq!(there.rows("SELECT service, body FROM logs"), rows);
    assert_eq!(there.rows("SELECT sum(billed_cost) AS cost FROM charges"), json!([{ "cost": "3.305" }]));

    // A file that is cut short is found, named, and makes the exit code non-zero.
    let folder = restored.join("files/default/charges");
    let victim = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&victim, "cut").unwrap();
    let out = there.run(&["doctor"]);
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("of another size") && text.contains(victim.file_name().unwrap().to_str().unwrap()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_server() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(dir.path(), &[]);
    let place = Place("--url".to_owned(), server.url.clone());
    imports(&place, files.path());
    assert_eq!(place.rows("SELECT trace_id FROM exemplars")[0]["trace_id"], "0102030405060708090a0b0c0d0e0f10");
    upkeep(&place, "nightly");
    assert!(dir.path().join("backups/nightly/catalog.db").exists());
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_bundle_holds_no_rows() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Place("--data-dir".to_owned(), dir.path().to_str().unwrap().to_owned());
    let logs = write(files.path(), "app.log", "a very secret line\n");
    ok(&place.run(&["import", "logs", logs.to_str().unwrap()]));
    let bundle = files.path().join("bundle.json");
    ok(&place.run(&["doctor", "--fix", "--bundle", bundle.to_str().unwrap()]));
    let text = std::fs::read_to_string(bundle).unwrap();
    assert!(text.contains("\"findings\"") && !text.contains("secret"), "{text}");
}
