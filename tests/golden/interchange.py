"""Checks exported networks in torch and onnxruntime: python interchange.py DIRECTORY

For every NAME.json in the directory, which holds spec, shape, input and Kilter's reconstruction, NAME.safetensors is
loaded by name into a torch module (built by networks.py) and NAME.onnx is run by onnxruntime. Prints the largest
differences and fails above 1e-5 of the largest number.
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import networks

failed = False
paths = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
for path in paths:
    case = json.loads(path.read_text())
    b, t, c = case["shape"]
    networks.T, networks.C = t, c
    x = np.array(case["x"], np.float32).reshape(b, t, c)
    y = np.array(case["y"], np.float32).reshape(b, t, c)
    scale = max(np.abs(y).max(), 1e-3)

    session = onnxruntime.InferenceSession(str(path.with_suffix(".onnx")), providers=["CPUExecutionProvider"])
    onnx = session.run(None, {"windows": x})[0]
    single = session.run(None, {"windows": x[:1]})[0]
    errors = [np.abs(onnx - y).max() / scale, np.abs(single - y[:1]).max() / scale]

    # PyTorch's own cells have no reset gate before the product.
    if case["spec"].get("cell") != "gru_reset_before":
        module = networks.Network(case["spec"])
        weights = load_file(path.with_suffix(".safetensors"))
        names = {networks.kilter_name(name): name for name in module.state_dict()}
        module.load_state_dict({names[name]: tensor for name, tensor in weights.items()})
        with torch.no_grad():
            out = module(torch.from_numpy(x)).numpy()
        if case["is_reversed"]:
            out = out[:, ::-1]
        errors.append(np.abs(out - y).max() / scale)
    print(path.stem, " ".join(f"{error:.1e}" for error in errors))
    failed = failed or not all(error < 1e-5 for error in errors)
sys.exit(1 if failed or not paths else 0)
