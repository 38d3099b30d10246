//! Appending to the trace.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use libc::{c_int, c_void};

use crate::format::Header;

/// What the environment asked for; `None` if this process is not watched.
pub(crate) struct Setup {
    /// Without a slash at its end.
    pub(crate) root: Vec<u8>,
    pub(crate) control: Option<CString>,
    trace: c_int,
}

/// Descriptors below this are left to the program.
const TRACE_FD_MIN: c_int = 900;

static SETUP: OnceLock<Option<Setup>> = OnceLock::new();
static TOKENS: AtomicU32 = AtomicU32::new(0);

/// The setup, read from the environment at the first call.
pub(crate) fn setup() -> Option<&'static Setup> {
    SETUP.get_or_init(read_environment).as_ref()
}

fn variable(name: &CStr) -> Option<CString> {
    // SAFETY: the name ends with a zero byte; what getenv answers is such a string too, and is copied before anything could
    // change the environment (the programs under test never do).
    unsafe {
        let value = libc::getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value).to_owned())
    }
}

fn read_environment() -> Option<Setup> {
    let root = variable(c"FAULTFS_ROOT")?.into_bytes();
    let trace = match variable(c"FAULTFS_TRACE") {
        Some(path) => open_trace(&path),
        None => -1,
    };
    Some(Setup { root, control: variable(c"FAULTFS_CONTROL"), trace })
}

fn open_trace(path: &CStr) -> c_int {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the path ends with a zero byte; the other arguments are integers.
    let low = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644) };
    if low < 0 {
        die("cannot open FAULTFS_TRACE");
    }
    // SAFETY: `low` was opened above and is given up here.
    unsafe {
        let high = libc::syscall(libc::SYS_fcntl, low, libc::F_DUPFD_CLOEXEC, TRACE_FD_MIN);
        if high < 0 {
            return low as c_int;
        }
        libc::syscall(libc::SYS_close, low);
        high as c_int
    }
}

/// A number that joins the two records of a sync, unique over the processes of one trace.
pub(crate) fn token() -> u64 {
    let n = TOKENS.fetch_add(1, Ordering::Relaxed);
    u64::from(std::process::id()) << 32 | u64::from(n)
}

/// What a record says beside its kind; the rest is zero.
#[derive(Default)]
pub(crate) struct Fact<'a> {
    pub(crate) inode: u64,
    pub(crate) at: u64,
    pub(crate) token: u64,
    pub(crate) path: &'a [u8],
    pub(crate) second: &'a [u8],
}

/// Appends a record whose data is the first `data_bytes` of `parts`, in one write, so that records of several processes do not
/// mix. Ends the process if that fails: a trace with a gap would accuse the program falsely.
///
/// # Safety
/// The parts must be readable.
pub(crate) unsafe fn append(kind: u32, fact: &Fact<'_>, parts: &[libc::iovec], data_bytes: usize) {
    let Some(Setup { trace, .. }) = setup() else { return };
    if *trace < 0 {
        return;
    }
    let header = Header {
        kind,
        inode: fact.inode,
        at: fact.at,
        token: fact.token,
        path_bytes: fact.path.len() as u32,
        second_bytes: fact.second.len() as u32,
        data_bytes: data_bytes as u64,
    }
    .encode();
    let own = |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    let mut all = vec![own(&header), own(fact.path), own(fact.second)];
    all.extend(first(parts, data_bytes));
    let total: usize = all.iter().map(|p| p.iov_len).sum();
    // SAFETY: the header and the paths are borrowed for the whole call; the parts are readable as the caller promises.
    let written = unsafe { libc::syscall(libc::SYS_writev, *trace, all.as_ptr(), all.len()) };
    if written != total as i64 {
        die("cannot append to FAULTFS_TRACE");
    }
}

/// The parts up to a number of bytes.
pub(crate) fn first(parts: &[libc::iovec], mut bytes: usize) -> Vec<libc::iovec> {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        let len = part.iov_len.min(bytes);
        if len > 0 {
            out.push(libc::iovec { iov_base: part.iov_base, iov_len: len });
        }
        bytes -= len;
    }
    out
}

/// Ends the process: the test that watches it must not go on.
pub(crate) fn die(why: &str) -> ! {
    // SAFETY: the text is readable for its length; abort may be called anywhere.
    unsafe {
        libc::syscall(libc::SYS_write, 2, c"faultfs: ".as_ptr(), 9);
        libc::syscall(libc::SYS_write, 2, why.as_ptr(), why.len());
        libc::syscall(libc::SYS_write, 2, c"\n".as_ptr(), 1);
        libc::abort()
    }
}

/// One lock over all changes. Not `std`'s or `parking_lot`'s: it is taken inside calls that their slow paths might make, and must
/// work in any thread at any age.
pub(crate) struct Lock(AtomicI32);

/// The lock while it is held.
pub(crate) struct Held<'a>(&'a Lock);

/// The one lock.
pub(crate) static ORDER: Lock = Lock(AtomicI32::new(0));

impl Lock {
    /// Waits for the lock.
    pub(crate) fn hold(&self) -> Held<'_> {
        // 0 free, 1 held, 2 held and waited for: the usual futex mutex.
        if self.0.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.0.swap(2, Ordering::Acquire) != 0 {
                // SAFETY: the futex word lives as long as the program; no timeout is given.
                unsafe {
                    let null = std::ptr::null::<c_void>();
                    libc::syscall(
                        libc::SYS_futex,
                        self.0.as_ptr(),
                        libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                        2,
                        null,
                    );
                }
            }
        }
        Held(self)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.0.0.swap(0, Ordering::Release) == 2 {
            // SAFETY: as in `hold`.
            unsafe {
                libc::syscall(libc::SYS_futex, self.0.0.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
            }
        }
    }
}

/// Counts changes, for faults that strike by chance.
pub(crate) static CHANGES: AtomicU64 = AtomicU64::new(0);
