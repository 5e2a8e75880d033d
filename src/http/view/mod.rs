//! The JSON forms of the API. Times are RFC 3339 in UTC; names are those of the contract and only ever gain fields.

mod moment;

pub use moment::Moment;
