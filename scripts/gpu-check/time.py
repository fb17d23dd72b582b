"""Times square products of f32 and bf16 matrices in PyTorch on the GPU, as bench/webgpu/contraction.ts does: medians of repeated runs."""
import statistics

import torch

device = torch.device("cuda")
print(f"PyTorch {torch.__version__} on {torch.cuda.get_device_name(device)}")
for dtype, exact in ((torch.float32, True), (torch.float32, False), (torch.bfloat16, False)):
    torch.backends.cuda.matmul.allow_tf32 = not exact
    for size in (256, 512, 1024, 2048, 4096):
        lhs = torch.randn(size, size, device=device, dtype=dtype)
        rhs = torch.randn(size, size, device=device, dtype=dtype)
        times = []
        for turn in range(25):
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            lhs @ rhs
            end.record()
            torch.cuda.synchronize()
            if turn >= 5:
                times.append(start.elapsed_time(end) * 1e-3)
        seconds = statistics.median(times)
        name = "f32" if exact else "tf32" if dtype == torch.float32 else "bf16"
        print(f"{name:5} {size:5}  {seconds * 1e6:10.1f} us  {2 * size**3 / seconds / 1e12:8.2f} TFLOP/s")
