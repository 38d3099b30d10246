//! Fuzzes Prometheus remote write 2.0.
#![no_main]

use grid_fuzz::{check, context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(grid_decode::remote_write::decode_v2(data, &context()));
});
