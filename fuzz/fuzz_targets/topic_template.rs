//! Any template, filter and topic: matching does not panic, and what a template matches its filter matches.
#![no_main]

use kilter::decode::{JsonPointer, TopicFilter, TopicTemplate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (pattern, topic) = texts;
    let _ = JsonPointer::parse(pattern);
    if let Ok(filter) = TopicFilter::parse(pattern) {
        filter.matches(topic);
    }
    if let Ok(template) = TopicTemplate::parse(pattern)
        && let Some(Ok(names)) = template.matches(topic)
    {
        assert!(template.filter().matches(topic));
        let _ = template.render(&names.series, names.channel.as_ref().map_or("", |channel| channel.as_str()));
    }
});
