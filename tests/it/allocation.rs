//! Scoring and training steps allocate nothing once their buffers have grown: counted by an allocator, not read from the code.

use kilter::detector::autoencoder::{Autoencoder, AutoencoderScratch, AutoencoderSpec, Network};
use kilter::nn::batch::{Batch, Shape};
use kilter::nn::generator::Generator;
use kilter::nn::layer::recurrent::CellKind;
use kilter::nn::layer::{Layer, Pass, Work};
use kilter::nn::loss::mean_squared_error;
use kilter::nn::optimizer::Adam;

/// Allocations of a second run of `work`.
fn in_steady_state(mut work: impl FnMut()) -> u64 {
    work();
    allocation_counter::measure(work).count_total
}

#[test]
fn a_network_that_has_scored_once_allocates_nothing() {
    let (t, c) = (32, 5);
    for cell in CellKind::ALL {
        for (latent, reverse_target) in [(8, true), (0, false)] {
            let spec = AutoencoderSpec { cell: *cell, latent, reverse_target, ..AutoencoderSpec::default() };
            let tensors = Network::<f32>::new(&spec, t, c, &mut Generator::new(1)).tensors();
            let autoencoder = Autoencoder::from_tensors(&spec, t, c, &tensors).unwrap();
            let mut scratch = AutoencoderScratch::default();
            for b in [1, 16, 37] {
                let windows: Vec<f32> = (0..b * t * c).map(|i| (i as f32 * 0.1).sin()).collect();
                let (mut all, mut last) = (vec![0.0; windows.len()], vec![0.0; b * c]);
                let n = in_steady_state(|| autoencoder.reconstruct(&windows, &mut scratch, &mut all));
                assert_eq!(n, 0, "{cell:?}, batch {b}: every row");
                let n = in_steady_state(|| autoencoder.reconstruct_last_rows(&windows, &mut scratch, &mut last));
                assert_eq!(n, 0, "{cell:?}, batch {b}: the last row");
            }
        }
    }
}

#[test]
fn a_training_step_allocates_nothing_once_it_has_run() {
    let shape = Shape::new(16, 12, 3);
    let x = Batch::from_parts(shape, (0..shape.len()).map(|i| (i as f32 * 0.1).sin()).collect());
    for cell in CellKind::ALL {
        let spec = AutoencoderSpec { cell: *cell, ..AutoencoderSpec::default() };
        let mut network = Network::<f32>::new(&spec, shape.t, shape.f, &mut Generator::new(1));
        let (mut work, mut y, mut d_y) = (Work::default(), Batch::default(), Batch::default());
        let mut adam = Adam::new(1e-3, Some(1.0));
        let n = in_steady_state(|| {
            network.forward(&x, &mut Pass::keep(shape.t), &mut work, &mut y);
            mean_squared_error(&y, x.values(), &mut d_y);
            network.backward(&x, &y, &mut d_y, &mut work, None);
            adam.step(&mut network);
        });
        assert_eq!(n, 0, "{cell:?}");
    }
}
