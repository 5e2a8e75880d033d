//! The decoder that is fed by its own output, written out step by step: ONNX's recurrent operators cannot feed back.

use super::{Attribute, ExportOnnxError, Graph};
use crate::nn::layer::recurrent::CellKind;

/// Weights as constants of the graph, each written once and used at every step.
struct Weights {
    input: [String; 2],
    recurrent: [String; 2],
    output: [String; 2],
}

/// One step of a cell: what the input adds, h, and the cell state, to the new h.
type Form = fn(&mut Graph, &Weights, &str, &str, &mut String) -> String;

/// The step of each cell. A cell that is not listed is refused by name.
const FORMS: &[(CellKind, Form)] = &[
    (CellKind::Simple, Graph::simple),
    (CellKind::Gru, Graph::gru),
    (CellKind::GruResetBefore, Graph::gru_reset_before),
    (CellKind::Lstm, Graph::lstm),
];

impl Graph {
    /// `[B, 1, Z]` to `[B, T, C]`.
    pub(super) fn feedback(&mut self, name: &str, cell: CellKind, x: &str) -> Result<String, ExportOnnxError> {
        let form = FORMS.iter().find(|(known, _)| *known == cell);
        let (_, step_of) = form.ok_or_else(|| ExportOnnxError::Layer { name: name.to_owned() })?;
        let initial = self.affine_constants(name, ["initial.weight", "initial.bias"])?;
        let weights = Weights {
            input: self.affine_constants(name, ["weight_ih_l0", "bias_ih_l0"])?,
            recurrent: self.affine_constants(name, ["weight_hh_l0", "bias_hh_l0"])?,
            output: self.affine_constants(name, ["output.weight", "output.bias"])?,
        };
        let mut h = self.affine(x, &initial);
        // The first input and the first cell state are zero: what the input adds is its bias.
        let mut from_input = weights.input[1].clone();
        let mut c = self.floats(&[0.0], &[1]);
        let mut outputs: Vec<String> = Vec::with_capacity(self.t);
        for step in 0..self.t {
            if step > 0 {
                from_input = self.affine(&outputs[step - 1], &weights.input);
            }
            h = step_of(self, &weights, &from_input, &h, &mut c);
            let y = self.affine(&h, &weights.output);
            outputs.push(y);
        }
        let rows: Vec<&str> = outputs.iter().map(String::as_str).collect();
        Ok(self.node("Concat", &rows, &[("axis", Attribute::Int(1))]))
    }

    /// `h' = tanh(W x + U h + b)`.
    fn simple(&mut self, weights: &Weights, from_input: &str, h: &str, _c: &mut String) -> String {
        let from_state = self.affine(h, &weights.recurrent);
        self.gate("Tanh", from_input, &from_state)
    }

    /// Gates in PyTorch's order: reset, update, candidate.
    fn gru(&mut self, weights: &Weights, from_input: &str, h: &str, _c: &mut String) -> String {
        self.gated(weights, from_input, h, |graph, reset, of_state| graph.node("Mul", &[reset, of_state], &[]))
    }

    fn gru_reset_before(&mut self, weights: &Weights, from_input: &str, h: &str, _c: &mut String) -> String {
        self.gated(weights, from_input, h, |graph, reset, _| {
            let kept = graph.node("Mul", &[reset, h], &[]);
            let all = graph.affine(&kept, &weights.recurrent);
            graph.gates(&all, 3).swap_remove(2)
        })
    }

    /// A GRU's step around what its candidate recalls, which is made of the reset gate and the state's part.
    fn gated(
        &mut self,
        weights: &Weights,
        from_input: &str,
        h: &str,
        recall: impl FnOnce(&mut Self, &str, &str) -> String,
    ) -> String {
        let from_state = self.affine(h, &weights.recurrent);
        let (of_input, of_state) = (self.gates(from_input, 3), self.gates(&from_state, 3));
        let reset = self.gate("Sigmoid", &of_input[0], &of_state[0]);
        let update = self.gate("Sigmoid", &of_input[1], &of_state[1]);
        let recalled = recall(self, &reset, &of_state[2]);
        let candidate = self.gate("Tanh", &of_input[2], &recalled);
        // h' = candidate + update (h - candidate)
        let change = self.node("Sub", &[h, &candidate], &[]);
        let change = self.node("Mul", &[&update, &change], &[]);
        self.node("Add", &[&candidate, &change], &[])
    }

    /// Gates in PyTorch's order: input, forget, candidate, output.
    fn lstm(&mut self, weights: &Weights, from_input: &str, h: &str, c: &mut String) -> String {
        let from_state = self.affine(h, &weights.recurrent);
        let (of_input, of_state) = (self.gates(from_input, 4), self.gates(&from_state, 4));
        let input = self.gate("Sigmoid", &of_input[0], &of_state[0]);
        let forget = self.gate("Sigmoid", &of_input[1], &of_state[1]);
        let candidate = self.gate("Tanh", &of_input[2], &of_state[2]);
        let output = self.gate("Sigmoid", &of_input[3], &of_state[3]);
        let new = self.node("Mul", &[&input, &candidate], &[]);
        let old = self.node("Mul", &[&forget, &*c], &[]);
        *c = self.node("Add", &[&new, &old], &[]);
        let shown = self.node("Tanh", &[&*c], &[]);
        self.node("Mul", &[&output, &shown], &[])
    }

    fn gate(&mut self, activation: &str, a: &str, b: &str) -> String {
        let sum = self.node("Add", &[a, b], &[]);
        self.node(activation, &[&sum], &[])
    }

    /// Equal parts of the last axis.
    fn gates(&mut self, x: &str, n: usize) -> Vec<String> {
        let parts: Vec<String> = (0..n).map(|_| self.fresh()).collect();
        let outputs: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.node_with("Split", &[x], &outputs, &[("axis", Attribute::Int(-1))]);
        parts
    }

    fn affine_constants(&mut self, layer: &str, [weight, bias]: [&str; 2]) -> Result<[String; 2], ExportOnnxError> {
        let (weight, bias) = (self.tensor(layer, weight)?, self.tensor(layer, bias)?);
        let (output, input) = (weight.shape[0], weight.shape[1]);
        let turned: Vec<f32> = (0..input * output).map(|i| weight.values[i % output * input + i / output]).collect();
        Ok([self.floats(&turned, &[input, output]), self.floats(&bias.values, &bias.shape)])
    }

    fn affine(&mut self, x: &str, [weight, bias]: &[String; 2]) -> String {
        let product = self.node("MatMul", &[x, weight], &[]);
        self.node("Add", &[&product, bias], &[])
    }
}
