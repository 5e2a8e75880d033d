//! The backward pass of every layer against central differences in double precision, on shapes drawn at random.
//!
//! Beside these, each layer's own file checks the shapes where things break: a batch of one, one row, one unit.

use kilter::nn::batch::Shape;
use kilter::nn::generator::Generator;
use kilter::nn::gradient_check::{randomise, worst_gradient_error};
use kilter::nn::kernels::Activation;
use kilter::nn::layer::recurrent::{Bidirectional, CellKind, Merge, Recurrent, RecurrentSpec};
use kilter::nn::layer::{
    Attention, Dense, Dropout, Feedback, Layer, LayerNorm, Noise, Positions, Reshape, Stack, TransformerBlock,
    Variational,
};
use proptest::prelude::*;

/// Sizes of one check: `[B, T, F]`, width H, latent Z. Every size starts at one.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    b: usize,
    t: usize,
    f: usize,
    h: usize,
    z: usize,
    seed: u64,
}

fn sizes() -> impl Strategy<Value = Sizes> {
    (1_usize..5, 1_usize..7, 1_usize..6, 1_usize..8, 1_usize..5, any::<u32>()).prop_map(|(b, t, f, h, z, seed)| Sizes {
        b,
        t,
        f,
        h,
        z,
        seed: seed.into(),
    })
}

/// Checks a layer from an input of `shape`, with fresh random weights.
fn check(what: &str, layer: &mut dyn Layer<f64>, shape: Shape, sizes: Sizes) -> Result<(), TestCaseError> {
    randomise(layer, 0.5, &mut Generator::new(sizes.seed));
    let worst = worst_gradient_error(layer, shape, sizes.t, sizes.seed, true);
    prop_assert!(worst < 1e-4, "{what} from {shape:?}, {sizes:?}: off by {worst:e}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn recurrent_layers_have_the_gradient_of_their_forward_pass(sizes in sizes(), bits in 0_u8..8) {
        let Sizes { b, t, f, h, z, seed } = sizes;
        let [return_sequences, go_backwards, repeats_input] = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0];
        let generator = &mut Generator::new(seed);
        for &cell in CellKind::ALL {
            let spec = RecurrentSpec { cell, features: f, units: h, return_sequences, go_backwards, repeats_input };
            let shape = Shape::new(b, if repeats_input { 1 } else { t }, f);
            check(&format!("{spec:?}"), &mut Recurrent::new(spec, generator), shape, sizes)?;
            let spec = RecurrentSpec { go_backwards: false, ..spec };
            for merge in [Merge::Concat, Merge::Sum] {
                let mut layer = Bidirectional::new(spec, merge, generator);
                check(&format!("{merge:?} of {spec:?}"), &mut layer, shape, sizes)?;
            }
            let mut layer = Feedback::new(cell, z, h, f, generator);
            check(&format!("{cell:?} fed by its output"), &mut layer, Shape::new(b, 1, z), sizes)?;
        }
    }

    #[test]
    fn all_other_layers_have_the_gradient_of_their_forward_pass(sizes in sizes(), heads in 1_usize..4) {
        let Sizes { b, t, f, h, z, seed } = sizes;
        let (rows, wide) = (Shape::new(b, t, f), Shape::new(b, t, heads * f));
        let generator = &mut Generator::new(seed);
        for activation in [Activation::Linear, Activation::Tanh, Activation::Sigmoid] {
            check(&format!("dense, {activation:?}"), &mut Dense::new(f, h, activation, generator), rows, sizes)?;
        }
        check("attention", &mut Attention::new(heads * f, heads, generator), wide, sizes)?;
        // A difference over the corner of a rectifier is no gradient; `transformer.rs` checks the block where there is none.
        check("positions", &mut Positions::new(t, f), rows, sizes)?;
        for is_sampled in [false, true] {
            check("variational", &mut Variational::new(f, z, is_sampled, generator), Shape::new(b, 1, f), sizes)?;
        }
        check("dropout", &mut Dropout::new(0.3), rows, sizes)?;
        for mut noise in [Noise::Gaussian(0.3), Noise::Masking(0.3), Noise::ChannelDrop(0.3)] {
            check(&format!("{noise:?}"), &mut noise, rows, sizes)?;
        }
        check("flatten", &mut Reshape::Flatten, rows, sizes)?;
        check("rows", &mut Reshape::Rows(f), Shape::new(b, 1, t * f), sizes)?;
        // A norm over one or two features divides by their distance, which may be next to nothing.
        check("layer norm", &mut LayerNorm::new(f + 7), Shape::new(b, t, f + 7), sizes)?;
        let mut stack = Stack::<f64>::new(vec![
            Box::new(Dense::new(f, h, Activation::Tanh, generator)),
            Box::new(Reshape::Flatten),
            Box::new(Variational::new(t * h, z, true, generator)),
        ]);
        check("stack", &mut stack, rows, sizes)?;
    }

    #[test]
    fn a_transformer_block_has_the_gradient_of_its_forward_pass(sizes in sizes(), heads in 1_usize..4) {
        let f = heads * (sizes.f + 7);
        let mut block = TransformerBlock::new(f, heads, sizes.h, &mut Generator::new(sizes.seed));
        randomise(&mut block, 0.5, &mut Generator::new(sizes.seed));
        // Biases far from zero keep the rectifier off its corner, on either side.
        block.visit_mut("", &mut |name, parameter| {
            if name == "linear1.bias" {
                parameter.value.iter_mut().enumerate().for_each(|(i, bias)| *bias = if i % 2 == 0 { 30.0 } else { -30.0 });
            }
        });
        let shape = Shape::new(sizes.b.min(2), sizes.t.min(3), f);
        let worst = worst_gradient_error(&mut block, shape, sizes.t, sizes.seed, true);
        prop_assert!(worst < 1e-4, "{heads} heads, {shape:?}, {sizes:?}: off by {worst:e}");
    }
}
