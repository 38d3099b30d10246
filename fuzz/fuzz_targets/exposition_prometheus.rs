//! Fuzzes the Prometheus text format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_exposition(data, grid_decode::exposition::Format::Prometheus);
});
