//! What shall go wrong: one rule per line of the control file, `FAULT [match=PART] [permille=N] [seed=N] [ms=N]`.
//!
//! | fault | strikes | effect |
//! |---|---|---|
//! | `enospc` | writes that extend a file, new files, folders and links | ENOSPC |
//! | `enospc-write` | writes that extend a file: a full disk still makes empty files | ENOSPC |
//! | `eio-write` | writes, changes of length | EIO, nothing written |
//! | `torn-write` | writes | EIO, half written |
//! | `short-write` | writes | half written, and said so |
//! | `eio-sync` | fsync, fdatasync | EIO, nothing synced |
//! | `forget-sync` | fsync, fdatasync | success, nothing synced: a disk that lies |
//! | `eio-meta` | new files and folders, renames, removals | EIO |
//! | `slow` | writes, syncs | `ms` milliseconds of waiting before |
//! | `die` | any change | the process ends by SIGKILL before it |
//! | `die-sync` | fsync, fdatasync | the same: what was written is there for the next process, but not durable |
//!
//! `match` is a part of the path below the root; `permille` strikes that often, by a hash of `seed` and the number of the change.

use std::sync::atomic::Ordering;

use libc::c_int;

use crate::format::kind;
use crate::record::{CHANGES, Fact, ORDER, append, setup};

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Write bytes; whether it makes the file longer.
    Write {
        extends: bool,
    },
    /// Set a length; whether it makes the file longer.
    SetLen {
        extends: bool,
    },
    Sync,
    /// Make a file, folder or link.
    Make,
    Rename,
    Remove,
}

/// What shall happen instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What was asked for.
    Pass,
    /// Fail with this error.
    Fail(c_int),
    /// Write half. `Some`: then fail.
    Half(Option<c_int>),
    /// Claim success, do nothing.
    Pretend,
}

/// Longest control file.
const CONTROL_BYTES_MAX: usize = 4096;

/// Asks the control file about a change of the file at `path`. Waits, or ends the process, if it says so. Call it under
/// the lock, except for syncs.
pub(crate) fn decide(change: Change, path: &[u8]) -> Verdict {
    let mut buffer = [0_u8; CONTROL_BYTES_MAX];
    let number = CHANGES.fetch_add(1, Ordering::Relaxed);
    for line in read_control(&mut buffer).split(|b| *b == b'\n') {
        let mut words = line.split(|b| *b == b' ').filter(|w| !w.is_empty());
        let Some(name) = words.next() else { continue };
        let (mut part, mut permille, mut seed, mut ms) = (&b""[..], 1000, 0, 0);
        for word in words {
            let Some(at) = word.iter().position(|b| *b == b'=') else { continue };
            match (&word[..at], &word[at + 1..]) {
                (b"match", value) => part = value,
                (b"permille", value) => permille = integer(value),
                (b"seed", value) => seed = integer(value),
                (b"ms", value) => ms = integer(value),
                _ => {}
            }
        }
        let concerned = part.is_empty() || path.windows(part.len()).any(|w| w == part);
        if !concerned || mix(seed.wrapping_add(number)) % 1000 >= permille {
            continue;
        }
        let grows = matches!(change, Change::Write { extends: true } | Change::SetLen { extends: true } | Change::Make);
        let write = matches!(change, Change::Write { .. });
        let verdict = match name {
            b"enospc" if grows => Verdict::Fail(libc::ENOSPC),
            b"enospc-write" if grows && change != Change::Make => Verdict::Fail(libc::ENOSPC),
            b"eio-write" if write || matches!(change, Change::SetLen { .. }) => Verdict::Fail(libc::EIO),
            b"torn-write" if write => Verdict::Half(Some(libc::EIO)),
            b"short-write" if write => Verdict::Half(None),
            b"eio-sync" if change == Change::Sync => Verdict::Fail(libc::EIO),
            b"forget-sync" if change == Change::Sync => return Verdict::Pretend,
            b"eio-meta" if matches!(change, Change::Make | Change::Rename | Change::Remove) => Verdict::Fail(libc::EIO),
            b"slow" if write || change == Change::Sync => {
                pause(ms);
                continue;
            }
            b"die-sync" if change != Change::Sync => continue,
            b"die" | b"die-sync" => {
                // Whoever syncs does not hold the lock yet: another thread could be between a change and its record.
                let _order = (change == Change::Sync).then(|| ORDER.hold());
                // SAFETY: two integers; the signal ends this process while the lock is held, hence between two records.
                unsafe { libc::syscall(libc::SYS_kill, libc::getpid(), libc::SIGKILL) };
                continue;
            }
            _ => continue,
        };
        let line = libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() };
        // SAFETY: the line is borrowed from the buffer above.
        unsafe { append(kind::FAULT, &Fact { path, ..Fact::default() }, &[line], line.iov_len) };
        return verdict;
    }
    Verdict::Pass
}

fn read_control(buffer: &mut [u8]) -> &[u8] {
    let Some(path) = setup().and_then(|s| s.control.as_ref()) else { return &[] };
    // SAFETY: the path ends with a zero byte; the buffer is writable for its length; the descriptor is closed again.
    let read = unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC, 0);
        if fd < 0 {
            return &[];
        }
        let read = libc::syscall(libc::SYS_read, fd, buffer.as_mut_ptr(), buffer.len());
        libc::syscall(libc::SYS_close, fd);
        read
    };
    &buffer[..usize::try_from(read).unwrap_or(0)]
}

fn pause(ms: u64) {
    let time = libc::timespec { tv_sec: (ms / 1000) as i64, tv_nsec: (ms % 1000 * 1_000_000) as i64 };
    // SAFETY: the time is readable; no remainder is asked for.
    unsafe { libc::syscall(libc::SYS_nanosleep, &raw const time, std::ptr::null::<libc::timespec>()) };
}

fn integer(text: &[u8]) -> u64 {
    text.iter().fold(0, |n: u64, b| n.wrapping_mul(10).wrapping_add(u64::from(b.wrapping_sub(b'0'))))
}

/// `SplitMix64`: neighbouring numbers give unrelated ones.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
