//! Fuzzes Prometheus remote write 1.0.
#![no_main]

use grid_fuzz::{check, context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(grid_decode::remote_write::decode_v1(data, &context()));
});
