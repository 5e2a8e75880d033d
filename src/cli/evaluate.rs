//! `kilter evaluate`: judges detectors on labelled recordings, side by side.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::CliError;
use super::judging::{choose_grid, series_rows, series_spec, write_scores};
use crate::evaluate::{
    Contender, ContenderSummary, LabelledSeries, Means, SeriesReport, contenders, draw, evaluate_set, summarise,
};
use crate::ingest::{LabelColumn, ManifestEntry, Recording, read_manifest};
use crate::windowing::GridKind;

/// Name of a manifest that is used without being asked for.
const MANIFEST: &str = "MANIFEST.csv";
/// Said beside every NAB figure.
const NAB_NOTE: &str = "NAB's standard profile by its published rules (causal, 15 % probation), for the series of each \
     source; over another set of series than NAB's own it is not comparable with its leaderboard";

/// Judge the detectors on labelled recordings, side by side
///
/// The fused score, each of its members alone, and the trivial baseline are fitted on the training rows of every
/// recording and run through the daemon's own pipeline, each input row one window row. No measure uses point
/// adjustment.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// Recordings with a last column `label`, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A CSV that lists the recordings (columns file, source, train_rows, vus_window, half); a folder's own
    /// MANIFEST.csv when not given.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Only series of these sources.
    #[arg(long, value_name = "SOURCE", num_args = 1..)]
    source: Vec<String>,
    /// Only this half of the set.
    #[arg(long, value_name = "HALF")]
    half: Option<String>,
    /// Also report each half of the set.
    #[arg(long)]
    halves: bool,
    /// Only these contenders, such as fused, pca, autoencoder+pca, baseline.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    contender: Vec<String>,
    /// Rows to fit on where the manifest does not say; the first third when not given.
    #[arg(long, value_name = "N")]
    train_rows: Option<usize>,
    /// A configuration file; its first `[[series]]` over `[defaults]` says window, members and alarm budget.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, with a report for every series.
    #[arg(long)]
    json: bool,
    /// Draw each series as SVG into this folder.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Write the scores of each contender into this folder, one CSV per series under the contender's name.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// All that was found.
#[derive(Debug, Serialize)]
struct Document<'a> {
    /// Means and pooled figures by contender.
    summary: Vec<ContenderSummary>,
    /// The same for each half of the set.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    halves: BTreeMap<String, Vec<ContenderSummary>>,
    /// Every series.
    series: Vec<&'a SeriesReport>,
    /// Series that could not be judged.
    failed: Vec<Failed>,
    /// What the NAB figures are.
    nab_note: &'static str,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: String,
    reason: String,
}

/// Runs the command.
pub(super) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let mut spec = series_spec(args.config.as_deref())?;
    // Every member is judged as it is: none is switched off.
    spec.power.enabled = false;
    choose_grid(&mut spec, Some(GridKind::Row), args.config.is_some(), None)?;
    let set = read_set(args)?;
    let contenders = wanted_contenders(args, contenders(&spec.detector))?;
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} series, {elapsed} gone, about {eta} to go")
        .map_err(CliError::failed)?;
    let bar = ProgressBar::new(set.len() as u64).with_style(style);
    bar.tick();
    let results = evaluate_set(&set, &contenders, &spec, &|_| bar.inc(1));
    bar.finish_and_clear();
    let mut judged = Vec::new();
    let mut failed = Vec::new();
    for (series, result) in set.iter().zip(&results) {
        match result {
            Ok(report) => judged.push((series, report)),
            Err(fault) => failed.push(Failed { file: series.file.clone(), reason: fault.to_string() }),
        }
    }
    for (series, report) in &judged {
        write_files(args, series, report)?;
    }
    let mut halves = BTreeMap::new();
    if args.halves {
        let names: BTreeSet<&str> = set.iter().filter_map(|series| series.half.as_deref()).collect();
        for half in names {
            let summary = summarise(&judged, |report| report.half.as_deref() == Some(half));
            halves.insert(half.to_owned(), summary.map_err(CliError::failed)?);
        }
    }
    let summary = summarise(&judged, |_| true).map_err(CliError::failed)?;
    let series = judged.iter().map(|(_, report)| *report).collect();
    let document = Document { summary, halves, series, failed, nab_note: NAB_NOTE };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&document).map_err(CliError::failed)?);
    } else {
        print_tables(&document);
    }
    match document.failed.first() {
        Some(first) => Err(CliError::failed(format!(
            "{} of {} series could not be judged; {}: {}",
            document.failed.len(),
            set.len(),
            first.file,
            first.reason
        ))),
        None => Ok(()),
    }
}

/// The recordings asked for, read with their labels.
fn read_set(args: &EvaluateArgs) -> Result<Vec<LabelledSeries>, CliError> {
    let mut manifest: HashMap<String, ManifestEntry> = HashMap::new();
    let mut take = |path: &Path| -> Result<(), CliError> {
        let entries = read_manifest(path).map_err(CliError::failed)?;
        manifest.extend(entries.into_iter().map(|entry| (entry.file.clone(), entry)));
        Ok(())
    };
    if let Some(path) = &args.manifest {
        take(path)?;
    }
    let mut files = Vec::new();
    for path in &args.paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let own = path.join(MANIFEST);
        if args.manifest.is_none() && own.is_file() {
            take(&own)?;
        }
        files.extend(recordings_in(path)?);
    }
    let is_listed =
        |path: &PathBuf| manifest.is_empty() || args.paths.contains(path) || manifest.contains_key(&name(path));
    let is_wanted = |series: &LabelledSeries| {
        (args.source.is_empty() || args.source.contains(&series.source))
            && (args.half.is_none() || args.half == series.half)
    };
    let set: Result<Vec<LabelledSeries>, CliError> = files
        .iter()
        .filter(|path| is_listed(path))
        .map(|path| (path, manifest.get(&name(path))))
        .filter(|(_, entry)| entry.is_none_or(|entry| might_be_wanted(args, entry)))
        .map(|(path, entry)| read_labelled(path, entry, args.train_rows))
        .collect();
    let set: Vec<LabelledSeries> = set?.into_iter().filter(is_wanted).collect();
    if set.is_empty() {
        return Err(CliError::Usage("no labelled recording fits the paths, sources and half asked for".to_owned()));
    }
    Ok(set)
}

/// False when the manifest already tells that a series is not asked for, so that it need not be read.
fn might_be_wanted(args: &EvaluateArgs, entry: &ManifestEntry) -> bool {
    let is_other = entry.source.as_ref().is_some_and(|source| !args.source.is_empty() && !args.source.contains(source));
    !is_other && (args.half.is_none() || args.half == entry.half)
}

/// Name of a file without its folder.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn recordings_in(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let fault = |cause: std::io::Error| CliError::failed(format!("{}: {cause}", folder.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|extension| extension == "csv") && name(&path) != MANIFEST {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_labelled(
    path: &Path,
    entry: Option<&ManifestEntry>,
    train_rows: Option<usize>,
) -> Result<LabelledSeries, CliError> {
    let recording = Recording::open(path, LabelColumn::Read).map_err(CliError::failed)?;
    let Some(label) = recording.label.clone() else {
        return Err(CliError::failed(format!("{}: there is no last column `label` to judge by", path.display())));
    };
    let folder = path.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
    let source = entry.and_then(|entry| entry.source.clone()).or(folder).unwrap_or_else(|| "recordings".to_owned());
    let train_rows = entry.and_then(|entry| entry.train_rows).or(train_rows).unwrap_or(recording.n_rows() / 3);
    if train_rows > recording.n_rows() {
        let n_rows = recording.n_rows();
        return Err(CliError::failed(format!("{}: {train_rows} training rows of {n_rows}", path.display())));
    }
    Ok(LabelledSeries {
        file: name(path),
        source,
        half: entry.and_then(|entry| entry.half.clone()),
        rows: series_rows(&name(path), &recording, GridKind::Row)?,
        label,
        train_rows,
        vus_window: entry.and_then(|entry| entry.vus_window),
    })
}

fn wanted_contenders(args: &EvaluateArgs, all: Vec<Contender>) -> Result<Vec<Contender>, CliError> {
    if let Some(unknown) = args.contender.iter().find(|wanted| all.iter().all(|known| known.name != **wanted)) {
        let names: Vec<&str> = all.iter().map(|contender| contender.name.as_str()).collect();
        return Err(CliError::Usage(format!("--contender {unknown}: expected one of {}", names.join(", "))));
    }
    let is_wanted = |contender: &Contender| args.contender.is_empty() || args.contender.contains(&contender.name);
    Ok(all.into_iter().filter(is_wanted).collect())
}

/// Pictures of the first contender, scores of all.
fn write_files(args: &EvaluateArgs, series: &LabelledSeries, report: &SeriesReport) -> Result<(), CliError> {
    let stem = series.file.strip_suffix(".csv").unwrap_or(&series.file);
    if let (Some(folder), Some(first)) = (&args.svg, report.contenders.first()) {
        fs::create_dir_all(folder)?;
        let title = format!("{stem} ({}), {}", series.source, first.contender);
        let svg = draw(&title, &series.rows, &first.judged, Some(&series.label)).map_err(CliError::failed)?;
        fs::write(folder.join(format!("{stem}.svg")), svg)?;
    }
    if let Some(folder) = &args.out {
        for contender in &report.contenders {
            let folder = folder.join(&contender.contender);
            fs::create_dir_all(&folder)?;
            let mut file = BufWriter::new(fs::File::create(folder.join(&series.file))?);
            write_scores(&mut file, &contender.judged, Some(&series.rows.at))?;
        }
    }
    Ok(())
}

fn print_tables(document: &Document<'_>) {
    let sections = std::iter::once(("all series".to_owned(), &document.summary))
        .chain(document.halves.iter().map(|(half, summary)| (format!("half {half}"), summary)));
    for (title, summary) in sections {
        println!("{title}: mean over sources of the mean over series\n{}\n", overall(summary));
    }
    println!(
        "by source, VUS-PR live / settled\n{}\n",
        by_source(&document.summary, |group| {
            pair(group.means.live.map(|s| s.vus_pr), group.means.settled.map(|s| s.vus_pr), 3)
        })
    );
    println!(
        "by source, onset recall / false openings per 10,000 normal rows\n{}\n",
        by_source(&document.summary, |group| { pair(group.means.onset_recall, group.means.openings_per_10k, 2) })
    );
    println!(
        "by source, pooled F1 / false alarm rate / missed alarm rate of rows in alert\n{}\n",
        by_source(&document.summary, |group| {
            let protocol = group.protocol;
            format!("{:.2} / {:.1} % / {:.1} %", protocol.f1, 100.0 * protocol.far, 100.0 * protocol.mar)
        })
    );
    println!(
        "by source, NAB standard profile of openings / of rows in alert / of the live score at its best threshold\n{}",
        by_source(&document.summary, |group| {
            format!("{} / {}", pair(group.nab_openings, group.nab_rows, 1), number(group.nab_best, 1))
        })
    );
    println!("{NAB_NOTE}");
}

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let n_columns = header.len();
    table.set_header(header);
    for column in 1..n_columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn overall(summary: &[ContenderSummary]) -> Table {
    let header = [
        "contender",
        "score",
        "VUS-PR",
        "VUS-ROC",
        "AUC-PR",
        "AUC-ROC",
        "affiliation F1",
        "event recall",
        "onset recall",
        "openings/10k",
        "in alert",
        "before events",
        "delay, rows",
        "realised/promised",
        "s a series",
    ];
    let mut table = table(header.map(str::to_owned).to_vec());
    for contender in summary {
        let means = &contender.means;
        for (name, score) in [("live", means.live), ("settled", means.settled)] {
            let mut row = vec![contender.contender.clone(), name.to_owned()];
            row.extend([
                number(score.map(|s| s.vus_pr), 3),
                number(score.map(|s| s.vus_roc), 3),
                number(score.map(|s| s.auc_pr), 3),
                number(score.map(|s| s.auc_roc), 3),
            ]);
            if name == "live" {
                row.extend(alert_cells(means));
                row.push(number(contender.realised_per_promised, 2));
                row.push(number(Some(contender.seconds), 2));
            } else {
                row.resize(header.len(), String::new());
            }
            table.add_row(row);
        }
    }
    table
}

fn alert_cells(means: &Means) -> [String; 7] {
    let percent = |share: Option<f64>| share.map_or_else(dash, |share| format!("{:.1} %", 100.0 * share));
    [
        number(means.affiliation_f1, 3),
        number(means.event_recall, 2),
        number(means.onset_recall, 2),
        number(means.openings_per_10k, 1),
        percent(means.time_in_alert),
        percent(means.time_in_alert_before),
        number(means.onset_delay, 0),
    ]
}

fn by_source(summary: &[ContenderSummary], cell: impl Fn(&crate::evaluate::GroupSummary) -> String) -> Table {
    let groups = summary.first().map(|contender| contender.sources.as_slice()).unwrap_or_default();
    let mut header = vec!["contender".to_owned()];
    header.extend(groups.iter().map(|group| format!("{} ({})", group.group, group.series)));
    let mut table = table(header);
    for contender in summary {
        let mut row = vec![contender.contender.clone()];
        row.extend(contender.sources.iter().map(&cell));
        table.add_row(row);
    }
    table
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(dash, |value| format!("{value:.digits$}"))
}

fn pair(first: Option<f64>, second: Option<f64>, digits: usize) -> String {
    format!("{} / {}", number(first, digits), number(second, digits))
}

fn dash() -> String {
    "–".to_owned()
}
