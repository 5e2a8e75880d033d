//! Payloads as senders write them, good and bad, and what holds for every sequence of bytes.

#![cfg(test)]

use proptest::prelude::*;

use super::*;
use crate::series::{Quality, Timestamp};

const ARRIVAL_MS: i64 = 1_795_521_600_000;

fn decoder(template: &str, spec: &str) -> MessageDecoder {
    let template = TopicTemplate::parse(template).expect("a template");
    let spec = format!("payload = {spec}");
    let spec: std::collections::HashMap<String, PayloadSpec> = toml::from_str(&spec).expect("a payload");
    MessageDecoder::single(template, spec["payload"].clone())
}

/// `series channel=value,… @ms since arrival`, or the reason of the refusal.
fn print(result: Result<Decoded, DecodeError>) -> String {
    match result {
        Err(error) => format!("! {}", error.reason()),
        Ok(decoded) => {
            let first = &decoded.readings[0];
            assert!(decoded.readings.iter().all(|r| r.series == first.series && r.at == first.at));
            let cells = decoded.readings.iter().map(|r| match r.quality {
                Quality::Good => format!("{}={}", r.channel, r.value),
                Quality::Missing => format!("{}=-", r.channel),
            });
            let refused = match (decoded.n_wrong_type, decoded.n_bad_name) {
                (0, 0) => String::new(),
                (wrong_type, bad_name) => format!(" wrong_type={wrong_type} bad_name={bad_name}"),
            };
            let cells = cells.collect::<Vec<_>>().join(",");
            format!("{} {cells} @{}{refused}", first.series, first.at.as_ms() - ARRIVAL_MS)
        }
    }
}

fn decode(decoder: &MessageDecoder, topic: &str, payload: impl AsRef<[u8]>) -> String {
    print(decoder.decode(topic, payload.as_ref(), Timestamp::from_ms(ARRIVAL_MS)))
}

#[test]
fn a_bare_number_is_a_reading_at_its_arrival() {
    let number = decoder("plant/{series}/{channel}", "\"number\"");
    assert_eq!(decode(&number, "plant/pump/temp", "21.5"), "pump temp=21.5 @0");
    assert_eq!(decode(&number, "plant/pump/temp", "NaN"), "pump temp=- @0");
    assert_eq!(decode(&number, "plant/pump/temp", ""), "! empty");
    assert_eq!(decode(&number, "plant/pump/temp", "on"), "! not_a_number");
    assert_eq!(decode(&number, "plant/pump", "1"), "! no_template");
    assert_eq!(decode(&number, "plant//temp", "1"), "! bad_name");
    assert_eq!(decode(&number, "plant/pump/temp", vec![b'1'; PAYLOAD_BYTES_MAX + 1]), "! too_large");
    assert_eq!(decode(&decoder("plant/{series}", "\"number\""), "plant/pump", "3"), "pump value=3 @0");
}

#[test]
fn pointers_find_value_and_time_anywhere() {
    let json = decoder(
        "plant/{series}/{channel}",
        "{ format = \"json\", value = \"/data/1/v\", time = \"/meta/t\", time_format = \"epoch_ms\" }",
    );
    let check = |payload: &str, expected: &str| assert_eq!(decode(&json, "plant/p/c", payload), expected, "{payload}");
    check(r#"{"meta":{"t":1795521600007},"data":[0,{"v":1.5}]}"#, "p c=1.5 @7");
    check(r#"{"data":[0,{"x":9,"v":true}],"meta":{"t":"1795521600007"}}"#, "p c=1 @7");
    check(r#"{"data":[0,{"v":"2.5"}],"meta":{"t":1795521600000}}"#, "p c=2.5 @0");
    check(r#"{"data":[0,{"v":null}],"meta":{"t":1795521600000}}"#, "p c=- @0");
    check(r#"{"data":[0,{"v":NaN}],"meta":{"t":1795521600000}}"#, "p c=- @0");
    check(r#"{"data":[0,{"v":"off"}],"meta":{"t":1795521600000}}"#, "! wrong_type");
    check(r#"{"data":[0,{"v":{}}],"meta":{"t":1795521600000}}"#, "! wrong_type");
    check(r#"{"data":[0],"meta":{"t":1795521600000}}"#, "! value_missing");
    check(r#"{"data":[0,{"v":1}],"meta":{}}"#, "! time_missing");
    check(r#"{"data":[0,{"v":1}],"meta":{"t":[]}}"#, "! wrong_type");
    check(r#"{"data":[0,{"v":1}],"meta":{"t":"noon"}}"#, "! time_unreadable");
    check(r#"{"data":[0,{"v":1}],"meta":{"t":1e300}}"#, "! time_unreadable");
    check(r#"{"data":[0,{"v":1}],"meta":{"t":1795521600000}} x"#, "! malformed_json");
    check(r#"{"data":[0,{"v":1}"#, "! malformed_json");
}

#[test]
fn every_numeric_member_of_an_object_is_a_channel() {
    let object = decoder("plant/{series}", "\"json_object\"");
    let check = |payload: &str, expected: &str| assert_eq!(decode(&object, "plant/p", payload), expected, "{payload}");
    check(r#"{"time":"2026-11-24T12:00:01Z","a":1,"b":-2.5e1,"state":"on","nested":{"c":3}}"#, "p a=1,b=-25 @1000");
    check(r#"{"a":1,"b":2,"timestamp":1795521602}"#, "p a=1,b=2 @2000");
    check(r#"{"b":2,"a":null}"#, "p b=2,a=- @0");
    check(r#"{"a": NaN, "b": Infinity}"#, "p a=-,b=- @0");
    // A channel that changes type is counted; a member that never was a number is nobody's business.
    check(r#"{"a":"high","b":2}"#, "p b=2 @0 wrong_type=1 bad_name=0");
    check(r#"{"a":"high"}"#, "! wrong_type");
    check(r#"{"state":"on"}"#, "! no_channels");
    check(r#"{"":1,"x+":2,"b":3}"#, "p b=3 @0 wrong_type=0 bad_name=2");
    check(r#"{"time":"soon","a":1}"#, "! time_unreadable");
    check("[1,2]", "! no_channels");
    check("7", "! wrong_type");
    check("null", "! wrong_type");
    check("{}", "! no_channels");
    check(r#"{"a":1e999}"#, "! malformed_json");
    check(r#"{"\u0061":4}"#, "p a=4 @0");
}

#[test]
fn members_are_chosen_by_place_and_name() {
    let spec =
        "{ format = \"json_object\", channels = \"/d\", time = \"/t\", include = [\"a\", \"b\"], exclude = [\"b\"] }";
    let object = decoder("plant/{series}", spec);
    assert_eq!(decode(&object, "plant/p", r#"{"t":1795521600,"d":{"a":1,"b":2,"c":3},"a":9}"#), "p a=1 @0");
    assert_eq!(decode(&object, "plant/p", r#"{"t":1795521600}"#), "! value_missing");
    assert_eq!(decode(&object, "plant/p", r#"{"t":1795521600,"d":{"a":"x"}}"#), "! wrong_type");
    let nested = decoder("plant/{series}/{channel}", "\"json_object\"");
    assert_eq!(decode(&nested, "plant/p/x", r#"{"min":1,"max":2}"#), "p x/min=1,x/max=2 @0");
}

#[test]
fn what_publish_sends_on_a_channel_topic_is_read_by_every_format() {
    for spec in ["\"number\"", "\"json\"", "\"json_object\""] {
        let decoder = decoder("plant/{series}/{channel}", spec);
        let with_time = r#"{"timestamp":"2026-11-24T12:00:01Z","value":2.5}"#;
        assert_eq!(decode(&decoder, "plant/p/temp", with_time), "p temp=2.5 @1000", "{spec}");
        assert_eq!(decode(&decoder, "plant/p/temp", r#"{"value":null}"#), "p temp=- @0", "{spec}");
    }
    assert_eq!(decode(&decoder("plant/{series}/{channel}", "\"json_object\""), "plant/p/temp", "7"), "p temp=7 @0");
    assert_eq!(decode(&decoder("plant/{series}/{channel}", "\"number\""), "plant/p/temp", "{}"), "! value_missing");
}

#[test]
fn too_many_members_are_refused() {
    let object = decoder("plant/{series}", "\"json_object\"");
    let members = |n: usize| (0..n).map(|i| format!("\"c{i}\":{i}")).collect::<Vec<_>>().join(",");
    assert!(decode(&object, "plant/p", format!("{{{}}}", members(4096))).starts_with("p c0=0,"));
    assert_eq!(decode(&object, "plant/p", format!("{{{}}}", members(4097))), "! too_many_channels");
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    let object = decoder("plant/{series}", "\"json_object\"");
    let deep = "[".repeat(100_000);
    assert_eq!(decode(&object, "plant/p", &deep), "! malformed_json");
    assert_eq!(decode(&object, "plant/p", format!("{{\"a\":{deep}")), "! malformed_json");
}

#[test]
fn a_retained_message_needs_its_own_time() {
    let object = decoder("plant/{series}", "\"json_object\"");
    assert_eq!(print(object.decode_retained("plant/p", br#"{"a":1}"#)), "! retained");
    assert_eq!(print(object.decode_retained("plant/p", br#"{"time":1795521601,"a":1}"#)), "p a=1 @1000");
    let number = decoder("plant/{series}", "\"number\"");
    assert_eq!(print(number.decode_retained("plant/p", b"1")), "! retained");
}

#[test]
fn the_first_matching_route_counts() {
    let route = |template: &str, format| Route {
        template: TopicTemplate::parse(template).expect("valid"),
        payload: PayloadSpec::new(format),
    };
    let decoder = MessageDecoder::new(vec![
        route("plant/{series}/{channel}", PayloadFormat::Number),
        route("plant/{series}/raw", PayloadFormat::JsonObject),
        route("plant/{series}", PayloadFormat::JsonObject),
    ]);
    for _ in 0..2 {
        let decode = |topic, payload: &[u8]| decoder.decode(topic, payload, Timestamp::from_ms(ARRIVAL_MS));
        assert_eq!(decode("plant/a/raw", b"1").map(|d| d.route), Ok(0));
        assert_eq!(decode("plant/a", b"{\"x\":1}").map(|d| d.route), Ok(2));
    }
    let filters: Vec<String> = decoder.filters().into_iter().map(String::from).collect();
    assert_eq!(filters, ["plant/+", "plant/+/+", "plant/+/raw"]);
}

/// Bytes, text, and almost JSON.
fn payloads() -> impl Strategy<Value = Vec<u8>> {
    let almost_json = prop::collection::vec(
        prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(":"),
            Just(","),
            Just("\"a\""),
            Just("\"time\""),
            Just("\"value\""),
            Just("1.5"),
            Just("-"),
            Just("NaN"),
            Just("Infinity"),
            Just("null"),
            Just("true"),
            Just("1795521600"),
            Just("\"2026-11-24T12:00:00Z\""),
            Just("\\"),
            Just("\""),
            Just("e9"),
            Just(" "),
        ],
        0..40,
    );
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        almost_json.prop_map(|parts| parts.concat().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_readings_or_a_reason(payload in payloads(), topic in prop_oneof![Just("p/a/b".to_owned()), any::<String>()]) {
        for spec in ["\"number\"", "\"json\"", "\"json_object\"", "{ format = \"json\", value = \"\" }"] {
            let decoder = decoder("p/{series}/{channel}", spec);
            for _ in 0..2 {
                match decoder.decode(&topic, &payload, Timestamp::from_ms(ARRIVAL_MS)) {
                    Ok(decoded) => {
                        prop_assert!(!decoded.readings.is_empty());
                        prop_assert!(decoded.readings.iter().all(|reading| reading.value.is_finite()));
                    }
                    Err(error) => prop_assert!(DecodeError::REASONS.contains(&error.reason())),
                }
            }
        }
    }

    /// Exactly for up to 15 digits, as sensors send; longer ones to the last bits, since the parser is built without
    /// its slower exact mode: it rounds the digits, up to two powers of ten and as many quotients, each by at most
    /// 1.2e-16 of the value.
    #[test]
    fn numbers_come_through(values in prop::collection::vec(prop_oneof![any::<f64>(), Just(f64::NAN), (-999_999_999_i64..999_999_999, 0..7).prop_map(|(n, e)| n as f64 / 10_f64.powi(e))], 1..20)) {
        let decoder = decoder("p/{series}", "\"json_object\"");
        let members: Vec<String> = values.iter().enumerate()
            .map(|(i, v)| format!("\"c{i}\":{}", serde_json::to_string(v).expect("JSON"))).collect();
        let payload = format!("{{{}}}", members.join(","));
        let decoded = decoder.decode("p/a", payload.as_bytes(), Timestamp::from_ms(ARRIVAL_MS));
        let decoded = decoded.map_err(|error| TestCaseError::fail(error.to_string()))?;
        for (reading, value) in decoded.readings.iter().zip(&values) {
            prop_assert_eq!(reading.quality == Quality::Good, value.is_finite());
            let is_short = serde_json::to_string(value).expect("JSON").len() < 15;
            if is_short && value.is_finite() {
                prop_assert_eq!(reading.value, *value);
            } else if value.is_finite() {
                prop_assert!((reading.value - value).abs() <= value.abs() * 6e-16 + f64::MIN_POSITIVE);
            }
        }
    }
}
