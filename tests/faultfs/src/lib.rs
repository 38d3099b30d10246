//! A file layer for tests, put beneath an unmodified program by `LD_PRELOAD`: it stands between the program (SQLite included)
//! and libc for every call that changes files.
//!
//! - `FAULTFS_ROOT`: absolute path, without symbolic links, of the folder that is watched. Everything else passes through.
//! - `FAULTFS_TRACE`: file to which every change is appended in the order in which it happened, see [`format`]. From it
//!   `tests/src/powercut/disk.rs` knows what a power cut at any moment may leave.
//! - `FAULTFS_CONTROL`: text file that says what shall go wrong from now on, read anew at every change, see [`fault`].
//!
//! Reading order: [`format`], [`record`] (the trace), [`fault`], [`files`] (which descriptors and paths are watched),
//! [`calls`] (what happens at each change), [`hooks`] (the names of libc).
//!
//! How the order is kept: a change and its record are made under one lock, so the trace has the order of the disk. A sync
//! has two records, one before it begins and one after it returned, and is not done under the lock; it covers what stands before
//! the first and is claimed only behind the second. Whoever ends the process, by a fault or by coming to its end, holds the lock.
//!
//! Not seen: writes through shared mappings (SQLite's `-shm` file, which is rebuilt after a crash and ignored here), and raw
//! system calls. Tests compare the trace with the folder at the end of a run, hence would notice.
//!
//! Architecture invariants:
//! - No file call of `std`: it would come back here. Only `libc::syscall`.
//! - The trace never claims durability that was not reached.
#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
#![allow(unsafe_code, reason = "libc's calls are unsafe, and so is taking their place")]

mod format;
mod record;
mod fault;
mod files;
mod calls;
mod hooks;
