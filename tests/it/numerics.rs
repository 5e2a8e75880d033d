//! Networks against PyTorch: forward outputs, gradients and ten training losses.
//!
//! `tests/golden/networks.py` is the recipe; its versions and seed stand at the head of `networks.json`. Keras's layouts
//! are read from `keras_layers.json`, made by `keras_layers.py`.

use kilter::detector::autoencoder::export::{from_keras, write_tensors};
use kilter::detector::autoencoder::{AutoencoderScratch, AutoencoderSpec, Network, Units};
use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
use kilter::nn::layer::{Layer, Pass, Work};
use kilter::nn::loss::mean_squared_error;
use kilter::nn::optimizer::Adam;
use kilter::nn::parameter::Tensor;
use serde_json::Value;

/// Largest difference, relative to the largest number of the array (`f32` has 6e-8 a step).
const TOLERANCE: f64 = 1e-5;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn tensors(value: &Value) -> Vec<Tensor> {
    let tensor = |value: &Value| Tensor {
        name: value["name"].as_str().unwrap().to_owned(),
        shape: numbers(&value["shape"]).iter().map(|n| *n as usize).collect(),
        values: numbers(&value["values"]).iter().map(|n| *n as f32).collect(),
    };
    value.as_array().unwrap().iter().map(tensor).collect()
}

fn check(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs())).max(1e-3);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / largest;
        assert!(error < TOLERANCE, "{what} at {i}: {found} instead of {expected}, {error:e} of {largest}");
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/networks.json")).unwrap()
}

#[test]
fn networks_compute_learn_and_descend_like_pytorch() {
    for case in golden()["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let spec: AutoencoderSpec = serde_json::from_value(case["spec"].clone()).unwrap();
        spec.check().unwrap();
        let shape = numbers(&case["shape"]);
        let shape = Shape::new(shape[0] as usize, shape[1] as usize, shape[2] as usize);
        let mut network = Network::<f32>::new(&spec, shape.t, shape.f, &mut Generator::new(0));
        let weights = tensors(&case["tensors"]);
        assert_eq!(weights.len(), network.tensors().len(), "{name}: tensors");
        network.load(&weights).unwrap();
        let x = Batch::from_parts(shape, numbers(&case["x"]).iter().map(|x| *x as f32).collect());
        let (mut work, mut y, mut d_y) = (Work::default(), Batch::default(), Batch::default());

        network.forward(&x, &mut Pass::infer(shape.t), &mut work, &mut y);
        check(&format!("{name}: output"), y.values().iter().map(|y| f64::from(*y)), &numbers(&case["output"]));

        network.forward(&x, &mut Pass::keep(shape.t), &mut work, &mut y);
        mean_squared_error(&y, x.values(), &mut d_y);
        network.backward(&x, &y, &mut d_y, &mut work, None);
        let gradients = tensors(&case["gradients"]);
        network.visit("", &mut |path, parameter| {
            let gradient = gradients.iter().find(|gradient| gradient.name == path).unwrap();
            let [rows, columns] = parameter.shape;
            // Stored `[output, input]`, kept `[input, output]`.
            let found = (0..rows * columns).map(|i| {
                let (output, input) = (i / rows, i % rows);
                let at = if parameter.is_matrix { input * columns + output } else { i };
                f64::from(parameter.gradient[at])
            });
            let expected: Vec<f64> = gradient.values.iter().map(|value| f64::from(*value)).collect();
            check(&format!("{name}: gradient of {path}"), found, &expected);
        });

        network.visit_mut("", &mut |_, parameter| parameter.gradient.fill(0.0));
        let mut adam = Adam::new(0.01, None);
        let mut losses = Vec::new();
        for _ in 0..10 {
            network.forward(&x, &mut Pass::keep(shape.t), &mut work, &mut y);
            losses.push(mean_squared_error(&y, x.values(), &mut d_y));
            network.backward(&x, &y, &mut d_y, &mut work, None);
            adam.step(&mut network);
        }
        check(&format!("{name}: losses"), losses, &numbers(&case["losses"]));
    }
}

#[test]
fn weights_of_keras_import_into_the_same_autoencoder() {
    let golden: Value = serde_json::from_str(include_str!("../golden/keras_layers.json")).unwrap();
    let shape = numbers(&golden["shape"]);
    let (n_time, n_channels) = (shape[1] as usize, shape[2] as usize);
    for case in golden["cases"].as_array().unwrap() {
        let spec = AutoencoderSpec {
            cell: serde_json::from_value(case["cell"].clone()).unwrap(),
            units: Units::One(golden["units"].as_u64().unwrap() as usize),
            latent: golden["latent"].as_u64().unwrap() as usize,
            reverse_target: false,
            ..AutoencoderSpec::default()
        };
        let bytes = write_tensors(tensors(&case["tensors"]));
        let autoencoder = from_keras(&bytes, &spec, n_time, n_channels).unwrap();
        let x: Vec<f32> = numbers(&case["x"]).iter().map(|x| *x as f32).collect();
        let mut y = vec![0.0; x.len()];
        autoencoder.reconstruct(&x, &mut AutoencoderScratch::default(), &mut y);
        check(&case["cell"].to_string(), y.iter().map(|y| f64::from(*y)), &numbers(&case["y"]));
    }
}
