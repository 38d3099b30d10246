//! Fuzzes declared mappings together with the bills that they describe.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_mapping(data);
});
