//! The decoder that is fed by its own output, written out step by step: ONNX's recurrent operators cannot feed back.

use super::{Attribute, ExportOnnxError, Graph};
use crate::nn::layer::recurrent::{CellKind, Equations};

/// A step of a cell, written as nodes of a graph. Weights are constants, written once and used at every step.
struct StepNodes<'a> {
    graph: &'a mut Graph,
    recurrent: &'a [String; 2],
    n_gates: usize,
}

impl Equations for StepNodes<'_> {
    fn of_state(&mut self, h: &str) -> Vec<String> {
        let all = self.graph.affine(h, self.recurrent);
        self.graph.gates(&all, self.n_gates)
    }

    fn value(&mut self, operator: &str, of: &[&str]) -> String {
        self.graph.node(operator, of, &[])
    }
}

impl Graph {
    /// `[B, 1, Z]` to `[B, T, C]`.
    pub(super) fn feedback(&mut self, name: &str, cell: CellKind, x: &str) -> Result<String, ExportOnnxError> {
        let initial = self.affine_constants(name, ["initial.weight", "initial.bias"])?;
        let input = self.affine_constants(name, ["weight_ih_l0", "bias_ih_l0"])?;
        let recurrent = self.affine_constants(name, ["weight_hh_l0", "bias_hh_l0"])?;
        let output = self.affine_constants(name, ["output.weight", "output.bias"])?;
        let (arithmetic, written) = (cell.cell::<f32>(), cell.written());
        let n_gates = arithmetic.gates();
        // The first input and all of the first state but h are zero: what the input adds is its bias.
        let mut from_input = input[1].clone();
        let mut state = vec![self.affine(x, &initial)];
        state.resize_with(arithmetic.states(), || self.floats(&[0.0], &[1]));
        let mut outputs: Vec<String> = Vec::with_capacity(self.t);
        for step in 0..self.t {
            if step > 0 {
                from_input = self.affine(&outputs[step - 1], &input);
            }
            let of_input = self.gates(&from_input, n_gates);
            written.write(&mut StepNodes { graph: self, recurrent: &recurrent, n_gates }, &of_input, &mut state);
            let y = self.affine(&state[0], &output);
            outputs.push(y);
        }
        let rows: Vec<&str> = outputs.iter().map(String::as_str).collect();
        Ok(self.node("Concat", &rows, &[("axis", Attribute::Int(1))]))
    }

    /// Equal parts of the last axis.
    fn gates(&mut self, x: &str, n: usize) -> Vec<String> {
        if n == 1 {
            return vec![x.to_owned()];
        }
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
