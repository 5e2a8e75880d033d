//! What is running, as the health page and an empty fleet page tell it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::Moment;
use crate::decode::{PayloadFormat, PayloadSpec, TopicTemplate};
use crate::series::SeriesId;

/// The service in a few facts that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started_at: Moment,
    /// Broker it listens to, as `mqtt://host:port`; none before one is known.
    pub broker: Option<String>,
    /// Topic templates it reads, as configured.
    pub topics: Vec<String>,
    /// A command that makes a first series appear, for an empty page.
    pub example_command: Option<String>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Moment::now(),
            broker: None,
            topics: Vec::new(),
            example_command: None,
        }
    }
}

/// Names to try for an example series: one for each number of levels that a template may give to it.
const EXAMPLE_SERIES: [&str; 4] = ["pump-1", "hall-1/pump-1", "plant-1/hall-1/pump-1", "site-1/plant-1/hall-1/pump-1"];

impl About {
    /// A service that listens to a broker (`mqtt://host:port`) on topics of some templates.
    pub fn listening(broker: Option<String>, entries: &[(&TopicTemplate, &PayloadSpec)]) -> Self {
        let topics = entries.iter().map(|(topic, _)| topic.as_str().to_owned()).collect();
        let example_command = broker.as_deref().and_then(|broker| {
            entries.iter().find_map(|(topic, payload)| {
                Some(format!(
                    "mosquitto_pub -L '{broker}/{}' -q 1 -m '{}'",
                    example_topic(topic)?,
                    example_payload(payload, topic.names_channel())?
                ))
            })
        });
        Self { broker, topics, example_command, ..Self::default() }
    }
}

fn example_topic(template: &TopicTemplate) -> Option<String> {
    let names = EXAMPLE_SERIES.iter().filter_map(|name| SeriesId::parse(name).ok());
    // A quote would end the argument in a shell.
    names.filter_map(|series| template.render(&series, "temperature").ok()).find(|topic| !topic.contains('\''))
}

/// A payload that the spec reads; none where only the configuration's author knows what one looks like.
fn example_payload(spec: &PayloadSpec, names_channel: bool) -> Option<String> {
    let plain = PayloadSpec::new(spec.format);
    match spec.format {
        PayloadFormat::Number => Some("21.5".to_owned()),
        PayloadFormat::Json if *spec == plain => Some(r#"{"value": 21.5}"#.to_owned()),
        PayloadFormat::JsonObject if *spec == plain && !names_channel => {
            Some(r#"{"temperature": 21.5, "pressure": 3.2}"#.to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::MessageDecoder;
    use crate::decode::Route;
    use crate::series::Timestamp;

    #[test]
    fn the_example_command_sends_what_the_service_reads() {
        let check = |topic: &str, format: PayloadFormat, expected: &str| {
            let (template, spec) = (TopicTemplate::parse(topic).unwrap(), PayloadSpec::new(format));
            let about = About::listening(Some("mqtt://localhost:1883".to_owned()), &[(&template, &spec)]);
            let command = about.example_command.unwrap();
            assert_eq!(command, expected);
            let parts: Vec<&str> = command.split('\'').collect();
            let topic = parts[1].strip_prefix("mqtt://localhost:1883/").unwrap();
            let decoder = MessageDecoder::new(vec![Route { template, payload: spec }]);
            let readings = decoder.decode(topic, parts[3].as_bytes(), Timestamp::from_ms(1)).unwrap().readings;
            assert!(readings.iter().any(|reading| reading.value == 21.5), "{readings:?}");
        };
        check(
            "plant/{series}",
            PayloadFormat::JsonObject,
            "mosquitto_pub -L 'mqtt://localhost:1883/plant/pump-1' -q 1 -m '{\"temperature\": 21.5, \"pressure\": 3.2}'",
        );
        check(
            "site/{site}/{machine}/{channel}",
            PayloadFormat::Number,
            "mosquitto_pub -L 'mqtt://localhost:1883/site/hall-1/pump-1/temperature' -q 1 -m '21.5'",
        );
    }
}
