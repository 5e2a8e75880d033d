//! Where messages come from: an MQTT broker or a recorded file.
