//! The store: frames, scores, alerts, models and the outbox in one SQLite file.
