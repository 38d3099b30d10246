//! The names of libc that this library takes. Each has the signature of `libc`'s declaration; the optional last argument of
//! `open` and `fcntl` is taken as if always given, as the calling conventions of Linux allow.
//!
//! Safety of all of them: the caller keeps the contract of the call that it believes to make, and the same arguments go on to
//! the kernel.
#![allow(clippy::missing_safety_doc, reason = "said once, above")]

use libc::{c_char, c_int, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::calls;
use crate::files::{forget, watched};
use crate::record::ORDER;

/// Defines functions under libc's names that pass on to [`calls`].
macro_rules! hooks {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block)*) => {
        $($(#[$doc])* #[unsafe(no_mangle)] unsafe extern "C" fn $name($($arg: $type),*) -> $result {
            // SAFETY: see the module.
            unsafe { $body }
        })*
    };
}

const CWD: c_int = libc::AT_FDCWD;
const CREATE: c_int = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

unsafe fn parts<'a>(list: *const iovec, n: c_int) -> &'a [iovec] {
    if list.is_null() || n <= 0 {
        return &[];
    }
    // SAFETY: the caller of writev promises `n` parts.
    unsafe { std::slice::from_raw_parts(list, n as usize) }
}

fn one(bytes: *const c_void, n: size_t) -> [iovec; 1] {
    [iovec { iov_base: bytes.cast_mut(), iov_len: n }]
}

/// An error as `posix_fallocate` answers it: by value.
fn by_value(result: c_int) -> c_int {
    // SAFETY: libc answers a valid address of this thread's errno.
    if result == 0 { 0 } else { unsafe { *libc::__errno_location() } }
}

hooks! {
    fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int { calls::open(CWD, path, flags, mode) }
    fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int { calls::open(CWD, path, flags, mode) }
    fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int { calls::open(dir, path, flags, mode) }
    fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        calls::open(dir, path, flags, mode)
    }
    fn creat(path: *const c_char, mode: mode_t) -> c_int { calls::open(CWD, path, CREATE, mode) }
    fn creat64(path: *const c_char, mode: mode_t) -> c_int { calls::open(CWD, path, CREATE, mode) }

    fn write(fd: c_int, bytes: *const c_void, n: size_t) -> ssize_t { calls::write(fd, &one(bytes, n), None) }
    fn writev(fd: c_int, list: *const iovec, n: c_int) -> ssize_t { calls::write(fd, parts(list, n), None) }
    fn pwrite(fd: c_int, bytes: *const c_void, n: size_t, at: off_t) -> ssize_t {
        calls::write(fd, &one(bytes, n), Some(at))
    }
    fn pwrite64(fd: c_int, bytes: *const c_void, n: size_t, at: off_t) -> ssize_t {
        calls::write(fd, &one(bytes, n), Some(at))
    }
    fn pwritev(fd: c_int, list: *const iovec, n: c_int, at: off_t) -> ssize_t {
        calls::write(fd, parts(list, n), Some(at))
    }
    fn pwritev64(fd: c_int, list: *const iovec, n: c_int, at: off_t) -> ssize_t {
        calls::write(fd, parts(list, n), Some(at))
    }

    fn ftruncate(fd: c_int, len: off_t) -> c_int { calls::set_len(fd, len) }
    fn ftruncate64(fd: c_int, len: off_t) -> c_int { calls::set_len(fd, len) }
    fn fallocate(fd: c_int, mode: c_int, at: off_t, len: off_t) -> c_int { calls::reserve(fd, mode, at, len) }
    fn fallocate64(fd: c_int, mode: c_int, at: off_t, len: off_t) -> c_int { calls::reserve(fd, mode, at, len) }
    fn posix_fallocate(fd: c_int, at: off_t, len: off_t) -> c_int { by_value(calls::reserve(fd, 0, at, len)) }
    fn posix_fallocate64(fd: c_int, at: off_t, len: off_t) -> c_int { by_value(calls::reserve(fd, 0, at, len)) }

    fn fsync(fd: c_int) -> c_int { calls::sync(fd, libc::SYS_fsync) }
    fn fdatasync(fd: c_int) -> c_int { calls::sync(fd, libc::SYS_fdatasync) }

    fn rename(from: *const c_char, to: *const c_char) -> c_int { calls::rename(CWD, from, CWD, to, 0) }
    fn renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int {
        calls::rename(from_dir, from, to_dir, to, 0)
    }
    fn renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int {
        calls::rename(from_dir, from, to_dir, to, flags)
    }
    fn link(from: *const c_char, to: *const c_char) -> c_int { calls::link(CWD, from, CWD, to, 0) }
    fn linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) -> c_int {
        calls::link(from_dir, from, to_dir, to, flags)
    }
    fn unlink(path: *const c_char) -> c_int { calls::remove(CWD, path, 0) }
    fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int { calls::remove(dir, path, flags) }
    fn rmdir(path: *const c_char) -> c_int { calls::remove(CWD, path, libc::AT_REMOVEDIR) }
    fn mkdir(path: *const c_char, mode: mode_t) -> c_int { calls::make_dir(CWD, path, mode) }
    fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int { calls::make_dir(dir, path, mode) }

    /// Copies within the kernel are refused for watched files; programs then write, which is seen.
    fn copy_file_range(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, n: size_t, flags: c_uint) -> ssize_t {
        if watched(to).is_some() {
            *libc::__errno_location() = libc::ENOSYS;
            return -1;
        }
        libc::syscall(libc::SYS_copy_file_range, from, from_at, to, to_at, n, flags) as ssize_t
    }
    fn sendfile(to: c_int, from: c_int, at: *mut off_t, n: size_t) -> ssize_t {
        if watched(to).is_some() {
            *libc::__errno_location() = libc::EINVAL;
            return -1;
        }
        libc::syscall(libc::SYS_sendfile, to, from, at, n) as ssize_t
    }
    fn sendfile64(to: c_int, from: c_int, at: *mut off_t, n: size_t) -> ssize_t { sendfile(to, from, at, n) }

    fn close(fd: c_int) -> c_int {
        forget(fd);
        libc::syscall(libc::SYS_close, fd) as c_int
    }
    fn dup(fd: c_int) -> c_int {
        let new = libc::syscall(libc::SYS_dup, fd) as c_int;
        forget(new);
        new
    }
    fn dup2(fd: c_int, to: c_int) -> c_int {
        // dup3 refuses two equal descriptors, dup2 only looks whether it is open.
        let new = if fd == to {
            if libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) < 0 { -1 } else { to }
        } else {
            libc::syscall(libc::SYS_dup3, fd, to, 0) as c_int
        };
        forget(to);
        new
    }
    fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
        let new = libc::syscall(libc::SYS_dup3, fd, to, flags) as c_int;
        forget(to);
        new
    }
    fn fcntl(fd: c_int, command: c_int, value: size_t) -> c_int {
        let result = libc::syscall(libc::SYS_fcntl, fd, command, value) as c_int;
        if command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC {
            forget(result);
        }
        result
    }
    fn fcntl64(fd: c_int, command: c_int, value: size_t) -> c_int { fcntl(fd, command, value) }
}

/// Runs as the last thing of a process that ends by itself: from here on no thread is between a change and its record, as the lock is not given back, and
/// `exit_group` ends all of them.
extern "C" fn at_the_end() {
    std::mem::forget(ORDER.hold());
}

#[used]
// SAFETY: the loader calls what stands there when the process ends, after the program's own last words; the function takes nothing and returns.
#[unsafe(link_section = ".fini_array")]
static AT_THE_END: extern "C" fn() = at_the_end;
