//! Fuzzes the reader of the write-ahead log: bytes as they are, and as the payload of a record whose checksums are right.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::store::check_segment(data);
    grid_fuzz::store::check_payload(data);
});
