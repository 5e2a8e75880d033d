//! A cell as other programs write it: its place in ONNX and Keras, and one step of it as equations.

/// The operator of a cell in ONNX, and where the operator's gate blocks are found among the cell's.
#[derive(Clone, Copy, Debug)]
pub struct OnnxForm {
    /// `RNN`, `GRU` or `LSTM`.
    pub operator: &'static str,
    /// For each of the operator's blocks, in its order, the cell's.
    pub gates: &'static [usize],
    /// `linear_before_reset` of a GRU; none where the operator has no such attribute.
    pub linear_before_reset: Option<bool>,
}

/// Where a cell writes its step: every value is a name that the writer gives.
pub trait Equations {
    /// `U h + b_hh` of a state by name: one value `[B, H]` a gate block.
    fn of_state(&mut self, h: &str) -> Vec<String>;
    /// `Add`, `Sub`, `Mul`, `Tanh` or `Sigmoid` of values, element by element.
    fn value(&mut self, operator: &str, of: &[&str]) -> String;
}

impl dyn Equations + '_ {
    /// An activation of a sum.
    pub(super) fn gate(&mut self, activation: &str, a: &str, b: &str) -> String {
        let sum = self.value("Add", &[a, b]);
        self.value(activation, &[&sum])
    }
}

/// What other programs must know of a cell; beside it, in the cell's file, stands the arithmetic.
pub trait Written {
    /// Its place in ONNX.
    fn onnx(&self) -> OnnxForm;
    /// For each of the cell's gate blocks, in its order, where Keras keeps it.
    fn keras_gates(&self) -> &'static [usize];
    /// One step: what the input adds to each gate block (`W x + b_ih`) and the names of the state blocks, h first, which
    /// the step replaces by those of the state after.
    fn write(&self, equations: &mut dyn Equations, of_input: &[String], state: &mut [String]);
}
