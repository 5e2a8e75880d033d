"""Weights, outputs, gradients and ten training losses of one Keras autoencoder per cell, in Keras's layouts.

    KERAS_BACKEND=torch venv/bin/python tests/golden/keras_layers.py > tests/golden/keras_layers.json

Layers are named as the import expects them; arrays are written as Keras holds them. The loss is the mean squared error
against the window itself; training is ten full-batch steps of PyTorch's Adam, learning rate 0.01, no clipping.
"""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np
import torch

T, C = 5, 2
CELLS = {
    "gru": lambda h, **k: keras.layers.GRU(h, reset_after=True, **k),
    "gru_reset_before": lambda h, **k: keras.layers.GRU(h, reset_after=False, **k),
    "lstm": keras.layers.LSTM,
    "simple": keras.layers.SimpleRNN,
}
cases = []
for i, (cell, layer) in enumerate(CELLS.items()):
    keras.utils.set_random_seed(7 + i)
    x = keras.Input((T, C))
    h = layer(4, name="encoder_0")(x)
    z = keras.layers.Dense(2, name="encoder_1")(h)
    r = keras.layers.RepeatVector(T)(z)
    d = layer(4, return_sequences=True, name="decoder_0")(r)
    y = keras.layers.TimeDistributed(keras.layers.Dense(C), name="decoder_1")(d)
    model = keras.Model(x, y)
    rng = np.random.default_rng(i)
    for w in model.weights:  # zero biases would hide a wrong order
        w.assign(rng.normal(0, 0.5, w.shape).astype("float32"))
    data = rng.normal(size=(3, T, C)).astype("float32")
    flat = lambda a: [float(f"{v:.9g}") for v in np.asarray(a).reshape(-1)]
    arrays = lambda of: [dict(name=f"{layer}/{w.name}", shape=list(w.shape), values=flat(of(w))) for layer, w in weights]
    weights = [(layer, w) for layer in ["encoder_0", "encoder_1", "decoder_0", "decoder_1"]
               for w in model.get_layer(layer).weights]
    tensors = arrays(lambda w: keras.ops.convert_to_numpy(w))
    out = flat(keras.ops.convert_to_numpy(model(data)))
    target = torch.from_numpy(data)
    parameters = [w.value for _, w in weights]
    adam, gradients, losses = torch.optim.Adam(parameters, lr=0.01), None, []
    for _ in range(10):
        adam.zero_grad()
        loss = ((model(data).cpu() - target) ** 2).mean()
        loss.backward()
        gradients = gradients or arrays(lambda w: w.value.grad.cpu().numpy())
        adam.step()
        losses.append(float(f"{loss.item():.9g}"))
    cases.append(dict(cell=cell, tensors=tensors, x=flat(data), y=out, gradients=gradients, losses=losses))
head = dict(made_by="tests/golden/keras_layers.py", keras=keras.__version__, backend=keras.backend.backend(), torch=torch.__version__,
            seed="7 + index", learning_rate=0.01)
print(json.dumps(dict(head=head, shape=[3, T, C], units=4, latent=2, cases=cases), separators=(",", ":")).replace('{"cell"', '\n{"cell"'))
