//! Grid's own metrics in Prometheus' text format.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use grid_notify::Figures;
use grid_store::Health;
use http::header;

use crate::exposition::Exposition;
use crate::route::sql::Language;
use crate::state::ApiState;

/// The format that Prometheus asks for.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Grid's own metrics. No sample names a tenant: whoever may read them may not read whose they are.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Prometheus' text format.", content_type = "text/plain", body = String)))]
pub(crate) async fn get(State(state): State<ApiState>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], now(&state).finish()).into_response()
}

fn notifications(out: &mut Exposition, figures: &Figures) {
    for (name, help, value) in &figures.counters {
        out.counter(name, help, &[], *value as f64);
    }
    for (name, help, value) in &figures.gauges {
        out.gauge(name, help, &[], *value as f64);
    }
}

/// What `/metrics` shows at this moment.
pub fn now(state: &ApiState) -> Exposition {
    let mut out = Exposition::new();
    process(&mut out, state);
    store(&mut out, state);
    guard(&mut out, state);
    for language in Language::ALL {
        state.query_metrics(language).write(language, &mut out);
    }
    out.gauge("grid_query_running", "Queries that are running.", &[], state.engine.running().len() as f64);
    if let Some(notifier) = &state.notifier {
        notifications(&mut out, &notifier.figures());
    }
    for source in &state.metrics {
        source.write(&mut out);
    }
    out
}

fn process(out: &mut Exposition, state: &ApiState) {
    let commit = state.info.commit.as_deref().unwrap_or("unknown");
    let labels = [("version", state.info.version.as_str()), ("commit", commit)];
    out.gauge("grid_build_info", "The build, as labels.", &labels, 1.0);
    let started = state.info.started.0 as f64 / 1e9;
    out.gauge("process_start_time_seconds", "When the process started, since the epoch.", &[], started);
    if let Some(p) = read_process() {
        out.gauge("process_resident_memory_bytes", "Resident memory.", &[], p.resident_bytes as f64);
        out.gauge("process_virtual_memory_bytes", "Virtual memory.", &[], p.virtual_bytes as f64);
        out.counter("process_cpu_seconds_total", "CPU time in user and kernel mode.", &[], p.cpu_seconds);
        out.gauge("process_threads", "Threads.", &[], p.threads as f64);
        out.gauge("process_open_fds", "Open file descriptors.", &[], p.open_fds as f64);
    }
}

struct Process {
    resident_bytes: u64,
    virtual_bytes: u64,
    cpu_seconds: f64,
    threads: u64,
    open_fds: usize,
}

/// What the kernel says of this process; `None` where there is no `/proc`.
fn read_process() -> Option<Process> {
    // Linux fixes USER_HZ at 100 on every architecture it still supports, and pages of /proc/self/stat's `rss` are taken
    // from statm in the kernel's page size, which `VmRSS` in status gives in kB without knowing it.
    const USER_HZ: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything, so fields count from the last parenthesis (proc(5)): state is field 3.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |n: usize| fields.get(n - 3)?.parse::<u64>().ok();
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let rss = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let rss_kb: u64 = rss.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(Process {
        resident_bytes: rss_kb * 1024,
        virtual_bytes: field(23)?,
        cpu_seconds: (field(14)? + field(15)?) as f64 / USER_HZ,
        threads: field(20)?,
        open_fds: std::fs::read_dir("/proc/self/fd").ok()?.count(),
    })
}

fn store(out: &mut Exposition, state: &ApiState) {
    let s = state.store.stats();
    let read_only = f64::from(u8::from(matches!(state.store.health(), Health::ReadOnly { .. })));
    out.gauge("grid_store_read_only", "1 while writes are refused.", &[], read_only);
    if let Some(free) = s.disk_free_bytes {
        out.gauge("grid_store_disk_free_bytes", "Free bytes of the data directory's disk.", &[], free as f64);
    }
    out.gauge("grid_store_generation", "Generation of the catalog.", &[], s.generation as f64);
    out.gauge("grid_store_buffered_rows", "Rows that are in no file yet.", &[], s.buffered_rows as f64);
    out.gauge("grid_store_buffered_bytes", "Memory of rows that are in no file yet.", &[], s.buffered_bytes as f64);
    out.gauge("grid_store_files", "Visible files.", &[], s.files as f64);
    out.gauge("grid_store_file_bytes", "Bytes of visible files.", &[], s.file_bytes as f64);
    out.gauge("grid_store_file_rows", "Rows of visible files.", &[], s.file_rows as f64);
    out.gauge("grid_store_tenants", "Tenants that have rows or tried to write some.", &[], s.tenants as f64);
    out.gauge("grid_store_series", "Series over all tenants.", &[], s.series as f64);
    out.gauge("grid_store_series_index_bytes", "Memory of the series indexes, about.", &[], s.series_bytes as f64);
    out.counter("grid_store_appended_rows_total", "Rows made durable.", &[], s.appended_rows as f64);
    out.counter("grid_store_appended_requests_total", "Requests made durable.", &[], s.appended_requests as f64);
    out.counter("grid_store_refused_requests_total", "Requests refused for overload.", &[], s.refused_requests as f64);
    let help = "New series not taken because of a limit, counted at each try.";
    out.counter("grid_store_refused_series_total", help, &[], s.refused_series as f64);
    let help = "Requests of tenants that would have been one too many.";
    out.counter("grid_store_refused_tenants_total", help, &[], s.refused_tenants as f64);
    out.counter("grid_store_wal_bytes_total", "Bytes written to the write-ahead log.", &[], s.wal_bytes as f64);
    out.counter("grid_store_wal_syncs_total", "Syncs of the write-ahead log.", &[], s.wal_syncs as f64);
    out.counter("grid_store_flushes_total", "Flushes of the buffer to files.", &[], s.flushes as f64);
    out.counter("grid_store_flush_errors_total", "Flushes that failed.", &[], s.flush_errors as f64);
    out.counter("grid_store_compactions_total", "Compactions.", &[], s.compactions as f64);
    out.counter("grid_store_compaction_errors_total", "Compactions that failed.", &[], s.compaction_errors as f64);
    let r = state.store.recovery();
    out.gauge("grid_store_replayed_rows", "Rows replayed from the log at the start.", &[], r.rows as f64);
}

fn guard(out: &mut Exposition, state: &ApiState) {
    let s = state.guard.stats();
    for (code, n) in &s.refused {
        out.counter(
            "grid_guard_refused_requests_total",
            "Requests answered with an error, by code.",
            &[("code", code)],
            *n as f64,
        );
    }
    for ((scope, status), n) in &s.answered {
        let labels = [("scope", *scope), ("status", *status)];
        out.counter(
            "grid_guard_requests_total",
            "Answered requests by scope of the route and status.",
            &labels,
            *n as f64,
        );
    }
    for (scope, n) in &s.under_way {
        out.gauge("grid_guard_requests_under_way", "Requests under way.", &[("scope", scope)], *n as f64);
    }
    out.gauge(
        "grid_guard_body_budget_free_bytes",
        "Memory that further request bodies may take.",
        &[],
        s.body_budget_free_bytes as f64,
    );
}
