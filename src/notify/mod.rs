//! Delivery of alert transitions from the outbox.
