//! The configuration file: sections owned by their consumers, composed and checked here.
