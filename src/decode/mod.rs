//! Messages to readings: topic templates and payload formats.
