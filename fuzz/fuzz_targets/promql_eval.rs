//! Fuzzes PromQL's evaluator: any expression, at a few steps, over series of every kind.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::promql::check_answer(data);
});
