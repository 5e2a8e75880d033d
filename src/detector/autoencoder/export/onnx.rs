//! A network as an ONNX model (opset 17), written layer by layer.

mod feedback;

use super::super::fitted::Autoencoder;
use super::in_order;
use super::protobuf::Message;
use crate::nn::kernels::Activation;
use crate::nn::layer::recurrent::{Merge, OnnxForm, RecurrentSpec};
use crate::nn::layer::{Description, Reshape};
use crate::nn::parameter::Tensor;

/// ONNX's code of `float`.
const FLOAT: i64 = 1;
/// ONNX's code of `int64`.
const INT64: i64 = 7;
/// The layer normalisation's epsilon, as in `nn::layer::LayerNorm`.
const NORM_EPSILON: f32 = 1e-5;

/// Why there is no ONNX model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExportOnnxError {
    /// A layer has no ONNX form here.
    #[error("layer {name} has no ONNX form")]
    Layer {
        /// Which.
        name: String,
    },
    /// A tensor the layer should have is absent.
    #[error("tensor {name} is missing")]
    Missing {
        /// Which.
        name: String,
    },
}

/// The model's bytes: `windows: [batch, T, C]` to `reconstruction: [batch, T, C]`.
///
/// # Errors
/// When a layer has no ONNX form.
pub fn onnx(autoencoder: &Autoencoder) -> Result<Vec<u8>, ExportOnnxError> {
    let (t, c) = (autoencoder.n_time(), autoencoder.n_channels());
    let mut graph = Graph { tensors: autoencoder.tensors(), message: Message::default(), n_values: 0, t };
    let mut value = "windows".to_owned();
    for (name, _, layer) in autoencoder.network().layers() {
        value = graph.layer(&name, &layer.describe(), value)?;
    }
    if autoencoder.network().is_reversed() {
        let order = graph.ints(&(0..t as i64).rev().collect::<Vec<_>>(), &[t]);
        value = graph.node("Gather", &[&value, &order], &[("axis", Attribute::Int(1))]);
    }
    graph.named_node("Identity", &[&value], "reconstruction", &[]);
    let port = |name: &str| {
        let dims = [
            Message::default().text(2, "batch"),
            Message::default().int(1, t as i64),
            Message::default().int(1, c as i64),
        ];
        let shape = dims.iter().fold(Message::default(), |shape, dim| shape.message(1, dim));
        let tensor = Message::default().int(1, FLOAT).message(2, &shape);
        Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
    };
    let message = graph.message.text(2, "autoencoder").message(11, &port("windows"));
    let message = message.message(12, &port("reconstruction"));
    let opset = Message::default().text(1, "").int(2, 17);
    Ok(Message::default().int(1, 8).text(2, "kilter").message(7, &message).message(8, &opset).finish())
}

enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Text(&'a str),
}

struct Graph {
    tensors: Vec<Tensor>,
    message: Message,
    n_values: usize,
    t: usize,
}

impl Graph {
    fn fresh(&mut self) -> String {
        self.n_values += 1;
        format!("v{}", self.n_values)
    }

    fn named_node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute<'_>)]) {
        self.node_with(op, inputs, &[output], attributes);
    }

    fn node(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]) -> String {
        let output = self.fresh();
        self.node_with(op, inputs, &[&output], attributes);
        output
    }

    fn node_with(&mut self, op: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute<'_>)]) {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        for output in outputs {
            node = node.text(2, output);
        }
        node = node.text(4, op);
        for (name, attribute) in attributes {
            let message = Message::default().text(1, name);
            let message = match attribute {
                Attribute::Float(value) => message.float(2, *value).int(20, 1),
                Attribute::Int(value) => message.int(3, *value).int(20, 2),
                Attribute::Text(value) => message.text(4, value).int(20, 3),
                Attribute::Ints(values) => {
                    values.iter().fold(message, |message, value| message.int(8, *value)).int(20, 7)
                }
            };
            node = node.message(5, &message);
        }
        self.message = std::mem::take(&mut self.message).message(1, &node);
    }

    fn constant(&mut self, kind: i64, shape: &[usize], data: &[u8]) -> String {
        let name = self.fresh();
        let mut tensor = shape.iter().fold(Message::default(), |tensor, dim| tensor.int(1, *dim as i64));
        tensor = tensor.int(2, kind).text(8, &name).bytes(9, data);
        self.message = std::mem::take(&mut self.message).message(5, &tensor);
        name
    }

    fn floats(&mut self, values: &[f32], shape: &[usize]) -> String {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(FLOAT, shape, &data)
    }

    fn ints(&mut self, values: &[i64], shape: &[usize]) -> String {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(INT64, shape, &data)
    }

    fn tensor(&self, layer: &str, part: &str) -> Result<Tensor, ExportOnnxError> {
        let name = format!("{layer}.{part}");
        let found = self.tensors.iter().find(|tensor| tensor.name == name).cloned();
        found.ok_or(ExportOnnxError::Missing { name })
    }

    fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape, &[shape.len()]);
        self.node("Reshape", &[x, &shape], &[])
    }

    fn transpose(&mut self, x: &str, order: &[i64]) -> String {
        self.node("Transpose", &[x], &[("perm", Attribute::Ints(order))])
    }

    /// `x W^T + b` on the last axis, with PyTorch's `[output, input]` weight.
    fn linear(&mut self, x: &str, weight: &Tensor, bias: &Tensor) -> String {
        let (output, input) = (weight.shape[0], weight.shape[1]);
        let turned: Vec<f32> = (0..input * output).map(|i| weight.values[i % output * input + i / output]).collect();
        let weight = self.floats(&turned, &[input, output]);
        let bias = self.floats(&bias.values, &bias.shape);
        let sum = self.node("MatMul", &[x, &weight], &[]);
        self.node("Add", &[&sum, &bias], &[])
    }

    fn dense(&mut self, layer: &str, x: &str, activation: Activation) -> Result<String, ExportOnnxError> {
        let (weight, bias) = (self.tensor(layer, "weight")?, self.tensor(layer, "bias")?);
        let y = self.linear(x, &weight, &bias);
        Ok(match activation {
            Activation::Linear => y,
            Activation::Tanh => self.node("Tanh", &[&y], &[]),
            Activation::Sigmoid => self.node("Sigmoid", &[&y], &[]),
            Activation::Relu => self.node("Relu", &[&y], &[]),
        })
    }

    fn layer(&mut self, name: &str, layer: &Description, x: String) -> Result<String, ExportOnnxError> {
        match layer {
            Description::Identity => Ok(x),
            Description::Dense(activation) => self.dense(name, &x, *activation),
            Description::Variational => self.dense(&format!("{name}.mu"), &x, Activation::Linear),
            Description::Reshape(Reshape::Flatten) => Ok(self.reshape(&x, &[0, 1, -1])),
            Description::Reshape(Reshape::Rows(f)) => Ok(self.reshape(&x, &[0, -1, *f as i64])),
            Description::Positions(codes) => {
                let values: Vec<f32> = codes.iter().map(|code| *code as f32).collect();
                let codes = self.floats(&values, &[1, self.t, values.len() / self.t]);
                Ok(self.node("Add", &[&x, &codes], &[]))
            }
            Description::Transformer(heads) => self.transformer(name, &x, *heads),
            Description::Recurrent(spec) => self.recurrent(name, spec, None, &x),
            Description::Bidirectional(spec, merge) => self.recurrent(name, spec, Some(*merge), &x),
            Description::Feedback(cell) => self.feedback(name, *cell, &x),
            Description::Other => Err(ExportOnnxError::Layer { name: name.to_owned() }),
        }
    }

    fn recurrent(
        &mut self,
        name: &str,
        spec: &RecurrentSpec,
        merge: Option<Merge>,
        x: &str,
    ) -> Result<String, ExportOnnxError> {
        let OnnxForm { operator, gates: order, linear_before_reset } = spec.cell.written().onnx();
        let suffixes: &[&str] = match merge {
            Some(_) => &["", "_reverse"],
            None if spec.go_backwards => &["_reverse"],
            None => &[""],
        };
        let (h, n) = (spec.units, suffixes.len());
        let (mut input, mut recurrent, mut bias) = (Vec::new(), Vec::new(), Vec::new());
        for suffix in suffixes {
            for (part, out) in [("weight_ih_l0", &mut input), ("weight_hh_l0", &mut recurrent)] {
                out.extend(in_order(&self.tensor(name, &format!("{part}{suffix}"))?.values, order));
            }
            for part in ["bias_ih_l0", "bias_hh_l0"] {
                bias.extend(in_order(&self.tensor(name, &format!("{part}{suffix}"))?.values, order));
            }
        }
        let width = order.len() * h;
        let input = self.floats(&input, &[n, width, spec.features]);
        let recurrent = self.floats(&recurrent, &[n, width, h]);
        let bias = self.floats(&bias, &[n, 2 * width]);
        let mut rows = self.transpose(x, &[1, 0, 2]);
        if spec.repeats_input {
            let times = self.ints(&[self.t as i64, 1, 1], &[3]);
            rows = self.node("Tile", &[&rows, &times], &[]);
        }
        let direction = match merge {
            Some(_) => "bidirectional",
            None if spec.go_backwards => "reverse",
            None => "forward",
        };
        let mut attributes = vec![("hidden_size", Attribute::Int(h as i64)), ("direction", Attribute::Text(direction))];
        attributes.extend(linear_before_reset.map(|is| ("linear_before_reset", Attribute::Int(i64::from(is)))));
        let (all, last) = (self.fresh(), self.fresh());
        self.node_with(operator, &[&rows, &input, &recurrent, &bias], &[&all, &last], &attributes);
        // [T, D, B, H] to [B, T, D, H], or [D, B, H] to [B, D, H], then the directions become one.
        let (y, axis) = if spec.return_sequences {
            (self.transpose(&all, &[2, 0, 1, 3]), 2)
        } else {
            (self.transpose(&last, &[1, 0, 2]), 1)
        };
        if merge == Some(Merge::Sum) {
            let axes = self.ints(&[axis], &[1]);
            let keeps = i64::from(!spec.return_sequences);
            return Ok(self.node("ReduceSum", &[&y, &axes], &[("keepdims", Attribute::Int(keeps))]));
        }
        let rows = if spec.return_sequences { 0 } else { 1 };
        Ok(self.reshape(&y, &[0, rows, (n * h) as i64]))
    }

    fn norm(&mut self, layer: &str, x: &str) -> Result<String, ExportOnnxError> {
        let (gain, bias) = (self.tensor(layer, "weight")?, self.tensor(layer, "bias")?);
        let (gain, bias) = (self.floats(&gain.values, &gain.shape), self.floats(&bias.values, &bias.shape));
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(NORM_EPSILON))];
        Ok(self.node("LayerNormalization", &[x, &gain, &bias], &attributes))
    }

    fn transformer(&mut self, name: &str, x: &str, heads: usize) -> Result<String, ExportOnnxError> {
        let normed = self.norm(&format!("{name}.norm1"), x)?;
        let (weight, bias) =
            (self.tensor(name, "self_attn.in_proj_weight")?, self.tensor(name, "self_attn.in_proj_bias")?);
        let (f, d) = (weight.shape[1], weight.shape[1] / heads);
        let mut parts = Vec::new();
        for part in 0..3 {
            let rows = part * f * f..(part + 1) * f * f;
            let weight = Tensor { name: String::new(), shape: vec![f, f], values: weight.values[rows].to_vec() };
            let bias = bias.values[part * f..(part + 1) * f].to_vec();
            let bias = Tensor { name: String::new(), shape: vec![f], values: bias };
            let rows = self.linear(&normed, &weight, &bias);
            let split = self.reshape(&rows, &[0, 0, heads as i64, d as i64]);
            // Keys come out turned, [B, heads, D, T], the others as [B, heads, T, D].
            parts.push(self.transpose(&split, if part == 1 { &[0, 2, 3, 1] } else { &[0, 2, 1, 3] }));
        }
        let scores = self.node("MatMul", &[&parts[0], &parts[1]], &[]);
        let scale = self.floats(&[1.0 / (d as f32).sqrt()], &[1]);
        let scores = self.node("Mul", &[&scores, &scale], &[]);
        let weights = self.node("Softmax", &[&scores], &[("axis", Attribute::Int(-1))]);
        let joined = self.node("MatMul", &[&weights, &parts[2]], &[]);
        let joined = self.transpose(&joined, &[0, 2, 1, 3]);
        let joined = self.reshape(&joined, &[0, 0, f as i64]);
        let attended = self.dense(&format!("{name}.self_attn.out_proj"), &joined, Activation::Linear)?;
        let attended = self.node("Add", &[x, &attended], &[]);
        let normed = self.norm(&format!("{name}.norm2"), &attended)?;
        let wide = self.dense(&format!("{name}.linear1"), &normed, Activation::Relu)?;
        let narrow = self.dense(&format!("{name}.linear2"), &wide, Activation::Linear)?;
        Ok(self.node("Add", &[&attended, &narrow], &[]))
    }
}
