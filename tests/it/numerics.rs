//! Networks against PyTorch and Keras: forward outputs, gradients and ten training losses.
//!
//! `tests/golden/networks.py` is the recipe; its versions and seed stand at the head of `networks.json`. Keras's
//! layouts and its GRU with the reset gate before the product come from `keras_layers.json`, made by `keras_layers.py`.

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

fn golden_of_keras() -> Value {
    serde_json::from_str(include_str!("../golden/keras_layers.json")).unwrap()
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
        let (mut work, mut y) = (Work::default(), Batch::default());

        network.forward(&x, &mut Pass::infer(shape.t), &mut work, &mut y);
        check(&format!("{name}: output"), y.values().iter().map(|y| f64::from(*y)), &numbers(&case["output"]));

        let divergence_weight = case["divergence_weight"].as_f64().unwrap();
        let expected = (&tensors(&case["gradients"])[..], &numbers(&case["losses"])[..]);
        descend(name, &mut network, &x, divergence_weight, &|_| false, expected);
    }
}

/// Holds the first gradient and the losses of ten steps of Adam against what is expected; parameters that `is_still`
/// names take no part.
fn descend(
    name: &str,
    network: &mut Network<f32>,
    x: &Batch<f32>,
    divergence_weight: f64,
    is_still: &dyn Fn(&str) -> bool,
    (gradients, expected_losses): (&[Tensor], &[f64]),
) {
    let (mut work, mut y, mut d_y) = (Work::default(), Batch::default(), Batch::default());
    let mut adam = Adam::new(0.01, None);
    let mut losses = Vec::new();
    for step in 0..10 {
        let mut pass = Pass { divergence_weight, ..Pass::keep(x.shape().t) };
        network.forward(x, &mut pass, &mut work, &mut y);
        losses.push(mean_squared_error(&y, x.values(), &mut d_y) + network.added_loss(&work));
        network.backward(x, &y, &mut d_y, &mut work, None);
        network.visit_mut("", &mut |path, parameter| {
            if is_still(&path) {
                return parameter.gradient.fill(0.0);
            }
            if step > 0 {
                return;
            }
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
        adam.step(network);
    }
    check(&format!("{name}: losses"), losses, expected_losses);
}

#[test]
fn weights_of_keras_import_into_the_same_autoencoder_and_descend_alike() {
    let golden = golden_of_keras();
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
        let name = format!("{} of Keras", case["cell"]);
        check(&name, y.iter().map(|y| f64::from(*y)), &numbers(&case["y"]));

        // Gradients lie as the weights do.
        let gradients = from_keras(&write_tensors(tensors(&case["gradients"])), &spec, n_time, n_channels).unwrap();
        let mut network = Network::<f32>::new(&spec, n_time, n_channels, &mut Generator::new(0));
        network.load(&autoencoder.tensors()).unwrap();
        let x = Batch::from_parts(Shape::new(shape[0] as usize, n_time, n_channels), x);
        // Keras has one bias where PyTorch has two, except in the GRU with the reset gate after the product.
        let is_still = |path: &str| case["cell"] != "gru" && path.ends_with("bias_hh_l0");
        let expected = (&gradients.tensors()[..], &numbers(&case["losses"])[..]);
        descend(&name, &mut network, &x, 0.0, &is_still, expected);
    }
}

/// Every number in the order of the document, with the words between them.
fn flattened(value: &Value, words: &mut Vec<String>, numbers: &mut Vec<f64>) {
    match value {
        Value::Number(number) => numbers.push(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().for_each(|item| flattened(item, words, numbers)),
        Value::Object(members) => {
            for (name, member) in members {
                words.push(name.clone());
                flattened(member, words, numbers);
            }
        }
        Value::String(word) => words.push(word.clone()),
        Value::Bool(_) | Value::Null => {}
    }
}

#[test]
#[ignore = "needs torch and keras"]
fn the_recipes_give_the_golden_numbers_again() {
    let directory = tempfile::tempdir().unwrap();
    let python = crate::interchange::python(directory.path());
    for (recipe, golden) in [("networks.py", golden()), ("keras_layers.py", golden_of_keras())] {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(recipe);
        let output = std::process::Command::new(&python).arg(&script).env("KERAS_BACKEND", "torch").output().unwrap();
        assert!(output.status.success(), "{recipe}: {}", String::from_utf8_lossy(&output.stderr));
        let again: Value = serde_json::from_slice(&output.stdout).unwrap();
        let parts = |document: &Value| {
            let (mut words, mut numbers) = (Vec::new(), Vec::new());
            flattened(&document["cases"], &mut words, &mut numbers);
            (words, numbers)
        };
        let ((words, numbers), (expected_words, expected)) = (parts(&again), parts(&golden));
        assert_eq!(words, expected_words, "{recipe}: the cases");
        assert_eq!(numbers.len(), expected.len(), "{recipe}");
        for (i, (found, expected)) in numbers.iter().zip(&expected).enumerate() {
            // Other versions and processors add in another order.
            let allowed = 1e-4 * expected.abs().max(1e-2);
            assert!((found - expected).abs() <= allowed, "{recipe}, number {i}: {found}, the file says {expected}");
        }
    }
}

/// Rows `[n, 6]` of falling spread in rotated directions.
fn correlated(n: usize) -> Vec<f32> {
    let mut generator = Generator::new(11);
    let spreads = [3.0, 2.0, 0.8, 0.5, 0.3, 0.2];
    let mix = |i: usize, j: usize| (1.7 * i as f64 + 0.9 * (j * j) as f64 + 1.3 * (i * j) as f64).sin();
    (0..n)
        .flat_map(|_| {
            let z: Vec<f64> = spreads.iter().map(|spread| spread * generator.normal()).collect();
            (0..6).map(move |i| (0..6).map(|j| mix(i, j) * z[j]).sum::<f64>() as f32).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn the_linear_autoencoder_at_its_best_spans_the_subspace_of_pca() {
    use kilter::detector::autoencoder::{NetworkKind, TrainingWindows, fit};
    use kilter::detector::{FittedMember, MemberScratch, Pca, PcaSpec, TrainingRows};
    use kilter::nn::kernels::Activation;

    let rows = correlated(800);
    let spec = AutoencoderSpec {
        kind: NetworkKind::Dense,
        activation: Activation::Linear,
        units: Units::One(6),
        latent: 2,
        epochs: 300,
        patience: 300,
        plateau_patience: 30,
        learning_rate: 5e-3,
        ..AutoencoderSpec::default()
    };
    let windows = TrainingWindows::from_windows(&rows, 6, 1);
    let linear = fit(&windows, &spec, 3, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let learned = TrainingRows::complete(rows[..640 * 6].to_vec(), 6, 1);
    let spec = PcaSpec { n_components: Some(2), variance_share: 1.0, ..PcaSpec::default() };
    let pca = Pca::fit(&learned, &spec).unwrap();
    let mut y = vec![0.0; rows.len()];
    linear.reconstruct(&rows, &mut AutoencoderScratch::default(), &mut y);
    let (mut scratch, mut off, mut length, mut left) = (MemberScratch::default(), 0.0, 0.0, [0.0, 0.0]);
    for (x, y) in rows.chunks_exact(6).zip(y.chunks_exact(6)) {
        let (mut of_x, mut of_y) = ([0.0; 6], [0.0; 6]);
        pca.reconstruct_last(x, &mut scratch, &mut of_x);
        // What the autoencoder puts out lies in the subspace when the projection leaves it as it is.
        pca.reconstruct_last(y, &mut scratch, &mut of_y);
        let square = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        off += square(y, &of_y);
        length += square(y, &[0.0; 6]);
        left[0] += square(x, y);
        left[1] += square(x, &of_x);
    }
    assert!(off < 0.005 * length, "a share of {} of what it puts out lies off the subspace", off / length);
    assert!(left[0] < 1.03 * left[1], "it leaves {} over, PCA {}", left[0], left[1]);
}

#[test]
fn a_stack_of_one_layer_is_the_layer() {
    use kilter::nn::layer::Stack;
    use kilter::nn::layer::recurrent::{CellKind, Recurrent, RecurrentSpec};

    for cell in CellKind::ALL {
        let spec = RecurrentSpec {
            cell: *cell,
            features: 3,
            units: 5,
            return_sequences: true,
            go_backwards: false,
            repeats_input: false,
        };
        let mut layer = Recurrent::<f64>::new(spec, &mut Generator::new(4));
        let mut stack =
            Stack::new(vec![Box::new(Recurrent::<f64>::new(spec, &mut Generator::new(4))) as Box<dyn Layer<f64>>]);
        let mut generator = Generator::new(5);
        let x = Batch::from_parts(Shape::new(2, 7, 3), (0..42).map(|_| generator.normal()).collect());
        let run = |layer: &mut dyn Layer<f64>| {
            let (mut work, mut y, mut d_y, mut d_x) =
                (Work::default(), Batch::default(), Batch::default(), Batch::default());
            layer.forward(&x, &mut Pass::keep(7), &mut work, &mut y);
            mean_squared_error(&y, &[0.5; 70], &mut d_y);
            layer.backward(&x, &y, &mut d_y, &mut work, Some(&mut d_x));
            (y.values().to_vec(), d_x.values().to_vec())
        };
        assert_eq!(run(&mut layer), run(&mut stack), "{cell:?}");
    }
    // And a list of one width is that width.
    let of = |units: Units| {
        let spec = AutoencoderSpec { units, ..AutoencoderSpec::default() };
        Network::<f32>::new(&spec, 4, 2, &mut Generator::new(1)).tensors()
    };
    assert_eq!(of(Units::One(7)), of(Units::Stack(vec![7])));
}
