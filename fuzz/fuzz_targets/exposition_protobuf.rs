//! Fuzzes the protobuf exposition format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    grid_fuzz::check_protobuf_page(data);
});
