//! A real Loki client pushes log lines; SQL answers the same lines, labels and times.

use grid_tests::answer::same_rows;
use grid_tests::server::Row;
use grid_tests::{Grid, figure, peers, skip};
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_logging_handler_pushes_reads_back_equal() -> anyhow::Result<()> {
    let python = match peers::python() {
        Ok(python) => python,
        Err(reason) => return skip("loki", reason),
    };
    let grid = Grid::start().await?;
    let url = format!("{}/loki/api/v1/push", grid.http);
    let sent = peers::run_python(&python, "loki_send.py", &[&url, "200"]).await?;
    let sent: Vec<Row> = sent.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(sent.len(), 200);
    for state in ["buffered", "flushed"] {
        let found = grid.sql("default", "SELECT time, body, labels FROM logs").await?;
        same_rows(&format!("{state} lines of python-logging-loki"), sent.clone(), found)?;
        let levels = grid.sql("default", "SELECT severity, count(*) AS n FROM logs GROUP BY severity").await?;
        assert!(levels.iter().all(|r| r["n"] == json!(50)), "{levels:?}");
        grid.flush().await?;
    }
    let labels = |r: &Row| r.get("labels").and_then(Value::as_object).map_or(0, |l| l.len());
    assert!(sent.iter().all(|r| labels(r) == 5));
    figure("loki", true, "200 lines of python-logging-loki 0.3.1 equal, buffered and in Parquet");
    Ok(())
}
