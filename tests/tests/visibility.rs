//! What is acknowledged is visible at once: every signal, a hundred times, with a query right after the answer.

use std::time::Instant;

use grid_tests::wire::{JSON_HEADERS, REMOTE_WRITE_HEADERS, otlp_logs, otlp_span, remote_write};
use grid_tests::{Grid, figure, now_ns};

const TIMES: usize = 100;

#[tokio::test]
async fn a_row_is_visible_when_its_write_is_acknowledged() -> anyhow::Result<()> {
    let grid = Grid::start().await?;
    let (mut seen, mut query_ms_max) = (0, 0);
    for i in 0..TIMES {
        let (path, headers, body, query) = write(i);
        grid.post_ok(path, "default", &headers, body).await?;
        let asked = Instant::now();
        let count = grid.count("default", &query).await?;
        query_ms_max = query_ms_max.max(asked.elapsed().as_millis());
        seen += usize::from(count == 1);
        // Rows must not vanish for a moment on their way from the buffer into a file either.
        if i % 10 == 9 {
            grid.flush().await?;
            assert_eq!(grid.count("default", &query).await?, 1, "after a flush: {query}");
        }
    }
    let held =
        figure("visibility", seen == TIMES, format!("{seen} of {TIMES} at once; slowest query {query_ms_max} ms"));
    assert!(held);
    Ok(())
}

type Request = (&'static str, Vec<(&'static str, &'static str)>, Vec<u8>, String);

fn write(i: usize) -> Request {
    let now = now_ns();
    let name = format!("seen-{i}");
    match i % 3 {
        0 => {
            let body = otlp_logs("visible", &[(now, name.clone())]).into_bytes();
            ("/v1/logs", JSON_HEADERS.to_vec(), body, format!("SELECT count(*) FROM logs WHERE body = '{name}'"))
        }
        1 => {
            let trace = format!("{:032x}", i + 1);
            let body = otlp_span("visible", &name, &trace, "00f067aa0ba902b7", now, 5).into_bytes();
            (
                "/v1/traces",
                JSON_HEADERS.to_vec(),
                body,
                format!("SELECT count(*) FROM spans WHERE trace_id = '{trace}'"),
            )
        }
        _ => {
            let labels = [("__name__", "seen"), ("i", name.as_str())];
            let body = remote_write(&labels, &[(now / 1_000_000, i as f64)]);
            let query = format!("SELECT count(*) FROM metrics.\"seen\" WHERE i = '{name}'");
            ("/api/v1/write", REMOTE_WRITE_HEADERS.to_vec(), body, query)
        }
    }
}
