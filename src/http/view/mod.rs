//! The JSON forms of the API. Times are RFC 3339 in UTC; names are those of the contract and only ever gain fields.

mod alert;
mod event;
mod explanation;
mod incident;
mod model;
mod moment;
mod page;
mod power;
mod readings;
mod score;
mod series;
mod shift;
mod silence;
mod target;
pub(super) mod word;

pub use alert::{AlertChannelView, AlertView, TransitionView};
pub use event::{EventView, LaggedView};
pub use explanation::{ExplainedRowView, ExplanationView};
pub use incident::IncidentView;
pub use model::{ActivationView, LatentView, ModelView, TakeOverView};
pub use moment::Moment;
pub use page::Page;
pub use power::{ChannelPowerView, FaultPowerView, MemberPowerView, PowerView};
pub use readings::{ReadingRow, ReadingsView};
pub use score::ScoreRowView;
pub use series::{BudgetView, SeriesView, WarmUpView};
pub use shift::LevelShiftView;
pub use silence::{MatcherView, ScheduleView, SilenceStatusView, SilenceView};
pub use target::{DeadLetterView, TargetView};
