//! Every system of `docs/networks.md`: chosen by configuration, fitted, judging, stored, exported, imported, drawn from.

use std::ops::ControlFlow;
use std::path::Path;

use assert_cmd::Command;
use kilter::bundle::{FitInput, ModelBundle, fit};
use kilter::config::Config;
use kilter::detector::{Member, RowScratch};
use kilter::evaluate::contenders;
use kilter::series::{ChannelName, Timestamp, Window};
use kilter::verdict::StuckSpec;

/// Keys under `[defaults]` and its tables, by the name of the system.
pub(crate) const SYSTEMS: &[(&str, &str, &str)] = &[
    ("simple RNN", "autoencoder", "[defaults.autoencoder]\ncell = \"simple_rnn\""),
    ("GRU", "autoencoder", "[defaults.autoencoder]\ncell = \"gru\""),
    ("GRU, reset before", "autoencoder", "[defaults.autoencoder]\ncell = \"gru_reset_before\""),
    ("LSTM", "autoencoder", "[defaults.autoencoder]\ncell = \"lstm\""),
    ("stacked", "autoencoder", "[defaults.autoencoder]\nunits = [6, 5, 4]\ndropout = 0.1"),
    ("bidirectional", "autoencoder", "[defaults.autoencoder]\nbidirectional = true"),
    ("bidirectional, summed", "autoencoder", "[defaults.autoencoder]\nbidirectional = true\nmerge = \"sum\""),
    ("sequence to sequence", "autoencoder", "[defaults.autoencoder]\nreturn_sequences = true"),
    ("fed by its output", "autoencoder", "[defaults.autoencoder]\ndecoder_input = \"feedback\""),
    ("forward target", "autoencoder", "[defaults.autoencoder]\nreverse_target = false"),
    ("dense", "autoencoder", "[defaults.autoencoder]\nkind = \"dense\"\nunits = [16, 8]\nlatent = 2"),
    ("denoising, Gaussian", "autoencoder", "[defaults.autoencoder]\nnoise = { gaussian = 0.1 }"),
    ("denoising, masking", "autoencoder", "[defaults.autoencoder]\nnoise = { masking = 0.1 }"),
    ("denoising, channel drop", "autoencoder", "[defaults.autoencoder]\nnoise = { channel_drop = 0.1 }"),
    ("variational", "autoencoder", "[defaults.autoencoder]\nvariational = { kl_weight = 0.05 }"),
    (
        "variational, likelihood",
        "autoencoder",
        "[defaults.autoencoder]\nvariational = { score = \"likelihood\", n_samples = 4 }",
    ),
    ("attention", "autoencoder", "[defaults.autoencoder]\nkind = \"attention\"\nunits = 8\nheads = 2"),
    ("PCA", "pca", ""),
    ("PCA by count", "pca", "[defaults.pca]\nn_components = 3"),
    ("PCA, Q", "pca", "[defaults.pca]\nscore = \"q\""),
    ("PCA, T²", "pca", "[defaults.pca]\nscore = \"t2\""),
    ("kernel PCA", "kernel_pca", "[defaults.kernel_pca]\nkernel = \"rbf\""),
    ("kernel PCA, feature space", "kernel_pca", "[defaults.kernel_pca]\nerror = \"feature_space\""),
    ("kernel PCA, polynomial", "kernel_pca", "[defaults.kernel_pca]\nkernel = \"polynomial\"\ndegree = 2"),
    ("kernel PCA, linear", "kernel_pca", "[defaults.kernel_pca]\nkernel = \"linear\""),
];

/// A configuration of one system, small and quick.
fn configuration(member: &str, keys: &str) -> String {
    let mut text = format!("[defaults]\nmembers = [\"{member}\"]\nwindow = \"10 rows\"\nstride = \"1s\"\n{keys}\n");
    if member == "autoencoder" {
        text.push_str("epochs = 4\n");
        if !keys.contains("units") {
            text.push_str("units = 6\n");
        }
        if !keys.contains("latent") {
            text.push_str("latent = 3\n");
        }
    }
    text
}

/// Two coupled channels with a rhythm, `[n, 2]`.
fn rows(n: usize) -> Vec<f64> {
    let noise = |i: usize| ((i * 7919) % 1009) as f64 / 1009.0 - 0.5;
    (0..n)
        .flat_map(|i| {
            let phase = i as f64 * 0.21;
            [phase.sin() + 0.1 * noise(i), 20.0 + 5.0 * phase.cos() * phase.sin() + 0.4 * noise(3 * i + 1)]
        })
        .collect()
}

fn input(n: usize) -> FitInput {
    FitInput {
        channels: ["load", "temperature"].iter().map(|name| ChannelName::parse(name).unwrap()).collect(),
        values: rows(n),
        mask: vec![true; 2 * n],
        first_at: Timestamp::from_ms(0),
        last_at: Timestamp::from_ms(1000 * n as i64),
        excluded: Vec::new(),
        stuck: StuckSpec::default(),
    }
}

#[test]
fn every_system_is_chosen_by_configuration_learns_judges_and_survives_its_bytes() {
    for (name, member, keys) in SYSTEMS {
        let config = Config::parse(&configuration(member, keys), Path::new("system.toml")).unwrap();
        let mut spec = config.series[0].spec.detector.clone();
        let all = contenders(&spec);
        assert!(all.iter().any(|contender| contender.name == *member), "{name} stands in `kilter evaluate`");
        spec.autoencoder_from_rows = 100;
        let bundle = fit(&input(260), &spec, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(bundle.members(), [Member::from_name(member).unwrap()], "{name}");
        let again = ModelBundle::decode(&bundle.encode()).unwrap();
        assert_eq!(again.id(), bundle.id(), "{name}");
        let values = rows(300);
        let (t, mask) = (bundle.n_time(), vec![true; 2 * bundle.n_time()]);
        let (mut a, mut b) = (RowScratch::default(), RowScratch::default());
        let mut usual = Vec::new();
        for start in 260..300 - t {
            let window = |values| Window { values, mask: &mask, n_time: t, n_channels: 2, at: Timestamp::from_ms(0) };
            let seen = &values[2 * start..2 * (start + t)];
            assert!(bundle.detector.score(window(seen), &mut a) && again.detector.score(window(seen), &mut b));
            assert_eq!(a.row, b.row, "{name}: read back, it judges alike to the last bit");
            assert!(a.row.residual.fused.is_finite() && a.row.expected.iter().all(|x| x.is_finite()), "{name}");
            usual.push(a.row.residual.fused);
        }
        let mut windows = vec![0.0; (260..300 - t).len() * 2 * t];
        for (start, window) in (260..300 - t).zip(windows.chunks_exact_mut(2 * t)) {
            bundle.detector.scaler.scale_rows(&values[2 * start..2 * (start + t)], &mask, window);
        }
        let mut together = Vec::new();
        bundle.detector.expect_together(&windows, &mut b, &mut together);
        for (start, expected) in (260..300 - t).zip(together.chunks_exact(2)) {
            let window = &values[2 * start..2 * (start + t)];
            let window = Window { values: window, mask: &mask, n_time: t, n_channels: 2, at: Timestamp::from_ms(0) };
            assert!(
                bundle.detector.score(window, &mut a) && bundle.detector.score_with(window, Some(expected), &mut b)
            );
            assert_eq!(a.row, b.row, "{name}: asked for many windows together, it judges alike to the last bit");
        }
        let is_drawn = keys.contains("likelihood") || *member != "autoencoder";
        assert_eq!(together.is_empty(), is_drawn, "{name} is a network that reconstructs, or is not");
        let mut strange = values[2 * 270..2 * (270 + t)].to_vec();
        strange[2 * t - 2] += 8.0;
        let window = Window { values: &strange, mask: &mask, n_time: t, n_channels: 2, at: Timestamp::from_ms(0) };
        assert!(bundle.detector.score(window, &mut a));
        usual.sort_by(f64::total_cmp);
        let middle = usual[usual.len() / 2];
        assert!(
            a.row.residual.fused > 3.0 * middle,
            "{name}: a spike gives {}, rows like the learned {middle}",
            a.row.residual.fused
        );
        let first = &bundle.detector.members[0];
        if *member != "pca" || keys.contains("score") {
            assert!(first.n_latent() > 0, "{name} has a latent");
        }
        assert_eq!(first.sample(2, 1).is_some(), keys.contains("variational"), "{name} generates or does not");
    }
}

fn kilter(directory: &Path, arguments: &str) -> (bool, String, String) {
    let output = Command::cargo_bin("kilter")
        .unwrap()
        .current_dir(directory)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_model_is_drawn_from_mapped_exported_and_imported_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut recording = "timestamp,load,temperature\n".to_owned();
    for (i, row) in rows(320).chunks_exact(2).enumerate() {
        recording.push_str(&format!("{},{},{}\n", 1_700_000_000 + i, row[0], row[1]));
    }
    std::fs::write(path.join("pump.csv"), recording).unwrap();
    let keys = "[defaults.autoencoder]\nvariational = { kl_weight = 0.05 }";
    let config = configuration("autoencoder", keys).replace("stride", "warm_up_rows = 300\nstride");
    std::fs::write(path.join("vae.toml"), config).unwrap();
    let run = |arguments: &str| {
        let (is_done, out, err) = kilter(path, arguments);
        assert!(is_done, "kilter {arguments}\n{out}\n{err}");
        out
    };
    run("train pump --from pump.csv --rows 300 --config vae.toml --out pump.model");

    let csv = run("models sample pump.model --windows 3 --seed 4 --csv --svg drawn.svg");
    assert_eq!(csv.lines().count(), 1 + 3 * 10, "{csv}");
    assert!(csv.starts_with("window,row,load,temperature\n"));
    assert_eq!(csv, run("models sample pump.model --windows 3 --seed 4 --csv"), "the same seed draws the same");
    assert_ne!(csv, run("models sample pump.model --windows 3 --seed 5 --csv"));
    let temperatures: Vec<f64> = csv.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().parse().unwrap()).collect();
    assert!(temperatures.iter().all(|t| (10.0..30.0).contains(t)), "in the sender's unit: {temperatures:?}");
    assert_eq!(std::fs::read_to_string(path.join("drawn.svg")).unwrap().matches("<polyline").count(), 6);

    for map in ["pca", "tsne", "diffusion"] {
        let csv =
            run(&format!("models latent pump --model pump.model --from pump.csv --map {map} --svg map.svg --csv"));
        assert!(csv.starts_with("time,score,z0,z1,z2\n"), "{csv}");
        assert_eq!(csv.lines().count(), 1 + 320 - 9);
        assert_eq!(std::fs::read_to_string(path.join("map.svg")).unwrap().matches("<circle").count(), 2 * 311);
    }
    let (is_done, _, err) = kilter(path, "models latent pump --model pump.model --from pump.csv --map umap");
    assert!(!is_done && err.contains("pca, tsne, diffusion"), "{err}");

    run("models export pump.model pump.safetensors --format safetensors");
    run("models export pump.model pump.onnx --format onnx");
    assert!(std::fs::read(path.join("pump.onnx")).unwrap().len() > 1000);
    run("models import pump.safetensors pump --from pump.csv --rows 300 --config vae.toml --out again.model");
    // The same weights over the same rows: every window is scored alike, the calibration is learned alike.
    let scores = |model: &str| run(&format!("models latent pump --model {model} --from pump.csv --csv"));
    assert_eq!(scores("pump.model"), scores("again.model"));
    std::fs::write(path.join("other.toml"), configuration("autoencoder", "[defaults.autoencoder]\nunits = 9")).unwrap();
    let (is_done, _, err) =
        kilter(path, "models import pump.safetensors pump --from pump.csv --rows 300 --config other.toml --out x");
    assert!(!is_done && err.contains("encoder"), "{err}");
}

/// A running service, ended by force.
pub(crate) struct Service(std::process::Child);

impl Service {
    pub(crate) fn start(directory: &Path, http: u16) -> Self {
        let program = assert_cmd::cargo::cargo_bin("kilter");
        let child = std::process::Command::new(program)
            .args(["run", "--config", "kilter.toml"])
            .current_dir(directory)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let service = Self(child);
        until("the service is ready", || ureq::get(format!("http://127.0.0.1:{http}/readyz")).call().is_ok());
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs mosquitto"]
fn a_person_rolls_a_running_service_back_and_it_stays_so_over_a_kill() {
    let broker = crate::mosquitto::Mosquitto::start();
    let directory = tempfile::tempdir().unwrap();
    let (path, http) = (directory.path(), crate::mosquitto::free_port());
    let config = format!(
        "[mqtt]\nservers = [\"{}\"]\n[store]\nurl = \"sqlite:kilter.db\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
         [defaults]\ngrid = \"row\"\nwindow = \"10 rows\"\nkeep_latents = true\nmembers = [\"kernel_pca\"]\n",
        broker.url()
    );
    std::fs::write(path.join("kilter.toml"), config).unwrap();
    let url = format!("http://127.0.0.1:{http}");
    let json = |route: &str| -> serde_json::Value {
        ureq::get(format!("{url}/api/v1/{route}")).call().unwrap().body_mut().read_json().unwrap()
    };
    let n_rows =
        |resource: &str| json(&format!("series/pump/{resource}?limit=100000"))["data"].as_array().unwrap().len();
    let judging = || {
        let take_overs = json("series/pump/models");
        let ids = take_overs["data"].as_array().unwrap().iter().map(|t| t["model_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let all = rows(900);
    let publish = |from: usize, to: usize| {
        let mut recording = "timestamp,load,temperature\n".to_owned();
        for i in from..to {
            recording.push_str(&format!("{},{},{}\n", 1_700_000_000 + i, all[2 * i], all[2 * i + 1]));
        }
        std::fs::write(path.join("pump.csv"), recording).unwrap();
        let arguments = format!("publish pump.csv --broker {} --topic plant/{{series}}", broker.url());
        let (is_done, out, err) = kilter(path, &arguments);
        assert!(is_done, "{out}{err}");
    };
    let service = Service::start(path, http);
    // A few rows at a time, so that the ladder's fits come one after the other.
    let mut next = 0;
    for n_models in 1..=2 {
        while ureq::get(format!("{url}/api/v1/series/pump/models")).call().is_err() || judging().len() < n_models {
            assert!(next < 450, "{n_models} models have judged after {next} rows");
            publish(next, next + 15);
            next += 15;
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
    let fitted = judging();
    let (is_done, out, err) = kilter(path, &format!("models rollback pump --url {url}"));
    assert!(is_done && out.contains(&fitted[0]), "{out}{err}");
    until("the model before has taken over", || {
        publish(next, next + 1);
        next += 1;
        judging().len() == 3
    });
    assert_eq!(judging()[2], fitted[0]);
    assert!(n_rows("latents") > 0, "latents are kept: {}", n_rows("latents"));

    drop(service);
    let _again = Service::start(path, http);
    publish(next, 800);
    let last = format!("series/pump/scores?start={}", Timestamp::from_ms(1000 * (1_700_000_000 + 797)));
    until("the rows after the kill are judged", || !json(&last)["data"].as_array().unwrap().is_empty());
    assert_eq!(judging(), [fitted.clone(), vec![fitted[0].clone()]].concat(), "hundreds of rows fit no other model");
    let models = json("models?series=pump");
    let active: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|model| model["active_on"] == serde_json::json!(["pump"]))
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(active, [fitted[0].as_str()]);
    let (is_done, _, err) = kilter(path, &format!("models activate ffff --series pump --url {url}"));
    assert!(!is_done && err.contains("ffff"), "{err}");
}
