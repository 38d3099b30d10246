//! Which descriptors and paths are watched.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{c_char, c_int};

use crate::record::setup;

/// Descriptors from here on are looked up at every call.
const KNOWN_FDS: usize = 4096;
/// Not looked at yet.
const UNKNOWN: u64 = 0;
/// Not watched.
const FOREIGN: u64 = 1;
/// Added to an inode, so that no inode reads as one of the above.
const SHIFT: u64 = 2;

/// Per descriptor: one of the constants above, or its inode shifted.
static FDS: [AtomicU64; KNOWN_FDS] = [const { AtomicU64::new(UNKNOWN) }; KNOWN_FDS];

/// A path relative to the root.
pub(crate) type Path = Vec<u8>;

/// The inode behind a descriptor, if it is watched.
pub(crate) fn watched(fd: c_int) -> Option<u64> {
    setup()?;
    // Standard streams may be a test's log in the watched folder.
    if fd <= 2 {
        return None;
    }
    let slot = usize::try_from(fd).ok().and_then(|fd| FDS.get(fd));
    let known = slot.map_or(UNKNOWN, |s| s.load(Ordering::Acquire));
    let value = if known == UNKNOWN { look_up(fd) } else { known };
    if let Some(slot) = slot.filter(|_| known == UNKNOWN) {
        slot.store(value, Ordering::Release);
    }
    (value > FOREIGN).then(|| value - SHIFT)
}

/// A descriptor came or went: what is known of its number is out of date.
pub(crate) fn forget(fd: c_int) {
    if let Some(slot) = usize::try_from(fd).ok().and_then(|fd| FDS.get(fd)) {
        slot.store(UNKNOWN, Ordering::Release);
    }
}

fn look_up(fd: c_int) -> u64 {
    match path_of(fd) {
        Some(path) if !ignored(&path) => stat(fd).map_or(FOREIGN, |s| s.st_ino + SHIFT),
        _ => FOREIGN,
    }
}

/// Size, kind, inode of an open file.
pub(crate) fn stat(fd: c_int) -> Option<libc::stat> {
    // SAFETY: an all-zero stat is valid, and fstat fills it or fails.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut stat) == 0).then_some(stat)
    }
}

/// The same for a path, without following a link at its end.
pub(crate) fn stat_at(dir: c_int, path: *const c_char) -> Option<libc::stat> {
    // SAFETY: as above; the caller's path is as good as it was for the call that is being watched.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstatat(dir, path, &raw mut stat, libc::AT_SYMLINK_NOFOLLOW) == 0).then_some(stat)
    }
}

/// The path under which a watched descriptor was opened.
pub(crate) fn path_of(fd: c_int) -> Option<Path> {
    let mut link = *b"/proc/self/fd/0000000000\0";
    let mut n = fd;
    for digit in link[14..24].iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
    // The kernel wants the number without leading zeros.
    let mut short = [0_u8; 32];
    short[..14].copy_from_slice(&link[..14]);
    let digits = &link[14..24];
    let digits = &digits[digits.iter().position(|d| *d != b'0').unwrap_or(9)..];
    short[14..14 + digits.len()].copy_from_slice(digits);
    let target = read_link(&short)?;
    below_root(&target)
}

/// A path given to a call, as it lies below the root; `None` if it is not watched.
pub(crate) fn path_at(dir: c_int, path: *const c_char) -> Option<Path> {
    let root = &setup()?.root;
    if path.is_null() {
        return None;
    }
    // SAFETY: the caller of libc gave a string that ends with a zero byte.
    let given = unsafe { CStr::from_ptr(path) }.to_bytes();
    if given.first() == Some(&b'/') {
        // Nearly all calls of a program are for files elsewhere: look before copying.
        return given.starts_with(root).then(|| below_root(&plain(given))).flatten().filter(|p| !ignored(p));
    }
    let mut full = if dir == libc::AT_FDCWD {
        read_link(b"/proc/self/cwd\0")?
    } else {
        let root_of_dir = path_of(dir)?;
        [root, &b"/"[..], &root_of_dir].concat()
    };
    full.push(b'/');
    full.extend_from_slice(given);
    below_root(&plain(&full)).filter(|p| !ignored(p))
}

/// SQLite's shared memory holds nothing that must last.
fn ignored(path: &[u8]) -> bool {
    path.ends_with(b"-shm")
}

fn read_link(link: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the link ends with a zero byte; the buffer is writable for its length.
    let read = unsafe {
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    };
    usize::try_from(read).ok().map(|n| buffer[..n].to_vec())
}

fn below_root(path: &[u8]) -> Option<Path> {
    let rest = path.strip_prefix(setup()?.root.as_slice())?;
    match rest.first() {
        None => Some(Vec::new()),
        Some(b'/') => Some(rest[1..].to_vec()),
        Some(_) => None,
    }
}

/// Without empty parts, `.` and `..`.
fn plain(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts.iter().flat_map(|p| [&b"/"[..], p]).collect::<Vec<_>>().concat()
}
