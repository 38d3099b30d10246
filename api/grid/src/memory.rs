//! How the allocator behaves: a store lives on large buffers that come and go, and shall give them back.

/// Blocks of at least this size go back to the system when freed, instead of leaving holes in a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_MAPPING_BYTES: i32 = 1 << 20;
/// Free memory at the end of a heap that is kept for the next allocation.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: i32 = 16 << 20;

/// Sets the bounds; call it before the first thread starts. glibc's own defaults are eight heaps per core and blocks up to
/// 32 MiB in them, which more than doubles the resident memory of a loading store (measured with `grid demo`: 715 MB against
/// 390 MB). Whoever sets `MALLOC_*` in the environment knows better.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn tune() {
    if std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("MALLOC_")) {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let heaps = i32::try_from(cores.max(2)).unwrap_or(i32::MAX);
    // SAFETY: mallopt takes two integers and changes only the allocator's own parameters; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, heaps);
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT_BYTES);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn tune() {}
