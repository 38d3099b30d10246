//! The harness of the suites in `tests/tests`: a real `grid` binary in a folder of its own, spoken to as a user would.
//!
//! Reading order: [`server`] (start, kill, restart, ask), [`answer`] (SQL answers as comparable values), [`wire`]
//! (bodies that clients send), [`otlp`] (what a payload must read back as), [`peers`] (real clients and readers), [`targets`] (something to
//! scrape), [`grafana`] (dashboards and what their panels ask), [`hook`] (a receiver of webhooks with moods),
//! [`figures`] (what the scorecard prints), [`powercut`] (a disk that forgets and fails, beneath the real binary).
//!
//! Architecture invariants:
//! - A suite speaks to Grid only through its sockets, its command line and the files it wrote.
//! - What cannot run says so on a line `SKIPPED <suite>: <reason>`, which `.ci/run` counts; nothing is skipped silently.
//! - Expectations are computed from the payload by code of this crate, never by Grid's decoders.

pub mod server;
pub mod answer;
pub mod wire;
pub mod otlp;
pub mod peers;
pub mod targets;
pub mod grafana;
pub mod hook;
pub mod figures;
pub mod powercut;

pub use figures::{figure, skip};
pub use server::{Grid, Options, grid_binary, run_grid};

/// The folder of the shared data sets, if this machine has it.
pub fn shared_data() -> Option<std::path::PathBuf> {
    let path = match std::env::var_os("GRID_SHARED_DATA") {
        Some(path) => path.into(),
        None => repository().join("../shared/data"),
    };
    path.is_dir().then_some(path)
}

/// The root of the repository.
pub fn repository() -> std::path::PathBuf {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the crate lies in a folder of the repository").to_owned()
}

/// Nanoseconds since the Unix epoch, now. Tests play the outside world, so they may look at the clock.
#[allow(clippy::disallowed_methods, reason = "a client's clock, not Grid's")]
pub fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.expect("the clock is after 1970").as_nanos()).expect("the clock is before 2262")
}
