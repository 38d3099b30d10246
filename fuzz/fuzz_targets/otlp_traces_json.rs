//! Fuzzes OTLP traces, JSON.
#![no_main]

use grid_fuzz::{check, context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(grid_decode::otlp_traces::decode_json(data, &context()));
});
