//! The command line, one file per command.
//!
//! Every command file holds its arguments and one `run` function. This file names the commands and the ways
//! one can fail; what an exit code means is decided in one match, [`CliError::exit_code`].

mod acknowledge;
mod alerts;
mod check;
mod demo;
mod error;
mod evaluate;
mod explain;
mod incidents;
mod judging;
mod label;
mod models;
mod output;
mod publish;
mod rows;
mod run;
mod score;
mod scores;
mod series;
mod shifts;
mod silence;
mod source;
mod targets;
mod train;

pub use error::CliError;
pub use output::OutputArgs;

/// Watches machines through their sensors and says when one does not behave as learned.
///
/// Readings come in over MQTT, scores and alerts go out. `kilter demo` shows all of it on a simulated plant.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 78 configuration.
#[derive(Debug, clap::Parser)]
#[command(name = "kilter", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Score(score::ScoreArgs),
    Evaluate(evaluate::EvaluateArgs),
    Train(train::TrainArgs),
    Models(models::ModelsArgs),
    Publish(publish::PublishArgs),
    Series(series::SeriesArgs),
    Scores(scores::ScoresArgs),
    Shifts(shifts::ShiftsArgs),
    Alerts(alerts::AlertsArgs),
    Incidents(incidents::IncidentsArgs),
    Explain(explain::ExplainArgs),
    Acknowledge(acknowledge::AcknowledgeArgs),
    Label(label::LabelArgs),
    Silence(silence::SilenceArgs),
    Targets(targets::TargetsArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// When the command fails; the error knows its exit code.
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Demo(args) => demo::run(&args),
            Command::Run(args) => run::run(&args),
            Command::Check(args) => check::run(&args),
            Command::Score(args) => score::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Train(args) => train::run(&args),
            Command::Models(args) => models::run(&args),
            Command::Publish(args) => publish::run(&args),
            Command::Series(args) => series::run(&args),
            Command::Scores(args) => scores::run(&args),
            Command::Shifts(args) => shifts::run(&args),
            Command::Alerts(args) => alerts::run(&args),
            Command::Incidents(args) => incidents::run(&args),
            Command::Explain(args) => explain::run(&args),
            Command::Acknowledge(args) => acknowledge::run(&args),
            Command::Label(args) => label::run(&args),
            Command::Silence(args) => silence::run(&args),
            Command::Targets(args) => targets::run(&args),
        }
    }
}
