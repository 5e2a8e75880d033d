//! Any bytes as a model bundle: a bundle or an error.
#![no_main]

use kilter::bundle::ModelBundle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = ModelBundle::decode(bytes);
});
