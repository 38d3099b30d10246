//! Checks of the machine: ports, disk, clock, limits.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Findings;
use crate::clock;
use crate::config::Config;
use crate::target;
use crate::unit::{show_bytes, show_count};

/// Below these a disk is nearly full.
const FREE_BYTES_WARN: u64 = 5 << 30;
const FREE_BYTES_ERROR: u64 = 512 << 20;
/// Fewer free inodes than this are few: a flush writes a handful of files.
const FREE_INODES_WARN: u64 = 10_000;
/// Fewer open files than this are few for many connections and many Parquet files.
const OPEN_FILES_WARN: u64 = 4096;
/// How long the wall clock is compared with the monotonic one, and what they may differ by.
const CLOCK_SAMPLE: Duration = Duration::from_millis(200);
const CLOCK_DRIFT_MAX_MS: i128 = 50;

/// Whether the configured ports are free.
pub(super) fn ports(config: &Config, findings: &mut Findings) {
    for (setting, flag) in
        [("server.http", "--listen"), ("server.otlp_grpc", "--otlp-grpc"), ("server.otlp_http", "--otlp-http")]
    {
        let Some(address) = config.address(setting) else {
            findings.ok("ports", format!("{setting} is off"));
            continue;
        };
        match TcpListener::bind(address) {
            Ok(_) => findings.ok("ports", format!("{address} is free for {setting}")),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => findings.warn(
                "ports",
                format!("{address} ({setting}) is in use by another process"),
                format!("choose another with {flag} ADDR, or stop that process"),
            ),
            Err(e) => findings.error(
                "ports",
                format!("{address} ({setting}) cannot be listened on: {e}"),
                format!("choose an address of this machine with {flag} ADDR"),
            ),
        }
    }
}

/// Space and inodes of the disk that holds a directory.
pub(super) fn disk(dir: &Path, findings: &mut Findings) {
    // A directory that does not exist yet lies on the disk of its nearest ancestor.
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let Some(existing) = absolute.ancestors().find(|p| p.exists()) else { return };
    let stat = match rustix::fs::statvfs(existing) {
        Ok(stat) => stat,
        Err(e) => {
            return findings.warn("disk", format!("cannot ask about {}: {e}", existing.display()), "look with `df`");
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{} free at {}", show_bytes(free), existing.display());
    if free < FREE_BYTES_ERROR {
        findings.error(
            "disk",
            text,
            "free some space: set retention (`grid retention set`), or move the data directory",
        );
    } else if free < FREE_BYTES_WARN {
        findings.warn("disk", text, "plan for more space, or set retention (`grid retention set`)");
    } else {
        findings.ok("disk", text);
    }
    // File systems without a fixed number of inodes (btrfs) say 0 of 0.
    if stat.f_files > 0 && stat.f_favail < FREE_INODES_WARN {
        let text = format!("only {} inodes free at {}", show_count(stat.f_favail), existing.display());
        findings.warn("disk", text, "delete small files on that disk, or use a file system with more inodes");
    }
}

/// Whether the wall clock runs as fast as the monotonic one. A clock that jumps gives rows wrong times.
pub(super) async fn clock(findings: &mut Findings) {
    let (wall, monotonic) = (clock::now(), Instant::now());
    tokio::time::sleep(CLOCK_SAMPLE).await;
    let by_wall_ms = i128::from(clock::now().0 - wall.0) / 1_000_000;
    let by_monotonic_ms = i128::try_from(monotonic.elapsed().as_millis()).unwrap_or(i128::MAX);
    let drift = (by_wall_ms - by_monotonic_ms).abs();
    if drift > CLOCK_DRIFT_MAX_MS {
        findings.warn(
            "clock",
            format!("the wall clock moved {drift} ms against the monotonic clock"),
            "check NTP (`timedatectl`)",
        );
    } else {
        findings.ok("clock", format!("wall clock runs evenly, now {}", crate::unit::show_time(clock::now())));
    }
}

/// How many files this user may have open.
pub(super) fn open_files(findings: &mut Findings) {
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else { return };
    let soft = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files"))
        .and_then(|l| l.split_whitespace().next())
        .and_then(|n| n.parse::<u64>().ok());
    match soft {
        Some(soft) if soft < OPEN_FILES_WARN => findings.warn(
            "limits",
            format!("only {soft} files may be open at once"),
            "raise it: `ulimit -n 65536`, or LimitNOFILE=65536 in the systemd unit",
        ),
        Some(soft) => findings.ok("limits", format!("{} files may be open at once", show_count(soft))),
        None => findings.ok("limits", "no limit on open files"),
    }
}

/// Whether a directory can be written to.
pub(super) fn writable(dir: &Path, findings: &mut Findings) {
    let probe = dir.join(".doctor-probe");
    match std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => findings.ok("directory", format!("{} is writable", dir.display())),
        Err(e) => findings.error(
            "directory",
            format!("{} cannot be written to: {e}", dir.display()),
            "give the user that runs grid write permission on it",
        ),
    }
    if let Some(address) = target::serving(dir) {
        findings.ok("directory", format!("held open by a server at {address}"));
    }
}
