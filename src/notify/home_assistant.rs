//! Device discovery for Home Assistant (2024.11 form): one retained message a series.
//! <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>

use serde_json::{Value, json};

use super::topics::BaseTopic;
use crate::series::SeriesId;

/// The device of a series: a problem sensor, a score, and buttons that act on the alert that is open.
pub(super) fn device(base: &BaseTopic, series: &SeriesId) -> Value {
    let id = device_id(series);
    let available_on = base.topic("bridge/state");
    json!({
        "device": {"identifiers": [id], "name": series.as_str(), "manufacturer": "Kilter", "model": "Monitored series"},
        "origin": {"name": "kilter", "sw_version": env!("CARGO_PKG_VERSION")},
        "availability_topic": available_on,
        "payload_available": "online",
        "payload_not_available": "offline",
        "components": {
            "problem": {
                "platform": "binary_sensor",
                "unique_id": format!("{id}_problem"),
                "name": "Problem",
                "device_class": "problem",
                "state_topic": base.series_topic(series, "state"),
                "value_template": "{{ 'ON' if value == 'anomalous' else 'OFF' }}",
            },
            "score": {
                "platform": "sensor",
                "unique_id": format!("{id}_score"),
                "name": "Score",
                "state_class": "measurement",
                "suggested_display_precision": 2,
                "state_topic": base.series_topic(series, "score"),
                "value_template": "{{ value_json.live_score }}",
            },
            "acknowledge": {
                "platform": "button",
                "unique_id": format!("{id}_acknowledge"),
                "name": "Acknowledge",
                "icon": "mdi:check",
                "command_topic": base.topic("bridge/request/acknowledge"),
                "payload_press": json!({"series": series.as_str()}).to_string(),
                "qos": 1,
            },
            "false_alarm": {
                "platform": "button",
                "unique_id": format!("{id}_false_alarm"),
                "name": "False alarm",
                "icon": "mdi:bell-off",
                "command_topic": base.topic("bridge/request/label"),
                "payload_press": json!({"series": series.as_str(), "label": false, "author": "Home Assistant"}).to_string(),
                "qos": 1,
            },
        },
    })
}

/// Topic of the device under Home Assistant's prefix.
pub(super) fn config_topic(prefix: &BaseTopic, series: &SeriesId) -> String {
    prefix.topic(&format!("device/{}/config", device_id(series)))
}

/// Home Assistant allows letters, digits, `_` and `-` in ids: everything else of a series id becomes `_` and two hex
/// digits, so that different series stay different.
fn device_id(series: &SeriesId) -> String {
    let mut id = "kilter_".to_owned();
    for byte in series.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => id.push(char::from(byte)),
            _ => id.push_str(&format!("_{byte:02x}")),
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_a_device_of_its_own() {
        let id = |name: &str| device_id(&SeriesId::parse(name).unwrap());
        assert_eq!(id("pump-1"), "kilter_pump-1");
        assert_eq!(id("hall 1/pump"), "kilter_hall_201_2fpump");
        assert_ne!(id("a_b"), id("a b"));
        let series = SeriesId::parse("hall/pump").unwrap();
        let topic = config_topic(&BaseTopic::home_assistant(), &series);
        assert_eq!(topic, "homeassistant/device/kilter_hall_2fpump/config");
        let device = device(&BaseTopic::default(), &series);
        assert_eq!(device["components"]["problem"]["state_topic"], "kilter/series/hall%2Fpump/state");
    }
}
