//! Fuzzes Azure cost details as CSV.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_bill(data, grid_decode::bill::BillFormat::Azure);
});
