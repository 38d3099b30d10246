//! What happens at each change of a watched file: ask for faults, do it, record it.

use libc::{c_char, c_int, c_long, iovec, mode_t, off_t, ssize_t};

use crate::fault::{Change, Verdict, decide};
use crate::files::{forget, path_at, path_of, stat, stat_at, watched};
use crate::format::kind;
use crate::record::{Fact, ORDER, append, first, token};

fn fail(errno: c_int) -> c_int {
    // SAFETY: libc answers a valid address of this thread's errno.
    unsafe { *libc::__errno_location() = errno };
    -1
}

fn record(kind: u32, fact: &Fact<'_>) {
    // SAFETY: there are no parts.
    unsafe { append(kind, fact, &[], 0) }
}

fn plain(result: c_long) -> c_int {
    result as c_int
}

/// Opens, and says if a file came to be or was emptied.
///
/// # Safety
/// As `openat(2)`.
pub(crate) unsafe fn open(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's arguments, unchanged.
    let real = || unsafe { plain(libc::syscall(libc::SYS_openat, dir, path, flags, mode)) };
    let changes = flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    let Some(name) = (if changes { path_at(dir, path) } else { None }) else {
        let fd = real();
        forget(fd);
        return fd;
    };
    let _order = ORDER.hold();
    let before = stat_at(dir, path);
    if before.is_none()
        && flags & libc::O_CREAT != 0
        && let Verdict::Fail(errno) = decide(Change::Make, &name)
    {
        return fail(errno);
    }
    let fd = real();
    forget(fd);
    // Only after success: a look at the file would replace the errno of a failure.
    if fd >= 0
        && let Some(after) = stat(fd)
    {
        match before {
            None => record(kind::CREATE, &Fact { inode: after.st_ino, path: &name, ..Fact::default() }),
            Some(old) if flags & libc::O_TRUNC != 0 && old.st_size > 0 => {
                record(kind::SET_LEN, &Fact { inode: after.st_ino, ..Fact::default() });
            }
            Some(_) => {}
        }
    }
    fd
}

/// Writes at the descriptor's position or at a given one.
///
/// # Safety
/// As `writev(2)` and `pwritev(2)`.
pub(crate) unsafe fn write(fd: c_int, parts: &[iovec], at: Option<off_t>) -> ssize_t {
    let real = |parts: &[iovec]| -> ssize_t {
        // SAFETY: the caller's buffers, or beginnings of them.
        unsafe {
            match (at, parts) {
                (None, [one]) => libc::syscall(libc::SYS_write, fd, one.iov_base, one.iov_len) as ssize_t,
                (None, _) => libc::syscall(libc::SYS_writev, fd, parts.as_ptr(), parts.len()) as ssize_t,
                (Some(at), [one]) => libc::syscall(libc::SYS_pwrite64, fd, one.iov_base, one.iov_len, at) as ssize_t,
                // Low and high half of the offset; in 64 bits the kernel takes all of it from the low one.
                (Some(at), _) => libc::syscall(libc::SYS_pwritev, fd, parts.as_ptr(), parts.len(), at, 0) as ssize_t,
            }
        }
    };
    let Some(inode) = watched(fd) else { return real(parts) };
    let total: usize = parts.iter().map(|p| p.iov_len).sum();
    if total == 0 {
        return real(parts);
    }
    let _order = ORDER.hold();
    let before = stat(fd).map_or(0, |s| s.st_size);
    // SAFETY: integers only.
    let position = || unsafe { libc::syscall(libc::SYS_lseek, fd, 0, libc::SEEK_CUR) };
    // SAFETY: integers only.
    let appends = unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFL) } & c_long::from(libc::O_APPEND) != 0;
    let begins = if appends { before } else { at.unwrap_or_else(position) };
    let extends = begins + total as i64 > before;
    let name = path_of(fd).unwrap_or_default();
    let (bytes, then) = match decide(Change::Write { extends }, &name) {
        Verdict::Pass | Verdict::Pretend => (total, None),
        Verdict::Fail(errno) => return fail(errno) as ssize_t,
        Verdict::Half(then) => (total.div_ceil(2), then),
    };
    let parts = first(parts, bytes);
    let written = real(&parts);
    if written > 0 {
        let fact = Fact { inode, at: begins as u64, ..Fact::default() };
        // SAFETY: the kernel has just read these bytes.
        unsafe { append(kind::WRITE, &fact, &parts, written as usize) };
    }
    match then {
        Some(errno) if written >= 0 => fail(errno) as ssize_t,
        _ => written,
    }
}

/// Sets a length.
///
/// # Safety
/// As `ftruncate(2)`.
pub(crate) unsafe fn set_len(fd: c_int, len: off_t) -> c_int {
    // SAFETY: integers only.
    let real = || unsafe { plain(libc::syscall(libc::SYS_ftruncate, fd, len)) };
    let Some(inode) = watched(fd) else { return real() };
    let _order = ORDER.hold();
    let before = stat(fd).map_or(0, |s| s.st_size);
    if let Verdict::Fail(errno) = decide(Change::SetLen { extends: len > before }, &path_of(fd).unwrap_or_default()) {
        return fail(errno);
    }
    let done = real();
    if done == 0 && len != before {
        record(kind::SET_LEN, &Fact { inode, at: len as u64, ..Fact::default() });
    }
    done
}

/// Reserves room; only what it does to the length is recorded. Answers -1 and errno.
///
/// # Safety
/// As `fallocate(2)`.
pub(crate) unsafe fn reserve(fd: c_int, mode: c_int, at: off_t, len: off_t) -> c_int {
    // SAFETY: integers only.
    let real = || unsafe { plain(libc::syscall(libc::SYS_fallocate, fd, mode, at, len)) };
    let Some(inode) = watched(fd) else { return real() };
    let _order = ORDER.hold();
    let before = stat(fd).map_or(0, |s| s.st_size);
    if let Verdict::Fail(errno) = decide(Change::SetLen { extends: true }, &path_of(fd).unwrap_or_default()) {
        return fail(errno);
    }
    let done = real();
    if done == 0
        && let Some(after) = stat(fd)
        && after.st_size != before
    {
        record(kind::SET_LEN, &Fact { inode, at: after.st_size as u64, ..Fact::default() });
    }
    done
}

/// Syncs. What is claimed: everything before the first record, behind the second.
///
/// # Safety
/// As `fsync(2)`.
pub(crate) unsafe fn sync(fd: c_int, call: c_long) -> c_int {
    // SAFETY: integers only.
    let real = || unsafe { plain(libc::syscall(call, fd)) };
    let Some(inode) = watched(fd) else { return real() };
    match decide(Change::Sync, &path_of(fd).unwrap_or_default()) {
        Verdict::Fail(errno) => {
            let _order = ORDER.hold();
            record(kind::SYNC_FAILED, &Fact { inode, ..Fact::default() });
            return fail(errno);
        }
        Verdict::Pretend => return 0,
        Verdict::Pass | Verdict::Half(_) => {}
    }
    let token = token();
    {
        let _order = ORDER.hold();
        record(kind::SYNC_BEGIN, &Fact { inode, token, ..Fact::default() });
    }
    let done = real();
    let _order = ORDER.hold();
    let kind = if done == 0 { kind::SYNC_END } else { kind::SYNC_FAILED };
    record(kind, &Fact { inode, token, ..Fact::default() });
    done
}

/// Renames. A move in or out of the watched folder ends the process: the model could not follow.
///
/// # Safety
/// As `renameat2(2)`.
pub(crate) unsafe fn rename(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: libc::c_uint,
) -> c_int {
    // SAFETY: the caller's arguments, unchanged.
    let real = || unsafe { plain(libc::syscall(libc::SYS_renameat2, from_dir, from, to_dir, to, flags)) };
    let (path, second) = match (path_at(from_dir, from), path_at(to_dir, to)) {
        (Some(path), Some(second)) => (path, second),
        (None, None) => return real(),
        _ => crate::record::die("a rename crosses the border of FAULTFS_ROOT"),
    };
    let _order = ORDER.hold();
    if let Verdict::Fail(errno) = decide(Change::Rename, &second) {
        return fail(errno);
    }
    let done = real();
    if done == 0 {
        record(kind::RENAME, &Fact { path: &path, second: &second, ..Fact::default() });
    }
    done
}

/// Makes a hard link.
///
/// # Safety
/// As `linkat(2)`.
pub(crate) unsafe fn link(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's arguments, unchanged.
    let real = || unsafe { plain(libc::syscall(libc::SYS_linkat, from_dir, from, to_dir, to, flags)) };
    let (Some(path), Some(second)) = (path_at(from_dir, from), path_at(to_dir, to)) else { return real() };
    let _order = ORDER.hold();
    if let Verdict::Fail(errno) = decide(Change::Make, &second) {
        return fail(errno);
    }
    let done = real();
    if done == 0 {
        record(kind::LINK, &Fact { path: &path, second: &second, ..Fact::default() });
    }
    done
}

/// Removes a name of a file, or a folder.
///
/// # Safety
/// As `unlinkat(2)`.
pub(crate) unsafe fn remove(dir: c_int, path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments, unchanged.
    let real = || unsafe { plain(libc::syscall(libc::SYS_unlinkat, dir, path, flags)) };
    let Some(name) = path_at(dir, path) else { return real() };
    let _order = ORDER.hold();
    if let Verdict::Fail(errno) = decide(Change::Remove, &name) {
        return fail(errno);
    }
    let done = real();
    if done == 0 {
        let kind = if flags & libc::AT_REMOVEDIR != 0 { kind::RMDIR } else { kind::UNLINK };
        record(kind, &Fact { path: &name, ..Fact::default() });
    }
    done
}

/// Makes a folder.
///
/// # Safety
/// As `mkdirat(2)`.
pub(crate) unsafe fn make_dir(dir: c_int, path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's arguments, unchanged.
    let real = || unsafe { plain(libc::syscall(libc::SYS_mkdirat, dir, path, mode)) };
    let Some(name) = path_at(dir, path) else { return real() };
    let _order = ORDER.hold();
    // What is there already is no new folder, whatever the disk says.
    if stat_at(dir, path).is_none()
        && let Verdict::Fail(errno) = decide(Change::Make, &name)
    {
        return fail(errno);
    }
    let done = real();
    if done == 0
        && let Some(made) = stat_at(dir, path)
    {
        record(kind::MKDIR, &Fact { inode: made.st_ino, path: &name, ..Fact::default() });
    }
    done
}
