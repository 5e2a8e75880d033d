//! `kilter silence`: keeps some alerts from telling anybody for a while.

use super::rows::{Column, print};
use super::source::SourceArgs;
use super::{CliError, OutputArgs};
use crate::http::NewSilence;
use crate::http::view::{MatcherView, Moment, ScheduleView, SilenceView};
use crate::series::{HumanDuration, Timestamp};
use crate::verdict::Matcher;

/// Keep some alerts from telling anybody for a while
#[derive(Debug, clap::Args)]
pub(super) struct SilenceArgs {
    #[command(subcommand)]
    command: SilenceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SilenceCommand {
    Add(Box<AddArgs>),
    List(ListArgs),
    Expire(ExpireArgs),
}

/// Make a silence. What it holds is stored and shown, and told once it ends if it is still open then
#[derive(Debug, clap::Args)]
struct AddArgs {
    /// Conditions that an alert must all meet, such as series=pump-1, series=~"hall-1/.*", kind!=stuck,
    /// channel=temperature, severity=warning.
    #[arg(required = true)]
    matchers: Vec<String>,
    /// For how long from its start, such as 2h or 7d.
    #[arg(long = "for", value_name = "DURATION", required_unless_present = "until", conflicts_with = "until")]
    duration: Option<String>,
    /// When it ends, such as 2026-11-24T18:00:00Z.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// When it starts; now when left out.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    comment: String,
    /// Who says so.
    #[arg(long, default_value_t = user())]
    author: String,
    /// A window that comes again: local time at which it begins, such as 22:00.
    #[arg(long, value_name = "HH:MM", requires = "to")]
    from: Option<String>,
    /// Local time at which the window ends; not after --from means on the next day.
    #[arg(long, value_name = "HH:MM", requires = "from")]
    to: Option<String>,
    /// Days on which the window begins, such as saturday,sunday; every day when left out.
    #[arg(long, value_delimiter = ',', requires = "from")]
    weekdays: Vec<String>,
    /// Time zone of the window, such as Europe/Berlin.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Print silences
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Also those that are over.
    #[arg(long)]
    expired: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// End a silence now
#[derive(Debug, clap::Args)]
struct ExpireArgs {
    /// The silence's id.
    silence: String,
    #[command(flatten)]
    source: SourceArgs,
}

/// Who sits at this command line, as far as it is known.
pub(super) fn user() -> String {
    std::env::var("USER").unwrap_or_default()
}

const COLUMNS: &[Column<SilenceView>] = &[
    Column("id", |s| s.id.as_str().into()),
    Column("state", |s| s.status.state.as_str().into()),
    Column("matchers", |s| matchers(s).into()),
    Column("starts_at", |s| s.starts_at.into()),
    Column("ends_at", |s| s.ends_at.into()),
    Column("schedule", |s| s.schedule.as_ref().map(schedule).into()),
    Column("created_by", |s| s.created_by.as_str().into()),
    Column("comment", |s| s.comment.as_str().into()),
];

fn matchers(silence: &SilenceView) -> String {
    let text = |view: &MatcherView| {
        Matcher::try_from(crate::verdict::MatcherSpec::from(view.clone()))
            .map_or_else(|e| e.to_string(), |m| m.to_string())
    };
    silence.matchers.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn schedule(schedule: &ScheduleView) -> String {
    let days = if schedule.weekdays.is_empty() { "daily".to_owned() } else { schedule.weekdays.join(",") };
    format!("{days} {}-{} {}", schedule.start_time, schedule.end_time, schedule.location)
}

/// Runs the command.
pub(super) fn run(args: &SilenceArgs) -> Result<(), CliError> {
    match &args.command {
        SilenceCommand::Add(args) => add(args),
        SilenceCommand::List(args) => {
            print(args.output, &args.source.open()?.silences(args.expired)?, COLUMNS, "No silences.")
        }
        SilenceCommand::Expire(args) => {
            let silence = args.source.expire_silence(&args.silence)?;
            println!("silence {} ended at {}", silence.id, silence.ends_at);
            Ok(())
        }
    }
}

fn add(args: &AddArgs) -> Result<(), CliError> {
    let new = request(args, Moment::now().0)?;
    let silence = args.source.add_silence(&new)?;
    print(args.output, &[silence], COLUMNS, "")
}

fn request(args: &AddArgs, now: Timestamp) -> Result<NewSilence, CliError> {
    let time = |name: &str, text: &str| {
        Moment::parse(text)
            .map_err(|_| CliError::Usage(format!("--{name} {text:?}: expected a time, as in 2026-11-24T18:00:00Z")))
    };
    let matcher = |text: &String| match Matcher::parse(text) {
        Ok(matcher) => Ok(MatcherView::from(matcher.spec())),
        Err(error) => Err(CliError::Usage(error.to_string())),
    };
    let start = args.start.as_deref().map(|text| time("start", text)).transpose()?;
    let ends_at = match (&args.until, &args.duration) {
        (Some(text), _) => time("until", text)?,
        (None, Some(text)) => {
            let length = HumanDuration::parse(text).map_err(|e| CliError::Usage(format!("--for {text:?}: {e}")))?;
            Moment(start.map_or(now, |start| start.0).plus_ms(length.as_ms()))
        }
        (None, None) => return Err(CliError::Usage("name --for or --until".to_owned())),
    };
    let schedule = args.from.clone().zip(args.to.clone()).map(|(start_time, end_time)| ScheduleView {
        weekdays: args.weekdays.iter().map(|day| day.trim().to_lowercase()).collect(),
        start_time,
        end_time,
        location: args.time_zone.clone(),
    });
    Ok(NewSilence {
        matchers: args.matchers.iter().map(matcher).collect::<Result<_, _>>()?,
        starts_at: start,
        ends_at,
        schedule,
        created_by: args.author.clone(),
        comment: args.comment.clone(),
    })
}
