//! Fuzzes lists of reservations.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_price(data, grid_decode::price::PriceFormat::Reservations);
});
