//! `alerts`: states of alerts as rows.

use expect_test::expect;

use super::bed::{check, samples, series, stale};

#[tokio::test(flavor = "multi_thread")]
async fn each_stretch_of_a_state_is_a_row() {
    let alert = |state: &str, job: &str| {
        series(&[
            ("__name__", "ALERTS"),
            ("alertname", "Down"),
            ("alertstate", state),
            ("job", job),
            ("severity", "page"),
        ])
    };
    let (pending, firing) = (alert("pending", "a"), alert("firing", "a"));
    let (lasting, lost) = (alert("firing", "b"), alert("firing", "c"));
    let writes = [
        samples(&series(&[("__name__", "up"), ("job", "a")]), &[(60, 1.0)]),
        samples(&pending, &[(600, 1.0), (540, 1.0), (480, stale())]),
        samples(&firing, &[(480, 1.0), (420, 1.0), (360, stale())]),
        samples(&firing, &[(120, 1.0), (60, stale())]),
        samples(&lasting, &[(90, 1.0), (30, 1.0)]),
        // The server stopped: nobody said that it ended.
        samples(&lost, &[(7200, 1.0), (7140, 1.0)]),
    ];
    check(
        &writes,
        vec![
            (
                "SELECT alert, labels['job'] AS job, state, phase, severity, start_time, end_time, evaluations FROM alerts ORDER BY job, start_time",
                expect![[r#"
                    alert,job,state,phase,severity,start_time,end_time,evaluations
                    Down,a,inactive,pending,page,2026-01-14T23:50:00Z,2026-01-14T23:52:00Z,2
                    Down,a,resolved,firing,page,2026-01-14T23:52:00Z,2026-01-14T23:54:00Z,2
                    Down,a,resolved,firing,page,2026-01-14T23:58:00Z,2026-01-14T23:59:00Z,1
                    Down,b,firing,firing,page,2026-01-14T23:58:30Z,,2
                    Down,c,resolved,firing,page,2026-01-14T22:00:00Z,2026-01-14T22:01:00Z,2
                "#]],
            ),
            ("SELECT count(*) AS n FROM alerts WHERE state = 'firing'", expect![[r#"
                n
                1
            "#]]),
        ],
    )
    .await;
    // Without any alert it is empty, not unknown.
    check(
        &writes[..1],
        vec![(
            "SELECT count(*) AS n FROM alerts",
            expect![[r#"
        n
        0
    "#]],
        )],
    )
    .await;
}
