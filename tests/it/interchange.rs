//! Exported networks in the programs they are exported for: the real torch and onnxruntime.

use std::path::{Path, PathBuf};
use std::process::Command;

use kilter::detector::autoencoder::export::{onnx, safetensors};
use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, Network};
use kilter::nn::generator::Generator;
use serde_json::json;

/// Every exported system, as a user writes it.
fn systems() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("simple", json!({"cell": "simple", "units": [7], "latent": 3})),
        ("gru", json!({"cell": "gru", "units": [32], "latent": 8})),
        ("gru_without_latent", json!({"cell": "gru", "units": [9], "latent": 0, "reverse_target": false})),
        ("gru_reset_before", json!({"cell": "gru_reset_before", "units": [7], "latent": 3})),
        ("lstm", json!({"cell": "lstm", "units": [7], "latent": 3})),
        ("stacked", json!({"cell": "lstm", "units": [8, 5], "latent": 3})),
        ("bidirectional", json!({"cell": "gru", "units": [6, 4], "latent": 3, "bidirectional": true})),
        ("summed", json!({"cell": "lstm", "units": [6], "latent": 3, "bidirectional": true, "merge": "sum"})),
        ("sequence", json!({"cell": "gru", "units": [7, 5], "latent": 3, "return_sequences": true})),
        ("feedback_simple", json!({"cell": "simple", "units": [6], "latent": 3, "decoder_input": "feedback"})),
        ("feedback_gru", json!({"cell": "gru", "units": [6], "latent": 3, "decoder_input": "feedback"})),
        (
            "feedback_reset_before",
            json!({"cell": "gru_reset_before", "units": [6], "latent": 3, "decoder_input": "feedback"}),
        ),
        ("feedback_lstm", json!({"cell": "lstm", "units": [6], "latent": 3, "decoder_input": "feedback"})),
        ("dense", json!({"kind": "dense", "units": [20, 10], "latent": 2, "activation": "relu"})),
        ("dense_tanh", json!({"kind": "dense", "units": [9], "latent": 2, "activation": "tanh"})),
        ("dense_sigmoid", json!({"kind": "dense", "units": [9, 4], "latent": 2, "activation": "sigmoid"})),
        ("attention", json!({"kind": "attention", "units": [8], "latent": 3, "heads": 2})),
        ("noisy", json!({"cell": "gru", "units": [6, 5], "latent": 3, "dropout": 0.3, "noise": {"masking": 0.3}})),
        ("variational", json!({"cell": "gru", "units": [7], "latent": 3, "variational": {"kl_weight": 0.1}})),
    ]
}

/// A Python that has torch, keras, onnxruntime and safetensors: the one in `KILTER_TEST_PYTHON`, or a fresh environment.
pub(crate) fn python(directory: &Path) -> PathBuf {
    if let Some(python) = std::env::var_os("KILTER_TEST_PYTHON") {
        return python.into();
    }
    let environment = directory.join("venv");
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).status().unwrap();
    assert!(made.success(), "python3 -m venv");
    let python = environment.join("bin/python");
    let packages = ["torch", "keras", "onnxruntime", "numpy", "safetensors"];
    let installed = Command::new(&python).args(["-m", "pip", "install", "-q"]).args(packages).status().unwrap();
    assert!(installed.success(), "pip install {packages:?}");
    python
}

#[test]
#[ignore = "needs torch and onnxruntime"]
fn exported_networks_reconstruct_the_same_in_torch_and_onnxruntime() {
    let directory = tempfile::tempdir().unwrap();
    let (b, t, c) = (5, 11, 3);
    for (name, spec_json) in systems() {
        let spec: AutoencoderSpec = serde_json::from_value(spec_json.clone()).unwrap();
        spec.check().unwrap();
        let tensors = Network::<f32>::new(&spec, t, c, &mut Generator::new(4)).tensors();
        let autoencoder = Autoencoder::from_tensors(&spec, t, c, &tensors).unwrap();
        let mut generator = Generator::new(5);
        let x: Vec<f32> = (0..b * t * c).map(|_| generator.normal() as f32).collect();
        let mut y = vec![0.0; x.len()];
        autoencoder.reconstruct(&x, &mut AutoencoderScratch::default(), &mut y);
        let is_reversed = autoencoder.network().is_reversed();
        let case = json!({"spec": spec_json, "shape": [b, t, c], "x": x, "y": y, "is_reversed": is_reversed});
        let path = |extension: &str| directory.path().join(format!("{name}.{extension}"));
        std::fs::write(path("json"), case.to_string()).unwrap();
        std::fs::write(path("onnx"), onnx(&autoencoder).unwrap()).unwrap();
        std::fs::write(path("safetensors"), safetensors(&autoencoder)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/interchange.py");
    let output = Command::new(python(directory.path())).arg(script).arg(directory.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{out}\n{err}");
}
