//! Any payload gives readings that are finite or a reason that is known.
#![no_main]

use std::sync::LazyLock;

use kilter::decode::{DecodeError, MessageDecoder, PayloadFormat, PayloadSpec, TopicTemplate};
use kilter::series::Timestamp;
use libfuzzer_sys::fuzz_target;

static DECODER: LazyLock<MessageDecoder> = LazyLock::new(|| {
    let template = TopicTemplate::parse("plant/{series}/{channel}").expect("a template");
    MessageDecoder::single(template, PayloadSpec::new(PayloadFormat::JsonObject))
});

fuzz_target!(|payload: &[u8]| {
    match DECODER.decode("plant/pump/temp", payload, Timestamp::from_ms(1_795_521_600_000)) {
        Ok(decoded) => {
            assert!(!decoded.readings.is_empty());
            assert!(decoded.readings.iter().all(|reading| reading.value.is_finite()));
        }
        Err(error) => assert!(DecodeError::REASONS.contains(&error.reason())),
    }
});
