//! The HTTP side: query API, live events, metrics, docs and the page, one file per resource.
//!
//! It reads through the store's [`Reader`](crate::store::Reader) and changes nothing itself: what a person asks for
//! (acknowledge, label, silence) is handed to the one writer. It knows nothing of topics, models or SQL.
//!
//! * [`HttpConfig`], [`AppState`], [`serve`]: how the service starts it.
//! * [`Live`], [`Readiness`], [`About`]: what the service tells it.
//! * [`view`]: the JSON forms, shared with the command line.

mod about;
mod activation;
mod alerts;
mod assets;
mod config;
mod docs;
mod error;
mod explanation;
mod extract;
mod health;
mod incidents;
mod latents;
mod live;
mod models;
mod paging;
mod preview;
mod readiness;
mod router;
mod rows;
mod scores;
mod series;
mod server;
mod shifts;
mod silences;
mod state;
mod stream;
mod targets;
pub mod view;

pub use about::About;
pub use activation::Activation;
pub use alerts::LabelRequest;
pub use config::HttpConfig;
pub use error::{ApiError, Problem};
pub use health::Health;
pub use live::{Live, LiveEvent, WarmUp};
pub use preview::LabelPreview;
pub use readiness::{Check, Readiness};
pub use router::openapi;
pub use server::serve;
pub use silences::NewSilence;
pub use state::{AppState, Deed};
