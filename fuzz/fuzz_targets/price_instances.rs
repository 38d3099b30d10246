//! Fuzzes the JSON of ec2instances.info.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_price(data, grid_decode::price::PriceFormat::Instances);
});
