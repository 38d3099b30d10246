//! Fuzzes Google Cloud billing exports: JSON lines with nested records and credits, or flattened CSV.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_bill(data, grid_decode::bill::BillFormat::Gcp);
});
