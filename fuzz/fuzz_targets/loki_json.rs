//! Fuzzes Loki push, JSON.
#![no_main]

use grid_fuzz::{check, context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(grid_decode::loki::decode_json(data, &context()));
});
