"""llama.cpp's own HTTP server (from the prebuilt xllamacpp wheel). Usage: llamacpp_server.py MODEL.gguf PORT"""
import sys
import time

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 4096
params.n_parallel = 2
# One thread: with two, spin waits starve a busy two-core machine.
params.cpuparams.n_threads = 1
params.model_alias = {"tiny"}
for name in ("endpoint_metrics", "endpoint_slots", "use_jinja", "warmup"):
    if hasattr(params, name):
        setattr(params, name, True)
server = xllamacpp.Server(params)
print("listening", flush=True)
while True:
    time.sleep(1)
