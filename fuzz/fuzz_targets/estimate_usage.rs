//! Fuzzes usage files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = grid_estimate::Usage::read("usage.yml", text);
    let _ = grid_estimate::PriceFile::read("prices.csv", text);
});
