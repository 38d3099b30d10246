//! Fuzzes OTLP metrics, JSON.
#![no_main]

use grid_decode::otlp::OtlpOptions;
use grid_fuzz::{check, context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(grid_decode::otlp_metrics::decode_json(data, &OtlpOptions::default(), &context()));
});
