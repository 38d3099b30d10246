//! `alerts`: what rules said over time, as rows. A view over the series `ALERTS` that rules write: one row is one alert in one state, from its first
//! evaluation to the one that ended it. So it knows what was firing before a restart, needs no table of its own, and agrees with PromQL's answer.

/// The view's name in SQL.
pub(crate) const VIEW: &str = "alerts";

/// The metric that rules write.
pub(crate) const METRIC: &str = "ALERTS";
/// The samples that the view reads, without those of other metrics far away. It is in no list of tables.
pub(crate) const SAMPLES: &str = "samples_of_alerts";

/// What the view is. A stretch ends with the stale marker that the rule writes when the alert leaves the state; a series that just stops (the server did)
/// is over after a quarter of an hour.
pub(crate) const SQL: &str = "\
SELECT s.labels['alertname'] AS alert,
    CASE WHEN e.end_time IS NULL THEN s.labels['alertstate'] WHEN s.labels['alertstate'] = 'firing' THEN 'resolved' ELSE 'inactive' END AS state,
    s.labels['alertstate'] AS phase, s.labels['severity'] AS severity, e.start_time, e.end_time, e.last_time, e.evaluations,
    s.labels AS labels
FROM (SELECT series_id, start_time, last_time, evaluations,
    CASE WHEN ended IS NOT NULL THEN ended WHEN last_time < now() - INTERVAL '15 minutes' THEN last_time END AS end_time
  FROM (SELECT series_id, stretch, min(time) FILTER (WHERE NOT is_stale) AS start_time, max(time) FILTER (WHERE NOT is_stale) AS last_time,
      max(time) FILTER (WHERE is_stale) AS ended, count(*) FILTER (WHERE NOT is_stale) AS evaluations
    FROM (SELECT x.series_id, x.time, x.is_stale,
        coalesce(sum(CASE WHEN x.is_stale THEN 1 ELSE 0 END) OVER
          (PARTITION BY x.series_id ORDER BY x.time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stretch
      FROM samples_of_alerts AS x JOIN series AS a ON a.series_id = x.series_id WHERE a.metric = 'ALERTS') AS marked
    GROUP BY series_id, stretch HAVING count(*) FILTER (WHERE NOT is_stale) > 0) AS stretches) AS e
JOIN series AS s ON s.series_id = e.series_id";
